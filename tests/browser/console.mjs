// Uses the console of `oms serve` like operators, and like attackers.
//
// Usage: node console.mjs NODE_DIR AXE_DIR OMS ROOT OUT_DIR, where NODE_DIR holds node_modules/playwright-core, AXE_DIR
// node_modules/axe-core, OMS is the program, and ROOT has `pipelines` and `templates`, which are copied. Screenshots of
// the pages are written to OUT_DIR. The hostile texts are a few built-in ones and those of OMS_SHARED/data/bad-input, if
// OMS_SHARED is set. The test exits with 1 at the first failure.

import { execFile, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { argumentsOf, failOn, main, open } from "./browser.mjs";

const [nodes, axes, program, root, out] = argumentsOf("console.mjs NODE_DIR AXE_DIR OMS ROOT OUT_DIR", 5);
const TIMEOUT_MS = 15_000;
/** Timeout until an added or revoked key takes effect, which takes about a second. */
const KEYS_MS = 2_000;
/** Time to wait until a frame is drawn, before a screenshot. */
const DRAWN_MS = 200;
const SCHEMES = ["light", "dark"];
const WIDTHS = [1280, 360];
/** Number of runs that are retried together: enough to see their progress. */
const BULK = 200;
/** Number of additional runs, so that the list has several pages. */
const FILLERS = 90;
/** Selector of the rows of a list, and the number of rows of a page. */
const LINE = "table.rows tbody tr";
const LINES = 50;
const TABS_MAX = 100;
/** Number of visits without a key: more than the number of sessions that the server stores. */
const STRANGERS = 1_200;
const PARKED_BY_RATE = "no_rate";
const PARKED_BY_ROW = "no_row";

/** Texts that become markup or scripts on a page that does not escape them. */
const HOSTILE = [
  "<script>alert(1)</script>",
  "</script><script>alert(1)</script>",
  "</pre><img src=x onerror=alert(1)>",
  '"><svg onload=alert(1)>',
  "' autofocus onfocus=alert(1) x='",
  "javascript:alert(1)",
  "<iframe src=javascript:alert(1)></iframe>",
  "<style>*{display:none}</style>",
  "</title></head><body onload=alert(1)>",
  "{{page.order.text}} {{{csrf}}} ${{ order }}",
  "<!-- --!><math><mi xlink:href=javascript:alert(1)>",
  "&lt;script&gt;alert(1)&lt;/script&gt;",
  "\u202e)1(trela\u2066\u0007",
  "W".repeat(64),
];

function check(holds, what) {
  if (!holds) throw new Error(`console: ${what}`);
}

function ok(what) {
  console.log(`ok ${what}`);
}

/** Polls until the answer is true, and returns how long that took. */
async function until(what, ask, timeout = TIMEOUT_MS) {
  const begun = performance.now();
  // A page that is navigating has no answer.
  const unknown = (failure) => {
    if (!/context was destroyed|Frame was detached/.test(failure.message)) throw failure;
    return false;
  };
  do {
    if (await Promise.resolve(ask()).catch(unknown)) return performance.now() - begun;
    await pause(20);
  } while (performance.now() < begun + timeout);
  throw new Error(`console: after ${timeout / 1000} s, it is still not true that ${what}`);
}

/** `oms serve` with its own state. */
class Serve {
  constructor(folder) {
    this.folder = folder;
    this.pipeline = join(folder, "pipelines", "storefront.yaml");
    this.samples = join(folder, "pipelines", "storefront", "samples");
    this.state = join(folder, "state");
    // Make the copy a project, so that its pipelines may use `templates`.
    mkdirSync(join(folder, ".git"));
    for (const name of ["pipelines", "templates"]) {
      cpSync(join(root, name), join(folder, name), { recursive: true, filter: (path) => !path.includes("/.oms") });
    }
  }

  async start() {
    const words = ["serve", this.pipeline, "--state-dir", this.state, "--listen", "127.0.0.1:0"];
    this.process = spawn(resolve(program), words, { stdio: ["ignore", "pipe", "pipe"] });
    this.errors = "";
    this.process.stderr.on("data", (text) => {
      this.errors += text;
    });
    this.ended = new Promise((done) => this.process.once("exit", done));
    for await (const line of createInterface(this.process.stdout)) {
      const found = /^console (http:\S+)\/console\/$/.exec(line);
      if (found) {
        this.origin = found[1];
        this.base = `${this.origin}/console/storefront`;
        return;
      }
    }
    throw new Error("console: the server exited without printing the URL of its console");
  }

  async end() {
    this.process?.kill("SIGTERM");
    await this.ended;
  }

  /** Runs a command on the server's state and returns its standard output. */
  async oms(...words) {
    const { stdout } = await promisify(execFile)(resolve(program), [...words, "--state-dir", this.state]);
    return stdout;
  }

  order(changes, sample = "NW-10248") {
    return { ...JSON.parse(readFileSync(join(this.samples, `${sample}.json`), "utf8")), ...changes };
  }

  async put(order) {
    const answer = await fetch(`${this.origin}/storefront/order/${order.order_id}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(order),
    });
    return answer.status;
  }

  /** Puts orders and waits until none of their runs is in progress or waiting. */
  async putAll(orders) {
    const queue = [...orders];
    const worker = async () => {
      for (let order = queue.pop(); order; order = queue.pop()) {
        const status = await this.put(order);
        check(status === 201, `the order ${order.order_id} gets the status ${status}`);
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    await until("all orders have been tried", async () => {
      const pages = ["in_progress", "waiting"].map((state) => fetch(`${this.base}/runs?state=${state}`));
      const texts = await Promise.all((await Promise.all(pages)).map((page) => page.text()));
      return texts.every((text) => text.includes("No runs match."));
    });
  }

  /** Adds rows to the customer table, as an operator does to fix the cause of a parked run. */
  async customers(rows) {
    const file = join(this.folder, "customers.ndjson");
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    await this.oms("db", "import", this.pipeline, "customer_contact_info", file);
  }

  customer(id) {
    return { customer_id: id, name: `Nobody of ${id}`, email: `${id}@example.org`.toLowerCase(), locale: "en" };
  }
}

/** Texts that must not be in a URL, because URLs appear in logs, histories and on screens. */
class Secrets {
  #urls = new Set();
  #known = new Set();

  hear(context) {
    context.on("request", (request) => {
      this.#urls.add(request.url());
      const { referer } = request.headers();
      if (referer) this.#urls.add(referer);
    });
  }

  add(...texts) {
    for (const text of texts) this.#known.add(text.toLowerCase());
  }

  check() {
    const faults = [];
    for (const url of this.#urls) {
      const plain = decodeURIComponent(url.replaceAll("+", " ")).toLowerCase();
      for (const secret of this.#known) {
        if (plain.includes(secret)) faults.push(`${url} contains ${secret}`);
      }
      if (/[?&](csrf|customer|key-|token|session)=/.test(plain)) faults.push(`${url} contains a parameter that belongs in a form body`);
    }
    failOn("URLs", faults);
    return this.#urls.size;
  }
}

/** A user with a browser and a session. */
class Person {
  static async at(browser, serve, secrets, settings = {}) {
    const { page, complaints } = await open(browser, { viewport: { width: 1280, height: 800 }, ...settings });
    page.setDefaultTimeout(TIMEOUT_MS);
    secrets.hear(page.context());
    page.on("dialog", (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    return new Person(page, complaints, serve);
  }

  constructor(page, complaints, serve) {
    Object.assign(this, { page, complaints, serve });
  }

  /** Goes to a page by its URL and checks that it loads. */
  async goes(path) {
    const answer = await this.page.goto(`${this.serve.base}${path}`);
    check(answer.ok(), `${path} has the status ${answer.status()}`);
  }

  press(role, name) {
    return this.page.getByRole(role, { name, exact: true }).click();
  }

  /** Fills the field with exactly this name, because another form may have a similar one. */
  fill(name, text) {
    return this.page.getByRole("textbox", { name, exact: true }).fill(text);
  }

  heading() {
    return this.page.innerText("h1");
  }

  state() {
    return this.page.innerText(".heading .badge");
  }

  async says(words) {
    await until(`${this.page.url()} says “${words}”`, async () => (await this.page.innerText("main")).includes(words));
  }

  keys() {
    return this.page.locator(`${LINE} th a`).allInnerTexts();
  }

  cells() {
    return this.page.locator(LINE).evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText)));
  }

  /** The entries of the audit log, newest first. */
  async audit() {
    await this.goes("/audit");
    return (await this.cells()).map(([, who, what, key, detail]) => ({ who, what, key, detail }));
  }

  /** Checks that the audit log has each of these entries once. */
  async logged(...wanted) {
    const entries = await this.audit();
    for (const entry of wanted) {
      const same = entries.filter((known) => Object.entries(entry).every(([name, value]) => known[name] === value));
      check(same.length === 1, `the audit log has ${JSON.stringify(entry)} ${same.length} times instead of once`);
    }
    return entries;
  }

  csrf() {
    return this.page.locator("input[name=csrf]").first().inputValue();
  }

  /** Checks that the browser reported no error. */
  content(name) {
    failOn(name, this.complaints);
  }

  /** Removes the browser's errors for expected responses with this status. */
  forgive(status) {
    const noise = new RegExp(`^console: Failed to load resource: .* status of ${status} `);
    const kept = this.complaints.filter((complaint) => !noise.test(complaint));
    this.complaints.splice(0, this.complaints.length, ...kept);
  }

  leaves() {
    return this.page.context().close();
  }
}

/** Adds the missing rates for orders in bolívares. */
function addMissingRates({ folder }) {
  const file = join(folder, "pipelines", "storefront", "rates-extra.csv");
  writeFileSync(file, "date,currency,per_eur\n2024-07-04,VES,36.5\n");
}

/** The main tasks, with the mouse. */
async function mouse(person) {
  const { serve, page } = person;
  const found = serve.order({}, "NW-10250");
  const bulk = Array.from({ length: BULK }, (_, at) => serve.order({ order_id: `VES-${at}`, currency: "VES" }));
  await serve.putAll([
    found,
    serve.order({ order_id: "ROW-1", customer_id: "MOUSE1" }),
    serve.order({ order_id: "ROW-2", customer_id: "MOUSE2" }),
    // The added rates do not include this currency, so this run is parked again.
    serve.order({ order_id: "KPW-1", currency: "KPW" }),
    ...bulk,
  ]);

  await person.goes("/");
  await person.press("link", "Runs");
  await person.fill("Key prefix", found.order_id.slice(0, -1));
  await person.press("button", "Filter");
  check((await person.keys()).join() === found.order_id, "the search by key finds another run");
  check(page.url().includes("key=NW-1025"), "the search by key cannot be bookmarked");
  await person.press("link", found.order_id);
  check((await person.heading()) === found.order_id && (await person.state()) === "completed", "the found run is wrong");
  const row = page.locator("article", { has: page.getByRole("heading", { name: "billing_data" }) });
  check((await row.count()) === 1 && (await row.innerText()).includes(found.customer_id), "the run does not show its billing row");
  ok("an order is found by its key");

  await person.press("link", "Runs");
  await person.fill("Customer", found.customer_id);
  await person.press("button", "Search");
  await person.says("Customer search: all matching runs.");
  check((await person.keys()).join() === found.order_id, `the customer's id finds ${await person.keys()}`);
  check(!(await page.content()).toLowerCase().includes(`value="${found.customer_id.toLowerCase()}"`), "the page still contains the search text");
  // The name is not in the order, only in the customer table.
  await person.fill("Customer", "MARIO PONTES");
  await person.press("button", "Search");
  await person.says("Customer search: all matching runs.");
  check((await person.keys()).join() === found.order_id, `a customer's name finds ${await person.keys()}`);
  await person.fill("Customer", "no such customer");
  await person.press("button", "Search");
  await person.says("No runs match.");
  await person.fill("Customer", "ab ".repeat(70));
  await person.press("button", "Search");
  await person.says("Enter 1 to 200 characters");
  ok("an order is found by its customer");

  await person.press("link", `Parked ${BULK + 3}`);
  const group = (cause) => page.locator("section.group", { has: page.getByRole("heading", { name: cause, exact: true }) });
  check((await group(PARKED_BY_ROW).locator("dd").first().innerText()) === "2", "the group of the missing row does not have two runs");
  await group(PARKED_BY_ROW).getByRole("link", { name: "ROW-1" }).click();
  check((await person.state()) === "parked", "the run without a customer is not parked");
  const failed = await page.locator("details.step[open]").evaluateAll((steps) => steps.map((step) => step.innerText));
  check(failed.length === 1 && failed[0].startsWith("contact"), "the open step is not the failed one");
  check((await page.locator(".callout.bad").first().innerText()).includes(PARKED_BY_ROW), "the run does not show its cause");

  // Before the cause is fixed, a retry changes nothing and says so.
  await person.press("link", "Retry");
  check((await person.heading()) === "Retry ROW-1?", "a retry is not confirmed first");
  await person.press("link", "Back");
  await person.press("link", "Retry");
  await person.press("button", "Retry");
  await person.says("ROW-1 was retried and is parked again: no_row.");
  await serve.customers([serve.customer("MOUSE1")]);
  await person.press("link", "Retry");
  await person.press("button", "Retry");
  await person.says("ROW-1 was retried and is now completed.");
  check((await person.state()) === "completed", "the fixed run is not completed");
  check((await page.getByRole("link", { name: "Retry" }).count()) === 0, "a completed run can be retried");
  await page.reload();
  check((await page.locator(".notice").count()) === 0, "the notice is shown again after a reload");
  ok("a parked run is fixed, retried and completed");

  await person.goes("/runs/ROW-2");
  await person.press("link", "Cancel run");
  check((await page.locator("button.danger").count()) === 1, "the cancel button is not marked as dangerous");
  await person.press("button", "Cancel run");
  await person.says("ROW-2 was cancelled.");
  check((await person.state()) === "cancelled", "the cancelled run is not cancelled");
  check((await page.locator("main a.button").count()) === 0, "a cancelled run has actions");
  ok("a parked run is cancelled");

  addMissingRates(serve);
  await person.press("link", `Parked ${BULK + 1}`);
  await person.press("link", `Retry all with the cause ${PARKED_BY_RATE}`);
  check((await person.heading()) === `Retry ${BULK + 1} runs with the cause ${PARKED_BY_RATE}?`, "the question does not say how many are retried");
  await person.press("button", "Retry all");
  await person.says(`of ${BULK + 1} runs retried`);
  const loaded = await page.evaluate(() => performance.timeOrigin);
  const seen = new Set();
  await until("the progress is complete", async () => {
    const text = await page.innerText("main");
    const [, done] = /(\d+) of \d+ runs retried/.exec(text) ?? [];
    seen.add(done);
    return text.includes(`Finished: ${BULK + 1} of ${BULK + 1} runs retried, 1 parked again`);
  });
  check(seen.size > 1, "the progress was not updated");
  check((await page.evaluate(() => performance.timeOrigin)) === loaded, "the page was reloaded");
  await person.press("link", "Show parked runs");
  check((await page.locator("section.group").count()) === 1, "more than one cause is left");
  check((await page.locator(".keys a").allInnerTexts()).join() === "KPW-1", "another run than KPW-1 is left");
  await person.goes("/runs/VES-7");
  check((await person.state()) === "completed", "a run that was retried in bulk is not completed");
  ok(`${BULK + 1} runs of a cause are retried, and their progress is shown`);

  const entries = await person.logged(
    { what: "cancel", key: "ROW-2", detail: "ROW-2 was cancelled." },
    { what: "retry", key: "ROW-1", detail: "ROW-1 was retried and is parked again: no_row." },
    { what: "retry", key: "ROW-1", detail: "ROW-1 was retried and is now completed." },
    { what: "retry all", detail: `${BULK + 1} runs with the cause ${PARKED_BY_RATE}: ${BULK + 1} retried, 1 parked again (${PARKED_BY_RATE})` },
    { who: "command line", what: "import", detail: "into customer_contact_info: done" },
  );
  check(entries.filter(({ what }) => what === "search").length === 3, "not all searches are logged");
  check(!JSON.stringify(entries).includes(found.customer_id), "the audit log contains the search text");
  await page.getByRole("row", { name: "cancel" }).getByRole("link", { name: "ROW-2" }).click();
  check((await person.heading()) === "ROW-2", "the audit log links to another run");
  ok("the audit log has all actions");
  person.content("with the mouse");
}

/** The name of the focused element, and whether the focus is visible. Runs in the page. */
function focused() {
  const element = document.activeElement;
  const label = element.labels?.[0]?.firstChild.textContent ?? element.getAttribute("aria-label") ?? element.innerText;
  const outlined = [undefined, "::after"].some((part) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(element, part);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  });
  const { top, bottom } = element.getBoundingClientRect();
  return {
    name: label.replace(/\s+/g, " ").trim(),
    seen: element === document.body || (outlined && bottom > 0 && top < innerHeight),
  };
}

/** The same tasks with the keyboard. */
async function keyboard(person) {
  const { serve, page } = person;
  const customers = ["KEYS1", "KEYS2", "KEYS3"];
  await serve.putAll([
    serve.order({ order_id: "KEYS-1", customer_id: "KEYS1" }),
    serve.order({ order_id: "KEYS-2", customer_id: "KEYS2" }),
    serve.order({ order_id: "KEYS-3", customer_id: "KEYS3" }),
    serve.order({ order_id: "KEYS-4", customer_id: "KEYS4" }),
  ]);
  const to = async (name) => {
    for (let presses = 0; presses < TABS_MAX; presses += 1) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(focused);
      check(at.seen, `the focus of “${at.name}” is not visible on ${page.url()}`);
      if (at.name === name) return;
    }
    throw new Error(`console: “${name}” cannot be reached with the keyboard on ${page.url()}`);
  };
  const enter = async (name, says) => {
    await to(name);
    await page.keyboard.press("Enter");
    await person.says(says);
    // Keys that are pressed while the page loads may be lost.
    await page.waitForLoadState();
  };

  await person.goes("/");
  await page.keyboard.press("Tab");
  check((await page.evaluate(focused)).name === "Skip to content", "the first stop does not skip to the content");
  await enter("Runs", "Key prefix");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await until("the content has the focus", () => page.evaluate(() => document.activeElement.id === "content"));
  await page.keyboard.press("Tab");
  check((await page.evaluate(focused)).name === "Key prefix", "the content's first field is not next after skipping to it");
  await page.keyboard.type("KEYS-1");
  await page.keyboard.press("Enter");
  await until("the search finds the run", async () => (await person.keys()).join() === "KEYS-1");
  await to("Customer");
  await page.keyboard.type("KEYS1");
  await page.keyboard.press("Enter");
  await person.says("Customer search: all matching runs.");
  await enter("KEYS-1", "Steps");
  check((await person.state()) === "parked", "the run is not parked");

  await serve.customers(customers.map((id) => serve.customer(id)));
  await enter("Retry", "Retry KEYS-1?");
  await enter("Retry", "KEYS-1 was retried and is now completed.");
  await enter("Show personal data (logged)", "Personal data is shown. The audit log records this.");
  // A step can be opened with the keyboard.
  const step = page.locator("details.step").first();
  await to(await step.locator("summary").evaluate((summary) => summary.innerText.replace(/\s+/g, " ").trim()));
  await page.keyboard.press("Enter");
  check(await step.evaluate(({ open }) => open), "a step does not open with the keyboard");

  await enter("Parked 4", "Retry all");
  await enter("KEYS-4", "Steps");
  await enter("Cancel run", "Cancel KEYS-4?");
  await enter("Cancel run", "KEYS-4 was cancelled.");
  await enter("Parked 3", "Retry all");
  await enter(`Retry all with the cause ${PARKED_BY_ROW}`, `Retry 2 runs with the cause ${PARKED_BY_ROW}?`);
  await enter("Retry all", "Finished: 2 of 2 runs retried, 0 parked again");
  await enter("Audit log", "Detail");
  await person.logged(
    { what: "retry", key: "KEYS-1" },
    { what: "reveal", key: "KEYS-1" },
    { what: "cancel", key: "KEYS-4" },
    { what: "retry all", detail: `2 runs with the cause ${PARKED_BY_ROW}: 2 retried, 0 parked again` },
  );
  person.content("with the keyboard");
  ok("all tasks work with the keyboard alone, with a visible focus");
}

/** Personal data is masked until a user reveals it, and only that user sees it. */
async function masked(person, other, secrets) {
  const { serve, page } = person;
  const { customer_id: id } = serve.order({}, "NW-10250");
  const rows = readFileSync(join(serve.folder, "pipelines", "storefront", "customers.ndjson"), "utf8").split("\n");
  const { name, email } = JSON.parse(rows.find((row) => row.includes(`"customer_id":"${id}"`)));
  secrets.add(name, email, encodeURIComponent(email));
  const run = "/runs/NW-10250";
  const hides = async (who, when) => {
    await who.goes(run);
    const text = await who.page.content();
    for (const part of [name, email, name.split(" ").at(-1)]) check(!text.includes(part), `${part} is on the page ${when}`);
    check(text.includes("«email»"), `the recipient of the mail is not masked ${when}`);
    check((await who.page.locator("iframe").count()) === 0, `the mail is on the page ${when}`);
    const mail = await who.page.context().request.get(`${serve.base}${run}/mail/0`);
    check(mail.status() === 404 && !(await mail.text()).includes(name), `the mail can be read ${when}`);
  };
  await hides(person, "before it is revealed");
  await person.press("button", "Show personal data (logged)");
  await person.says("Personal data is shown. The audit log records this.");
  const text = await page.content();
  for (const part of [name, email]) check(text.includes(part), `${part} is not on the page after it was revealed`);
  await page.locator("iframe").scrollIntoViewIfNeeded();
  const frame = page.frames().find((known) => known.url().endsWith("/mail/0"));
  await until("the mail is shown", async () => (await frame.locator("body").innerText()).includes("NW-10250"));
  const handle = await frame.frameElement();
  check((await handle.getAttribute("sandbox")) === "", "the mail's frame has permissions");
  const answer = await page.context().request.get(`${serve.base}${run}/mail/0`);
  const policy = answer.headers()["content-security-policy"];
  check(/default-src 'none'/.test(policy) && /(^|;)\s*sandbox(;|$)/.test(policy), `the mail's policy is ${policy}`);
  await hides(other, "for another user");
  await person.logged({ what: "reveal", key: "NW-10250" });
  person.content("personal data");
  ok("personal data is masked until a user reveals it, which is logged");
}

/** Without scripts. */
async function scriptless(person) {
  const { serve, page } = person;
  await serve.putAll([1, 2, 3].map((at) => serve.order({ order_id: `PLAIN-${at}`, customer_id: `PLAIN${at}` })));
  const pages = { "/": "Overview", "/runs": "Runs", "/parked": "Parked runs", "/pipeline": "storefront", "/audit": "Audit log" };
  for (const [path, heading] of Object.entries(pages)) {
    await person.goes(path);
    check((await person.heading()) === heading, `${path} has the heading ${await person.heading()}`);
    check(await page.locator("main").evaluate((main) => main.innerText.length > 60), `${path} is almost empty`);
  }
  await person.press("link", "Runs");
  await person.fill("Key prefix", "PLAIN-");
  await page.getByRole("combobox", { name: "State" }).selectOption("parked");
  await person.press("button", "Filter");
  check((await person.keys()).length === 3, "the search finds other runs");
  await person.press("link", "PLAIN-1");
  check(await page.getByRole("button", { name: "Copy" }).isHidden(), "a button that needs scripts is shown");
  await serve.customers([1, 2].map((at) => serve.customer(`PLAIN${at}`)));
  await person.press("link", "Retry");
  await person.press("button", "Retry");
  await person.says("PLAIN-1 was retried and is now completed.");
  await person.press("button", "Show personal data (logged)");
  await person.says("plain1@example.org");
  await person.goes("/parked");
  await person.press("link", `Retry all with the cause ${PARKED_BY_ROW}`);
  await person.press("button", "Retry all");
  await person.says("of 2 runs retried");
  await until("the retry is complete", async () => {
    await person.goes("/parked");
    return (await page.innerText("main")).includes("Finished: 2 of 2 runs retried, 1 parked again");
  });
  await person.goes("/runs/PLAIN-3");
  await person.press("link", "Cancel run");
  await person.press("button", "Cancel run");
  await person.says("PLAIN-3 was cancelled.");
  await person.logged({ what: "retry", key: "PLAIN-1" }, { what: "reveal", key: "PLAIN-1" }, { what: "cancel", key: "PLAIN-3" });
  person.content("without scripts");
  ok("every page and every task works without scripts");
}

/** The mails on the page of the pipeline, each in its frame. */
async function mails(person) {
  const { page } = person;
  await person.goes("/pipeline");
  const locales = page.locator("article.mail details");
  const count = await locales.count();
  check(count > 1, "the pipeline's page has fewer than two mails");
  for (const details of [locales.first(), locales.last()]) {
    await details.locator("summary").click();
    const handle = await details.locator("iframe").elementHandle();
    await mailIn(handle);
    check((await handle.getAttribute("sandbox")) === "", "the frame of a sample's mail has permissions");
  }
  await page.locator("#samples + ul a").first().click();
  check(new URL(page.url()).pathname.endsWith("/runs"), "a sample does not link to its run");
  person.content("the pipeline's mails");
  ok(`${count} mails of the pipeline, in their frames`);
}

/** Waits until a mail is shown in its frame, and returns the frame. */
async function mailIn(handle) {
  await handle.scrollIntoViewIfNeeded();
  const frame = await handle.contentFrame();
  await until("the mail is shown", () => frame.evaluate(() => document.body?.innerText.length > 50));
  return frame;
}

/** Finds scripts, handlers and active elements that a text may have become. Runs in a page or in a mail's frame. */
function structure(isMail) {
  const faults = [];
  const scripts = [...document.scripts].filter(({ src }) => isMail || src !== `${location.origin}/console/console.js`);
  if (scripts.length > 0) faults.push(`${scripts.length} scripts: ${scripts[0].outerHTML.slice(0, 200)}`);
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      const place = `${element.localName}[${name}="${value.slice(0, 80)}"]`;
      if (/^on/.test(name)) faults.push(`a handler: ${place}`);
      const leads = ["href", "src", "action", "formaction", "xlink:href", "srcset", "background"].includes(name);
      if (leads && /^[\s\0-\x1f]*(javascript|vbscript|data:text)/i.test(value)) faults.push(`a script in a URL: ${place}`);
      if (!isMail && name === "style") faults.push(`a style: ${place}`);
      if (!isMail && name === "src" && URL.parse(value, location)?.origin !== location.origin) faults.push(`a resource of another site: ${place}`);
    }
    if (!isMail && ["style", "base", "object", "embed", "math"].includes(element.localName)) faults.push(`a ${element.localName}`);
    if (element.localName === "iframe" && element.getAttribute("sandbox") !== "") faults.push("a frame with permissions");
  }
  if (isMail && document.querySelector("iframe, object, embed, form, base, meta[http-equiv=refresh]")) faults.push("an active element in the mail");
  return faults;
}

