// Prints mjml-children.txt: which elements of MJML stand in which, as MJML's own validator has it.
//
// Usage: npm install --prefix DIR mjml@4.18.0, then node mjml-children.mjs DIR > mjml-children.txt

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const directory = resolve(process.argv[2] ?? ".");
const load = createRequire(join(directory, "package.json"));
const { dependencies } = load("mjml-preset-core");
const home = join(directory, "node_modules", "mjml");
const { version, license } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
const copyright = readFileSync(join(home, "LICENSE.md"), "utf8").match(/^Copyright .*$/m)[0];

console.log(`# The elements that stand in each element of MJML, from the npm package mjml ${version}.`);
console.log(`# Licence ${license}, ${copyright}; its text is in SOURCES.md.`);
console.log("# Made by mjml-children.mjs from what the package's validator allows. mj-attributes is left out, since it takes any element.");
console.log("# A line: the element, then a tab and a name for each element that stands in it.");
for (const parent of Object.keys(dependencies).sort()) {
  const children = dependencies[parent].filter((child) => typeof child === "string").sort();
  if (children.length > 0) console.log([parent, ...children].join("\t"));
}
