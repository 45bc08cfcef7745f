// Drives the page of the live mail preview as a person does who writes a mail.
//
// Usage: node live.mjs NODE_DIR BASE_URL FOLDER, where NODE_DIR holds node_modules/playwright-core, and the preview at
// BASE_URL shows FOLDER/pipelines/storefront.yaml. Files of FOLDER are changed, and put back. Ends with 1 if the page
// does not follow, is too slow, shows the wrong place of a mistake, loses a choice, or complains in the console.

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
const PATIENCE_MS = 10_000;

/** Asks again and again, much faster than a person could see, until the answer is yes. */
async function until(what, ask) {
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    if (await ask()) return;
    await pause(4);
  }
  throw new Error(`live: waited ${PATIENCE_MS / 1000} s in vain until ${what}`);
}

function check(holds, what) {
  if (!holds) throw new Error(`live: ${what}`);
}

/** Puts a text in the place of the one line that matches; returns the new text and the line's number. */
function replaced(text, pattern, line) {
  const lines = text.split("\n");
  const found = lines.flatMap((content, index) => (pattern.test(content) ? [index] : []));
  check(found.length === 1, `${pattern} is on ${found.length} lines instead of one`);
  lines[found[0]] = line(lines[found[0]]);
  return { text: lines.join("\n"), line: found[0] + 1 };
}

/** The page with what the test asks of it. */
class Live {
  constructor(page) {
    this.page = page;
    this.error = page.locator("#error");
  }

  /** Runs a function in the mail. The frame may be loading just then, and have no answer. */
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

  async mends(file, text) {
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

  // The choices are in the URL, and so a reload keeps them.
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
  check(orders.length > 1, "there is one order at most to choose from");
  await page.selectOption("#order", orders[1]);
  await until("the other order's mail is there", () => live.says(orders[1]));
  await page.selectOption("#order", orders[0]);
  await until("the first order's mail is there", () => live.says(orders[0]));
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
  check((await page.innerText("[role=tab][data-tab=findings]")).match(/\(\d+\)/), "the tab of findings has no number");
}

/** Changes the mail's title again and again, and measures how long the page takes to show it. */
async function edits(live) {
  const { page } = live;
  const texts = readFileSync(TEXTS, "utf8");
  // The words of `texts.yaml` beside the body are those of the mail's own locale.
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
  await until("the mail is scrolled as before", () => live.inMail(() => document.scrollingElement.scrollTop === 90));
  check((await page.evaluate(() => history.length)) === before, "each change leaves an entry in the history");
  check((await page.inputValue("#width")) === "320", "a change loses the width");

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
  check(await live.says(title), "the last good mail is gone while the template is broken");
  await live.mends(BODY, body);
  await until("the mail is back", () => live.says(title));

  const pipeline = readFileSync(PIPELINE, "utf8");
  const tab = replaced(pipeline, /^ {2}store:$/, () => "\tstore:");
  await live.breaks(PIPELINE, tab.text, `storefront.yaml:${tab.line}:`);
  check(await live.says(title), "the last good mail is gone while the pipeline is broken");
  // From one mistake to another, the page says the new one.
  await live.breaks(PIPELINE, `${pipeline}\nsurprise: 1\n`, "surprise");
  // The page can be opened while all is broken, too.
  await live.page.reload();
  await until("the reloaded page says the mistake", async () => (await live.error.innerText()).includes("surprise"));
  await until("the reloaded page shows the last good mail", () => live.says(title));
  await live.mends(PIPELINE, pipeline);
  await until("the mail is back", () => live.says(title));
}

await main(nodes, async (browser) => {
  const files = [PIPELINE, BODY, TEXTS].map((path) => [path, readFileSync(path)]);
  try {
    // The scheme is the page's to choose; an emulated one would win over the frame's.
    const { page, complaints } = await open(browser, { colorScheme: null, viewport: { width: 1000, height: 700 } });
    page.setDefaultTimeout(PATIENCE_MS);
    const live = new Live(page);
    await page.goto(base);
    await until("a mail is there", async () => (await live.version()) && (await page.innerText("#subject")) !== "");
    check(await live.inMail(() => document.body.innerText.length > 50), "the first mail has no words");

    await choices(live);
    await tabs(live);
    const { title, median, max } = await edits(live);
    await mistakes(live, title);
    failOn("live", complaints);
    check(max <= ALLOWED_MS, `a change took ${Math.round(max)} ms to be seen, more than ${ALLOWED_MS} ms`);
    const fast = max <= WANTED_MS ? "within" : "beyond";
    return `live: ${ROUNDS} changes seen after ${Math.round(median)} ms in the median and ${Math.round(max)} ms at most (${fast} ${WANTED_MS} ms), mistakes shown in place and mended, no console error`;
  } finally {
    for (const [path, bytes] of files) writeFileSync(path, bytes);
  }
});