/** All hostile texts: the built-in ones, and the collection if it is available. */
function hostileTexts() {
  const shared = process.env.OMS_SHARED && join(process.env.OMS_SHARED, "data", "bad-input", "strings", "blns.json");
  const known = shared && existsSync(shared) ? JSON.parse(readFileSync(shared, "utf8")) : [];
  // Texts that UTF-8 cannot encode cannot be sent, and NUL is rejected.
  return [...HOSTILE, ...known].filter((text) => text.isWellFormed() && !text.includes("\0") && text.trim() !== "");
}

/** Texts in orders, customers and URLs are never markup or scripts. */
async function hostile(person) {
  const { serve, page } = person;
  const faults = [];
  const look = async (name) => {
    const own = await page.evaluate(structure, false);
    const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
    if (wide > 0) own.push(`scrolls horizontally by ${wide} px`);
    faults.push(...own.map((fault) => `${name}: ${fault}`), ...person.complaints.map((complaint) => `${name}: ${complaint}`));
    failOn("hostile texts", faults);
  };
  await page.setViewportSize({ width: 360, height: 800 });

  // Fill every text field that the schema does not restrict. Each order has a share of the texts in its items, and one
  // text in its own fields. Half of the customers are known, so that mails are created too.
  const texts = hostileTexts();
  const share = Math.ceil(texts.length / HOSTILE.length);
  const orders = HOSTILE.map((text, at) => {
    const items = texts.slice(at * share, (at + 1) * share);
    return serve.order({
      order_id: `BAD-${at}`,
      customer_id: text,
      shipping_country: text,
      items: items.map((name) => ({ sku: name, name, quantity: 1, unit_price: "1.00" })),
    });
  });
  orders.push(serve.order({ order_id: `BAD-${"~".repeat(252)}` }));
  await serve.customers(HOSTILE.filter((_, at) => at % 2 === 0).map((text, at) => (
    { customer_id: text, name: HOSTILE[(at + 3) % HOSTILE.length], email: `bad${at}@example.org`, locale: at % 3 === 0 ? text : "en" }
  )));
  await serve.putAll(orders);

  let shown = 0;
  for (const { order_id: key, customer_id: customer } of orders) {
    await person.goes(`/runs/${key}`);
    await look(`${key}, masked`);
    await person.press("button", "Show personal data (logged)");
    await person.says("Personal data is shown. The audit log records this.");
    // Check closed sections too.
    await page.evaluate(() => {
      for (const details of document.querySelectorAll("details")) details.open = true;
    });
    const order = await page.locator("pre[aria-labelledby=order]").textContent();
    check(order.includes(JSON.stringify(customer)), `${key}: the customer is not on the page as sent`);
    for (const handle of await page.locator("iframe").elementHandles()) {
      const frame = await mailIn(handle);
      faults.push(...(await frame.evaluate(structure, true)).map((fault) => `${key}, its mail: ${fault}`));
      shown += 1;
    }
    await look(key);
  }
  check(shown >= HOSTILE.length / 2, `only ${shown} mails were created`);
  for (const path of ["/", "/runs", "/runs?state=parked", "/parked", "/pipeline", "/audit"]) {
    await person.goes(path);
    await look(path);
  }

  // Texts in a URL are shown on the page.
  for (const text of HOSTILE) {
    const part = encodeURIComponent(text);
    const all = ["key", "state", "cause", "step", "from", "to", "before"].map((name) => `${name}=${part}`);
    for (const path of [`/runs?${all.slice(0, -1).join("&")}`, `/parked/retry?cause=${part}`, `/runs/${part}`, `/../${part}/`]) {
      await page.goto(`${serve.base}${path}`);
      person.forgive("404");
      await look(path);
    }
  }
  await person.goes("/runs");
  await person.fill("Customer", HOSTILE[0]);
  await person.press("button", "Search");
  await person.says("Customer search: all matching runs.");
  check((await person.keys()).includes("BAD-0"), "a hostile customer is not found");
  await look("the search for a customer");
  ok(`${texts.length} hostile texts are shown as texts, in ${orders.length} runs, ${shown} mails and ${HOSTILE.length} URLs of each kind`);
}

