// Uses the page of the live mail preview like an author of a mail.
//
// Usage: node live.mjs NODE_DIR BASE_URL FOLDER, where NODE_DIR holds node_modules/playwright-core, and the preview at
// BASE_URL shows FOLDER/pipelines/storefront.yaml. The test changes files in FOLDER and restores them. It exits with 1 if
// the page does not follow a change, is too slow, shows a wrong position of an error, loses a choice, or logs an error.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { argumentsOf, failOn, inspect, main, open } from "./browser.mjs";

const [nodes, base, folder] = argumentsOf("live.mjs NODE_DIR BASE_URL FOLDER", 3);
const PIPELINE = join(folder, "pipelines", "storefront.yaml");
const BODY = join(folder, "templates", "email", "order-confirmation", "body.mjml");
const TEXTS = join(folder, "templates", "email", "order-confirmation", "texts.yaml");
const ROUNDS = 10;
const WANTED_MS = 300;
const ALLOWED_MS = 2000;
const TIMEOUT_MS = 10_000;

/** Polls until the answer is true, much faster than a person could notice. */
async function until(what, ask) {
  const end = performance.now() + TIMEOUT_MS;
  while (performance.now() < end) {
    if (await ask()) return;
    await pause(4);
  }
  throw new Error(`live: after ${TIMEOUT_MS / 1000} s, it is still not true that ${what}`);
}

function check(holds, what) {
  if (!holds) throw new Error(`live: ${what}`);
}

/** Replaces the only line that matches, and returns the new text and the line number. */
function replaced(text, pattern, line) {
  const lines = text.split("\n");
  const found = lines.flatMap((content, index) => (pattern.test(content) ? [index] : []));
  check(found.length === 1, `${pattern} is on ${found.length} lines instead of one`);
  lines[found[0]] = line(lines[found[0]]);
  return { text: lines.join("\n"), line: found[0] + 1 };
}

/** The page, with the actions of the test. */
class Live {
  constructor(page) {
    this.page = page;
    this.error = page.locator("#error");
  }

  /** Runs a function in the mail's frame. Returns undefined while the frame is loading. */
  async inMail(run, argument) {
    const frame = await (await this.page.$("#frame")).contentFrame();
    return frame.evaluate(run, argument).catch(() => undefined);
  }

  says(words) {
    return this.inMail((words) => document.body.innerText.includes(words), words);
  }

  version() {
    return this.page.evaluate(() => document.documentElement.dataset.version);
  }

  async writes(file, text, words) {
    writeFileSync(file, text);
    const written = performance.now();
    await until(`the mail says “${words}”`, () => this.says(words));
    return performance.now() - written;
  }

  async breaks(file, text, ...reports) {
    writeFileSync(file, text);
    await until(`#error names ${reports.join(" and ")}`, async () => {
      const report = (await this.error.isVisible()) ? await this.error.innerText() : "";
      return reports.every((part) => report.includes(part));
    });
  }

  async fixes(file, text) {
    writeFileSync(file, text);
    await until("#error is gone", () => this.error.isHidden());
  }
}

async function choices(live) {
  const { page } = live;
  await page.selectOption("#locale", "ja");
  await until("the mail is in Japanese", () => live.inMail(() => document.documentElement.lang.startsWith("ja")));
  await page.selectOption("#width", "320");
  await page.selectOption("#theme", "dark");
  await until("the mail is 320 px wide and dark", async () => {
    const seen = await live.inMail(inspect);
    return seen?.width === 320 && seen.scheme === "dark";
  });
  const { faults } = await live.inMail(inspect);
  failOn("live, the mail in Japanese", faults);

  // The choices are in the URL, so a reload keeps them.
  await page.reload();
  await until("the reloaded mail is in Japanese, 320 px wide and dark", async () => {
    const seen = await live.inMail(inspect);
    return seen?.lang.startsWith("ja") && seen.width === 320 && seen.scheme === "dark";
  });
  for (const [name, value] of Object.entries({ locale: "ja", width: "320", theme: "dark" })) {
    check((await page.inputValue(`#${name}`)) === value, `the reloaded page has lost its ${name}`);
  }

  // Another order, and back.
  const orders = await page.locator("#order option").evaluateAll((options) => options.map(({ value }) => value));
  check(orders.length > 1, "there is only one order to choose from");
  await page.selectOption("#order", orders[1]);
  await until("the mail of the other order is shown", () => live.says(orders[1]));
  await page.selectOption("#order", orders[0]);
  await until("the mail of the first order is shown", () => live.says(orders[0]));
}

