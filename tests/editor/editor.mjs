// Tests completion, hover texts and diagnostics of a real language server for a pipeline file with the shipped schema.
//
// Usage: node editor.mjs PATH-TO-YAML-LANGUAGE-SERVER. Exits with 1 if a test fails.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Server } from "./server.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const PIPELINES = join(ROOT, "pipelines");
// The first line refers to the schema, as in users' files.
const HEAD = `# yaml-language-server: $schema=../schema/pipeline.schema.json
oms: 1
name: example
order:
  schema: { type: object, properties: { id: { type: string } }, required: [id] }
  key: \${{ order.id }}
`;

/** Removes the mark `|` from a text and returns its position. */
function marked(text) {
  const offset = text.indexOf("|");
  assert.notEqual(offset, -1, "the text has no mark");
  const before = text.slice(0, offset).split("\n");
  const position = { line: before.length - 1, character: before.at(-1).length };
  return { text: before.join("\n") + text.slice(offset + 1), position };
}

let opened = 0;
function uri() {
  opened += 1;
  return pathToFileURL(join(PIPELINES, `editor-${opened}.yaml`)).href;
}

async function complete(server, source) {
  const { text, position } = marked(HEAD + source);
  const document = uri();
  await server.open(document, text);
  const answer = await server.request("textDocument/completion", {
    textDocument: { uri: document },
    position,
  });
  return (answer.items ?? answer).map((item) => item.label);
}

async function hover(server, source) {
  const { text, position } = marked(HEAD + source);
  const document = uri();
  await server.open(document, text);
  const answer = await server.request("textDocument/hover", { textDocument: { uri: document }, position });
  return answer === null ? "" : (answer.contents.value ?? String(answer.contents));
}

/** Returns the diagnostics of a text as `line: message`, with lines from 1. */
async function findings(server, text) {
  const diagnostics = await server.open(uri(), text);
  return diagnostics.map((found) => `${found.range.start.line + 1}: ${found.message}`);
}

/** Asserts exactly one finding, on the line marked with `# here`. */
async function finds(server, source, pattern) {
  const lines = (HEAD + source).split("\n");
  const line = lines.findIndex((text) => text.endsWith("# here")) + 1;
  const found = await findings(server, HEAD + source);
  assert.equal(found.length, 1, `expected one finding: ${JSON.stringify(found)}`);
  assert.match(found[0], pattern);
  assert.ok(found[0].startsWith(`${line}: `), `expected line ${line}: ${found[0]}`);
}

const KINDS = readdirSync(join(ROOT, "docs", "steps")).map((page) => page.replace(/\.md$/, ""));

const TESTS = {
  async "the shipped pipelines have no findings"(server) {
    for (const file of readdirSync(PIPELINES).filter((name) => name.endsWith(".yaml"))) {
      assert.deepEqual(await findings(server, readFileSync(join(PIPELINES, file), "utf8")), [], file);
    }
  },
  async "every kind is offered after uses"(server) {
    const labels = await complete(server, "steps:\n  bill:\n    uses: |\n");
    for (const kind of KINDS) assert.ok(labels.includes(kind), `${kind} is not among ${labels}`);
  },
  async "a whole step of each kind is offered in a new step"(server) {
    const labels = await complete(server, "steps:\n  bill:\n    |\n");
    for (const kind of [...KINDS, "uses"]) assert.ok(labels.includes(kind), `${kind} is not among ${labels}`);
  },
  async "with offers only the settings of its kind"(server) {
    const labels = await complete(server, "steps:\n  convert:\n    uses: money.convert\n    with:\n      |\n");
    for (const key of ["amount", "from", "to", "on", "rates"]) assert.ok(labels.includes(key), `${key}: ${labels}`);
    for (const key of ["bucket", "topic", "template"]) assert.ok(!labels.includes(key), `${key}: ${labels}`);
  },
  async "the top-level keys are offered"(server) {
    const labels = await complete(server, "|\n");
    for (const key of ["steps", "tables", "rates", "mail", "intake"]) assert.ok(labels.includes(key), `${key}: ${labels}`);
  },
  async "time zones and the settings of for_each are offered"(server) {
    const zones = await complete(server, "time_zone: |\n");
    for (const zone of ["UTC", "Europe/Berlin"]) assert.ok(zones.includes(zone), `${zone}: ${zones}`);
    const keys = await complete(server, "steps:\n  each:\n    uses: value.compute\n    for_each:\n      |\n");
    for (const key of ["items", "as", "index"]) assert.ok(keys.includes(key), `${key}: ${keys}`);
  },
  async "the hover text of time_zone describes it"(server) {
    const text = await hover(server, "time_|zone: UTC\n");
    assert.match(text, /determines the date of a timestamp: in .* in e-mails/);
  },
  async "the hover text of a kind describes it"(server) {
    const text = await hover(server, "steps:\n  convert:\n    uses: money.con|vert\n");
    assert.match(text, /[Cc]onverts an amount/);
  },
  async "the hover text of a setting describes it"(server) {
    const text = await hover(server, "steps:\n  captured:\n    uses: topic.publish\n    with: { to|pic: captured }\n");
    assert.match(text, /name of the topic/);
  },
  async "an unknown key of a step is found"(server) {
    await finds(
      server,
      "steps:\n  store:\n    uses: topic.publish\n    with: { topic: captured }\n    retires: {} # here\n",
      /retires is not allowed/,
    );
  },
  async "an unknown setting is found"(server) {
    await finds(
      server,
      "steps:\n  store:\n    uses: topic.publish\n    with:\n      topic: captured\n      bucket: orders # here\n",
      /bucket is not allowed/,
    );
  },
  async "an unknown kind is found, and the finding lists all kinds"(server) {
    const source = "steps:\n  store:\n    uses: topic.publsh # here\n    with: { topic: captured }\n";
    await finds(server, source, /topic\.publish/);
    await finds(server, source, /money\.convert/);
  },
  async "a setting of the wrong type is found"(server) {
    await finds(
      server,
      "steps:\n  store:\n    uses: topic.publish\n    with:\n      topic: [captured] # here\n",
      /Incorrect type\. Expected "string"/,
    );
  },
  async "a number out of range is found"(server) {
    await finds(
      server,
      "steps:\n  store:\n    uses: topic.publish\n    with: { topic: captured }\n    retry:\n      attempts: 0 # here\n",
      /minimum/,
    );
  },
  async "a missing setting is found"(server) {
    await finds(
      server,
      "steps:\n  store:\n    uses: object.put\n    with: { bucket: orders, key: \"${{ run.key }}\" } # here\n",
      /Missing property "body"/,
    );
  },
  async "a step without required settings is found"(server) {
    const found = await findings(server, HEAD + "steps:\n  store:\n    uses: topic.publish\n");
    assert.deepEqual(found, ['8: Missing property "with".']);
  },
  async "a missing section is found"(server) {
    const found = await findings(server, HEAD);
    assert.deepEqual(found, ['2: Missing property "steps".']);
  },
};

const server = await Server.start(process.argv[2], pathToFileURL(ROOT).href);
let failed = 0;
for (const [name, test] of Object.entries(TESTS)) {
  try {
    await test(server);
  } catch (error) {
    failed += 1;
    console.error(`FAILED ${name}\n  ${error.message.replaceAll("\n", "\n  ")}`);
  }
}
await server.stop();
console.error(`editor: ${Object.keys(TESTS).length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