/** The pages of runs have each run once, forward and back. */
async function paging(person) {
  const { serve, page } = person;
  await serve.putAll(Array.from({ length: FILLERS }, (_, at) => serve.order({ order_id: `MANY-${at}` })));
  const walk = async (rel) => {
    const pages = [await person.keys()];
    while ((await page.locator(`a[rel=${rel}]`).count()) > 0) {
      await page.locator(`a[rel=${rel}]`).click();
      pages.push(await person.keys());
      check(pages.length < 100, "the pages do not end");
    }
    return pages;
  };
  const there = async (path, wanted) => {
    await person.goes(path);
    const forth = await walk("next");
    const back = await walk("prev");
    const keys = forth.flat();
    check(keys.length === wanted && new Set(keys).size === wanted, `${path}: ${keys.length} runs, ${new Set(keys).size} different ones, instead of ${wanted}`);
    check(forth.slice(0, -1).every(({ length }) => length === LINES), `${path}: a page is not full`);
    check(back.reverse().flat().join() === keys.join(), `${path}: the pages have other runs on the way back`);
    return forth.length;
  };
  await person.goes("/runs");
  const total = Number((await page.innerText(".heading .quiet")).replace(/\D/g, ""));
  check(total > BULK + FILLERS, `there are ${total} runs in total`);
  const pages = await there("/runs", total);
  await person.goes("/");
  const completed = Number((await page.locator(".tiles div", { hasText: "Completed" }).locator("dd").innerText()).replace(/\D/g, ""));
  await there("/runs?state=completed", completed);
  person.content("paging");
  ok(`${total} runs on ${pages} pages, forward and back, each once`);
}