async function tabs({ page }) {
  await page.focus("[role=tab][data-tab=html]");
  const way = ["text", "source", "headers", "findings", "html"].map((name) => ["ArrowRight", name]);
  for (const [key, name] of [...way, ["ArrowLeft", "findings"], ["Home", "html"], ["End", "findings"], ["Home", "html"]]) {
    await page.keyboard.press(key);
    const selected = await page.locator("[role=tab][aria-selected=true]").evaluateAll((tabs) => tabs.map((tab) => tab.dataset.tab));
    check(selected.join() === name, `${key} selects ${selected.join()}, not ${name}`);
    const focused = await page.evaluate(() => document.activeElement.dataset.tab);
    check(focused === name, `${key} leaves the focus on ${focused}`);
    const seen = await page.locator("[role=tabpanel]:visible").evaluateAll((panels) => panels.map(({ id }) => id));
    check(seen.join() === `panel-${name}`, `the tab ${name} shows ${seen.join()}`);
    if (name !== "html") check((await page.innerText(`#panel-${name}`)).trim() !== "", `the panel of ${name} is empty`);
  }
  check((await page.innerText("[role=tab][data-tab=findings]")).match(/\(\d+\)/), "the findings tab has no count");
}

/** Changes the mail's title repeatedly, and measures how long the page takes to show it. */
async function edits(live) {
  const { page } = live;
  const texts = readFileSync(TEXTS, "utf8");
  // The `texts.yaml` beside the body has the texts of the default locale.
  await page.selectOption("#locale", "en");
  await until("the mail is in English", () => live.inMail(() => document.documentElement.lang.startsWith("en")));
  await live.inMail(() => document.scrollingElement.scrollTo(0, 90));
  const before = await page.evaluate(() => history.length);

  const took = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const words = `Thank you, for the ${round}. time`;
    const { text } = replaced(texts, /^title:/, () => `title: "${words}"`);
    took.push(await live.writes(TEXTS, text, words));
  }
  await until("the mail has its previous scroll position", () => live.inMail(() => document.scrollingElement.scrollTop === 90));
  check((await page.evaluate(() => history.length)) === before, "a change adds an entry to the history");
  check((await page.inputValue("#width")) === "320", "a change resets the width");

  const title = /^title: *"?(.*?)"?$/m.exec(texts)[1];
  await live.writes(TEXTS, texts, title);
  took.sort((a, b) => a - b);
  const median = (took[ROUNDS / 2 - 1] + took[ROUNDS / 2]) / 2;
  return { title, median, max: took.at(-1) };
}

async function mistakes(live, title) {
  const body = readFileSync(BODY, "utf8");
  const { text, line } = replaced(body, /\{\{t "greeting"\}\}/, (before) => `<mj-text>{{order.nope}}</mj-text>\n${before}`);
  const column = text.split("\n")[line - 1].indexOf("nope") + 1;
  await live.breaks(BODY, text, `body.mjml:${line}:${column}`, "nope");
  check(await live.says(title), "the last valid mail is gone while the template is invalid");
  await live.fixes(BODY, body);
  await until("the mail is back", () => live.says(title));

  const pipeline = readFileSync(PIPELINE, "utf8");
  const tab = replaced(pipeline, /^ {2}store:$/, () => "\tstore:");
  await live.breaks(PIPELINE, tab.text, `storefront.yaml:${tab.line}:`);
  check(await live.says(title), "the last valid mail is gone while the pipeline is invalid");
  // After a second error, the page shows the new one.
  await live.breaks(PIPELINE, `${pipeline}\nsurprise: 1\n`, "surprise");
  // The page can also be opened while the pipeline is invalid.
  await live.page.reload();
  await until("the reloaded page shows the error", async () => (await live.error.innerText()).includes("surprise"));
  await until("the reloaded page shows the last valid mail", () => live.says(title));
  await live.fixes(PIPELINE, pipeline);
  await until("the mail is back", () => live.says(title));
}

await main(nodes, async (browser) => {
  const files = [PIPELINE, BODY, TEXTS].map((path) => [path, readFileSync(path)]);
  try {
    // The page sets the scheme of the frame. An emulated scheme would override it.
    const { page, complaints } = await open(browser, { colorScheme: null, viewport: { width: 1000, height: 700 } });
    page.setDefaultTimeout(TIMEOUT_MS);
    const live = new Live(page);
    await page.goto(base);
    await until("a mail is shown", async () => (await live.version()) && (await page.innerText("#subject")) !== "");
    check(await live.inMail(() => document.body.innerText.length > 50), "the first mail has no words");

    await choices(live);
    await tabs(live);
    const { title, median, max } = await edits(live);
    await mistakes(live, title);
    failOn("live", complaints);
    check(max <= ALLOWED_MS, `a change was shown after ${Math.round(max)} ms, more than ${ALLOWED_MS} ms`);
    const fast = max <= WANTED_MS ? "within" : "beyond";
    return `live: ${ROUNDS} changes shown after ${Math.round(median)} ms in the median and ${Math.round(max)} ms at most (${fast} ${WANTED_MS} ms), errors shown with their positions and cleared, no console error`;
  } finally {
    for (const [path, bytes] of files) writeFileSync(path, bytes);
  }
});
