// Takes screenshots of mails at the widths of a phone, a reading pane and a window, in light and dark.
//
// Usage: node shots.mjs NODE_DIR OUT_DIR FILE.html..., where NODE_DIR holds node_modules/playwright-core. Writes
// NAME-WIDTH-SCHEME.png, and exits with 1 if a mail scrolls horizontally, cuts off words, or is hard to read.

import { mkdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Contrast, argumentsOf, failOn, inspect, main, open } from "./browser.mjs";

const WIDTHS = [320, 600, 1200];
const SCHEMES = ["light", "dark"];
const [folder, out, ...files] = argumentsOf("shots.mjs NODE_DIR OUT_DIR FILE.html...", 3);

await main(folder, async (browser) => {
  mkdirSync(out, { recursive: true });
  const faults = [];
  const contrast = new Contrast();
  const { page, complaints } = await open(browser);
  for (const file of files) {
    const name = basename(file, ".html");
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      for (const colorScheme of SCHEMES) {
        const shot = `${name}-${width}-${colorScheme}`;
        await page.emulateMedia({ colorScheme });
        await page.goto(pathToFileURL(resolve(file)).href);
        const seen = await page.evaluate(inspect);
        faults.push(...seen.faults.map((fault) => `${shot}: ${fault}`));
        contrast.add(seen, shot);
        await page.screenshot({ path: join(out, `${shot}.png`), fullPage: true });
      }
    }
  }
  for (const place of contrast.places) console.log(`  lowest in ${place}`);
  failOn("shots", [...complaints, ...faults]);
  const count = files.length * WIDTHS.length * SCHEMES.length;
  return `shots: ${count} screenshots of ${files.length} mails, no console error, nothing cut off, no horizontal scrolling, ${contrast}`;
});