/** Each page in light and dark, wide and narrow. */
async function looks(person, axe) {
  const { serve, page } = person;
  await serve.putAll([
    serve.order({ order_id: "SHOWN-1", customer_id: "SHOWN1" }),
    serve.order({ order_id: "SHOWN-2", currency: "KPW" }),
  ]);
  // The personal data of the run NW-10250 was revealed before.
  const pages = {
    overview: "/",
    runs: "/runs",
    "runs-none": "/runs?key=nothing",
    run: "/runs/NW-10250",
    "run-parked": "/runs/SHOWN-1",
    "run-cancelled": "/runs/ROW-2",
    "run-long-key": `/runs/BAD-${"~".repeat(252)}`,
    parked: "/parked",
    pipeline: "/pipeline",
    audit: "/audit",
    confirm: "/runs/SHOWN-1/retry",
    "confirm-danger": "/runs/SHOWN-1/cancel",
    "confirm-all": `/parked/retry?cause=${PARKED_BY_ROW}`,
    error: "/runs/none",
    lost: "/nothing",
    login: "/../login",
  };
  mkdirSync(out, { recursive: true });
  const faults = [];
  let shots = 0;
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(`${serve.base}${path}`);
    if (name === "run") await page.locator("details.step").last().locator("summary").click();
    if (name === "pipeline") await page.locator("article.mail summary").first().click();
    const frames = page.locator("details[open] iframe");
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
      if (wide > 0) faults.push(`${name}: scrolls horizontally by ${wide} px at ${width} px`);
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme });
        faults.push(...(await violations(page, axe)).map((fault) => `${name}, ${width} px, ${colorScheme}: ${fault}`));
        await page.screenshot({ path: join(out, `${name}-${width}-${colorScheme}.png`), fullPage: true });
        shots += 1;
        // The content of a frame is drawn only in the viewport.
        if ((await frames.count()) > 0) {
          await mailIn(await frames.first().elementHandle());
          await pause(DRAWN_MS);
          await page.screenshot({ path: join(out, `${name}-mail-${width}-${colorScheme}.png`) });
          shots += 1;
        }
      }
    }
  }
  faults.push(...(await printed(person)));
  failOn("looks", faults);
  ok(`${Object.keys(pages).length} pages in light and dark have no serious finding and do not scroll horizontally; ${shots} screenshots`);
}

