// Checks every mail of a matrix page as rendered by Chromium.
//
// Usage: node matrix.mjs NODE_DIR MATRIX_HTML, where NODE_DIR holds node_modules/playwright-core. Exits with 1 if a
// frame stays empty, is taller or shorter than its mail, has a different width or scheme than declared, scrolls
// horizontally, cuts off words, or is hard to read.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Contrast, argumentsOf, failOn, inspect, main, open } from "./browser.mjs";

const [folder, file] = argumentsOf("matrix.mjs NODE_DIR MATRIX_HTML", 2);
// A page of all mails is large, and test machines can be slow.
const PATIENCE_MS = 300_000;

await main(folder, async (browser) => {
  // Each frame sets its own scheme. An emulated scheme of the page would override all of them.
  const { page, complaints } = await open(browser, { colorScheme: null, viewport: { width: 1400, height: 900 } });
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(pathToFileURL(resolve(file)).href, { waitUntil: "domcontentloaded" });
  const filled = () => page.evaluate(() => [...document.querySelectorAll("iframe")].filter((frame) => frame.srcdoc).length);
  await page.waitForFunction(() => document.querySelector("iframe")?.srcdoc);
  const first = await filled();
  // Printing fills all frames. Otherwise, the frames outside the viewport stay empty.
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));

  const faults = [];
  const contrast = new Contrast();
  const frames = await page.$$("iframe");
  for (const handle of frames) {
    const asked = await handle.evaluate((frame) => ({
      title: frame.title,
      width: Number(frame.width),
      scheme: frame.style.colorScheme,
    }));
    const frame = await handle.contentFrame();
    await frame.waitForURL("about:srcdoc");
    const seen = await frame.evaluate(inspect);
    const [room, high] = await handle.evaluate((frame) => [frame.clientHeight, frame.contentDocument.documentElement.scrollHeight]);
    if (room < high || room > high + 2) faults.push(`${asked.title}: the frame is ${room} px high, but the mail is ${high} px high`);
    faults.push(...seen.faults.map((fault) => `${asked.title}: ${fault}`));
    for (const name of ["width", "scheme"]) {
      if (seen[name] !== asked[name]) faults.push(`${asked.title}: its ${name} is ${seen[name]}, not ${asked[name]}`);
    }
    contrast.add(seen, asked.title);
  }
  if (frames.length > 100 && first > frames.length / 4) faults.push(`${first} of ${frames.length} frames are filled before the first scrolling`);
  const lost = await page.evaluate(() => [...document.querySelectorAll("nav a")].filter(({ hash }) => !document.querySelector(hash)).length);
  const links = await page.locator("nav a").count();
  if (lost > 0 || links * 4 !== frames.length) faults.push(`the index has ${links} links for ${frames.length} frames, and ${lost} of them have no target`);
  if (frames.length === 0) faults.push("the page has no frame");
  for (const place of contrast.places) console.log(`  lowest in ${place}`);
  failOn("matrix", [...complaints, ...faults]);
  return `matrix: ${frames.length} frames, no console error, nothing cut off, no horizontal scrolling, ${contrast}`;
});
