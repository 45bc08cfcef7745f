// A client of a language server in a child process, which speaks LSP over its standard streams.

import { spawn } from "node:child_process";

/** Timeout for an answer in milliseconds. */
const TIMEOUT_MS = 20_000;

const SETTINGS = {
  yaml: { validate: true, hover: true, completion: true, schemaStore: { enable: false }, format: { enable: false } },
  http: {},
  "[yaml]": {},
  editor: {},
  files: {},
};

export class Server {
  #child;
  #buffer = Buffer.alloc(0);
  #next = 1;
  #answers = new Map();
  #diagnostics = new Map();

  /** Starts a server for a folder. */
  static async start(program, rootUri) {
    const server = new Server(program);
    await server.request("initialize", {
      processId: process.pid,
      rootUri,
      workspaceFolders: [{ uri: rootUri, name: "oms" }],
      capabilities: {
        workspace: { configuration: true },
        textDocument: {
          completion: { completionItem: { snippetSupport: true, documentationFormat: ["markdown"] } },
          hover: { contentFormat: ["markdown"] },
          publishDiagnostics: {},
        },
      },
    });
    server.notify("initialized", {});
    server.notify("workspace/didChangeConfiguration", { settings: SETTINGS });
    return server;
  }

  constructor(program) {
    this.#child = spawn(process.execPath, [program, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout.on("data", (bytes) => this.#receive(bytes));
    this.#child.on("exit", (code) => {
      for (const { reject } of this.#answers.values()) reject(new Error(`the server exited with ${code}`));
    });
  }

  request(method, params) {
    const id = this.#next++;
    const answer = this.#expect(this.#answers, id, method);
    this.#send({ id, method, params });
    return answer;
  }

  notify(method, params) {
    this.#send({ method, params });
  }

  /** Opens a document and returns its diagnostics. */
  open(uri, text) {
    const said = this.#expect(this.#diagnostics, uri, `the diagnostics of ${uri}`);
    this.notify("textDocument/didOpen", { textDocument: { uri, languageId: "yaml", version: 1, text } });
    return said;
  }

  async stop() {
    await this.request("shutdown", null);
    this.notify("exit", null);
  }

  #expect(waiting, key, what) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer: ${what}`)), TIMEOUT_MS);
      const settle = (then) => (value) => {
        clearTimeout(timer);
        waiting.delete(key);
        then(value);
      };
      waiting.set(key, { resolve: settle(resolve), reject: settle(reject) });
    });
  }

  #send(message) {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    this.#child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  #receive(bytes) {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    for (;;) {
      const head = this.#buffer.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.#buffer.toString("latin1", 0, head))[1]);
      if (this.#buffer.length < head + 4 + length) return;
      const body = this.#buffer.toString("utf8", head + 4, head + 4 + length);
      this.#buffer = this.#buffer.subarray(head + 4 + length);
      this.#handle(JSON.parse(body));
    }
  }

  #handle(message) {
    if (message.method === undefined) {
      const waiting = this.#answers.get(message.id);
      if (message.error) waiting?.reject(new Error(message.error.message));
      else waiting?.resolve(message.result);
    } else if (message.method === "workspace/configuration") {
      const result = message.params.items.map(({ section }) => SETTINGS[section] ?? null);
      this.#send({ id: message.id, result });
    } else if (message.id !== undefined) {
      this.#send({ id: message.id, result: null });
    } else if (message.method === "textDocument/publishDiagnostics") {
      this.#diagnostics.get(message.params.uri)?.resolve(message.params.diagnostics);
    }
  }
}