/** Checks the print view of a run: it shows the whole run and no interactive elements. */
async function printed(person) {
  const { page } = person;
  await person.goes("/runs/SHOWN-1");
  await page.setViewportSize({ width: 800, height: 1100 });
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  const faults = await page.evaluate(() => {
    const shown = (element) => element.checkVisibility({ contentVisibilityAuto: true });
    const all = (selector) => [...document.querySelectorAll(selector)];
    const found = [".areas", ".skip", ".actions", "button", "form", "#status"].flatMap((selector) => (all(selector).some(shown) ? [`${selector} is printed`] : []));
    for (const selector of ["h1", ".heading .badge", "details.step pre", "pre[aria-labelledby=order]", ".graph svg", "table.rows td"]) {
      if (!all(selector).length || !all(selector).every(shown)) found.push(`${selector} is not printed`);
    }
    const cut = all("pre, .graph").filter((element) => element.scrollHeight > element.clientHeight + 1).length;
    if (cut > 0) found.push(`${cut} parts are cut off`);
    if (getComputedStyle(document.body).color !== "rgb(29, 36, 48)") found.push("the text is not dark");
    return found.map((fault) => `on paper: ${fault}`);
  });
  await page.screenshot({ path: join(out, "run-print.png"), fullPage: true });
  await page.pdf({ path: join(out, "run-print.pdf") });
  await page.emulateMedia({ media: null, colorScheme: "light" });
  return faults;
}

/** Live updates of the whole overview. */
async function live(person) {
  const { serve, page } = person;
  await person.goes("/");
  const loaded = await page.evaluate(() => performance.timeOrigin);
  const seen = () => page.evaluate(() => ({
    parked: document.querySelector(".tiles .alarm dd")?.innerText,
    badge: document.querySelector(".areas .count")?.innerText,
    cause: [...document.querySelectorAll(".lines div")].find(({ innerText }) => innerText.startsWith("no_row"))?.querySelector("dd").innerText,
    bars: [...document.querySelectorAll(".bars .tip")].reduce((sum, tip) => sum + Number(tip.textContent.split(" ").at(-1).replace(",", "")), 0),
    time: document.querySelector("footer time").innerText,
  }));
  const before = await seen();
  await serve.putAll(["LIVE-1", "LIVE-2"].map((id) => serve.order({ order_id: id, customer_id: id })));
  const more = (text) => Number((text ?? "0").replace(",", "")) + 2;
  await until("the whole overview is updated", async () => {
    const now = await seen();
    return ["parked", "badge", "cause"].every((name) => Number(now[name]?.replace(",", "")) === more(before[name]))
      && now.bars === before.bars + 2 && now.time !== before.time;
  });
  check((await page.evaluate(() => performance.timeOrigin)) === loaded, "the overview was reloaded");
  person.content("the overview");
  ok("the overview updates its tiles, lists, bars, badge and time");
}

/** The serious and critical findings of axe. The page's security policy does not apply to scripts of the driver. */
async function violations(page, axe) {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { iframes: false, resultTypes: ["violations"] });
    return violations.map(({ id, impact, nodes }) => ({ id, impact, place: nodes[0].target.join(" "), count: nodes.length }));
  });
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, impact, place, count }) => `${impact} ${id}, ${count} times: ${place}`);
}

/** Keys, sessions, and forms of other sites. */
async function guarded(browser, serve, secrets) {
  await serve.putAll([1, 2].map((at) => serve.order({ order_id: `GUARD-${at}`, customer_id: `GUARD${at}` })));
  const key = async (...words) => (await serve.oms("keys", "add", serve.pipeline, ...words)).trim().split(/\s+/).at(-1);
  const admin = await key("ann", "--scope", "admin");
  const second = await key("bob", "--scope", "admin");
  const intake = await key("shop");
  secrets.add(admin, second, intake);
  const leads = async () => {
    const { status, headers } = await fetch(`${serve.base}/`, { redirect: "manual" });
    return status === 303 && headers.get("location") === "/console/login";
  };
  await until("the server asks for a key", leads, KEYS_MS);

  const person = await Person.at(browser, serve, secrets);
  const { page } = person;
  const { request } = page.context();
  const cookie = async () => (await page.context().cookies()).find(({ name }) => name.startsWith("oms_session_"));
  const paths = ["/", "/runs", "/runs/NW-10250", "/runs/NW-10250/mail/0", "/runs/GUARD-1/cancel", "/parked", "/parked/live", "/live", "/pipeline", "/audit"];
  const allLead = async (when) => {
    for (const path of paths) {
      await page.goto(`${serve.base}${path}`);
      check(page.url() === `${serve.origin}/console/login`, `${path} is shown ${when}`);
      check((await person.heading()) === "Log in" && !(await page.content()).includes("GUARD-1"), `${path} shows data ${when}`);
    }
  };
  await allLead("without a key");
  const logsIn = async (text) => {
    await page.getByLabel("Admin key").fill(text);
    await person.press("button", "Log in");
  };
  const refused = async (text, what) => {
    await logsIn(text);
    check((await page.getByRole("alert").innerText()) === "This is not an admin key of this server.", `${what} is not rejected`);
    check((await page.getByLabel("Admin key").inputValue()) === "", `${what} is still on the page`);
    person.forgive("403");
    await allLead(`after ${what}`);
  };
  await refused("wrong", "a wrong key");
  await refused(`${admin.slice(0, -1)}${admin.endsWith("A") ? "B" : "A"}`, "a key with another end");
  await refused(intake, "a key for sending orders");
  const before = await cookie();
  await logsIn(admin);
  // The page that was requested last.
  await person.says("Audit log");
  check((await page.innerText(".user")) === "ann", "the page does not show the user");
  const after = await cookie();
  check(before.value !== after.value, "the session is not renewed at the login");
  for (const { httpOnly, sameSite } of [before, after]) check(httpOnly && sameSite === "Strict", "the cookie is readable or is sent with cross-site requests");
  check(!(await page.evaluate(() => document.cookie)), "a script can read the cookie");
  ok("pages redirect to the login, which accepts only admin keys");

  const others = await Person.at(browser, serve, secrets);
  await others.page.goto(`${serve.origin}/console/login`);
  const foreign = await others.csrf();
  await person.goes("/runs/GUARD-1");
  secrets.add(await person.csrf(), foreign);
  const entries = (await person.audit()).length;
  const forms = ["/runs/GUARD-1/retry", "/runs/GUARD-1/cancel", "/runs/GUARD-1/reveal", "/parked/retry", "/runs", "/../logout"];
  const tokens = { no: {}, "an empty": { csrf: "" }, "a wrong": { csrf: "0".repeat(64) }, "another session's": { csrf: foreign } };
  for (const path of forms) {
    for (const [which, token] of Object.entries(tokens)) {
      const form = { cause: PARKED_BY_ROW, customer: "GUARD1", ...token };
      const answer = await request.post(`${serve.base}${path}`, { form, maxRedirects: 0 });
      check(answer.status() === 403, `a POST to ${path} with ${which} token has the status ${answer.status()}`);
    }
  }
  const own = { csrf: await person.csrf() };
  const elsewhere = { form: own, headers: { origin: "http://elsewhere.example" }, maxRedirects: 0 };
  const answer = await request.post(`${serve.base}/runs/GUARD-1/cancel`, elsewhere);
  check(answer.status() === 403, `a form of another site has the status ${answer.status()}`);
  // The same in a browser: a page of another site has a form and a link to the console.
  await page.route("http://elsewhere.example/", (route) => route.fulfill({
    contentType: "text/html",
    body: `<form method="post" action="${serve.base}/runs/GUARD-1/cancel"><input name="csrf" value="${own.csrf}"><button>Win</button></form>
      <a href="${serve.base}/runs/GUARD-1">See</a>`,
  }));
  for (const [role, name] of [["button", "Win"], ["link", "See"]]) {
    await page.goto("http://elsewhere.example/");
    await person.press(role, name);
    await until("the other site has led to the console", () => page.url().startsWith(serve.origin));
    person.forgive("403");
    await page.goto(`${serve.base}/runs/GUARD-1`);
    check((await person.heading()) === "GUARD-1", `a ${role} of another site ends the session`);
  }
  check((await person.state()) === "parked", "a form of another site changed a run");
  check((await person.audit()).length === entries, "a form of another site is in the audit log");
  ok(`${forms.length * Object.keys(tokens).length + 2} forms without the session's token are rejected and change nothing`);

  const strangers = Array.from({ length: 8 }, async () => {
    for (let visits = 0; visits < STRANGERS / 8; visits += 1) await (await fetch(`${serve.origin}/console/login`)).text();
  });
  await Promise.all(strangers);
  await page.goto(`${serve.base}/`);
  check((await person.heading()) === "Overview", `${STRANGERS} visits of other clients end the session`);
  ok("forms, links and many visits of others do not end a session");

  await person.goes("/runs/GUARD-1/cancel");
  await person.press("button", "Cancel run");
  await person.says("GUARD-1 was cancelled.");
  await person.logged({ who: "ann", what: "cancel", key: "GUARD-1" });
  await person.press("button", "Log out");
  check((await person.heading()) === "Log in", "the logout does not lead to the login");
  await allLead("after logging out");
  await page.context().addCookies([after]);
  await allLead("with the cookie from before the logout");
  await page.goBack();
  check(!(await page.content()).includes("GUARD-1"), "the back button shows data after the logout");
  ok("a logout ends the session");

  await page.goto(`${serve.origin}/console/login`);
  await logsIn(admin);
  await person.says("Audit log");
  await person.goes("/");
  await others.page.goto(`${serve.origin}/console/login`);
  await others.page.getByLabel("Admin key").fill(second);
  await others.press("button", "Log in");
  await others.says("Overview");
  await serve.oms("keys", "revoke", serve.pipeline, "ann");
  const took = await until("the session of the revoked key has ended", async () => {
    const { url } = await page.evaluate(async (path) => ({ url: (await fetch(path)).url }), `${serve.base}/live`);
    return url.endsWith("/login");
  }, KEYS_MS);
  await until("the open page says so", async () => (await page.innerText("#status")).startsWith("You are logged out."));
  await allLead("after the key was revoked");
  await others.goes("/runs");
  ok(`the session of a revoked key ends after ${Math.round(took)} ms, and the page says so; other sessions continue`);
  person.content("keys");
  await Promise.all([person.leaves(), others.leaves()]);
}

await main(nodes, async (browser) => {
  const axe = readFileSync(createRequire(join(resolve(axes), "x.js")).resolve("axe-core/axe.min.js"), "utf8");
  const folder = mkdtempSync(join(tmpdir(), "oms-console-"));
  const serve = new Serve(folder);
  const secrets = new Secrets();
  const begun = performance.now();
  try {
    await serve.start();
    secrets.add("HANAR", "mario pontes", "no such customer");
    const somebody = (settings) => Person.at(browser, serve, secrets, settings);
    const clerk = await somebody();
    await mouse(clerk);
    const typist = await somebody();
    await keyboard(typist);
    await masked(clerk, typist, secrets);
    const reader = await somebody({ javaScriptEnabled: false });
    await scriptless(reader);
    await Promise.all([typist.leaves(), reader.leaves()]);
    const target = await somebody();
    await hostile(target);
    await target.leaves();
    await mails(clerk);
    await live(clerk);
    await paging(clerk);
    await looks(clerk, axe);
    await clerk.leaves();
    await guarded(browser, serve, secrets);
    const count = secrets.check();
    ok(`${count} URLs, none with a secret or personal data`);
    return `console: all tests in ${Math.round((performance.now() - begun) / 1000)} s`;
  } finally {
    await serve.end();
    rmSync(folder, { recursive: true, force: true });
  }
});
