// Prints mjml-attributes.txt: which attributes each element of MJML takes, as MJML's own validator has it.
//
// Usage: npm install --prefix DIR mjml@4.18.0, then node mjml-attributes.mjs DIR > mjml-attributes.txt

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const directory = resolve(process.argv[2] ?? ".");
const load = createRequire(join(directory, "package.json"));
const { components } = load("mjml-preset-core");
const home = join(directory, "node_modules", "mjml");
const { version, license } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
const copyright = readFileSync(join(home, "LICENSE.md"), "utf8").match(/^Copyright .*$/m)[0];

// What has no component in the package, or none that names its attributes: read off its parser, its core and its head components.
const elements = {
  mjml: { dir: "string", lang: "string", owa: "string" },
  "mj-include": { "css-inline": "enum(inline)", path: "string", type: "enum(mjml,html,css)" },
  "mj-selector": { path: "string" },
  "mj-html-attribute": { name: "string" },
};
// Those that give attributes to others.
const any = ["mj-all", "mj-class"];

for (const component of components) {
  elements[component.componentName] = component.allowedAttributes ?? {};
}

/** One line: the element, then its attributes with their types, in the order of their names. */
function line(element) {
  const attributes = Object.entries(elements[element]).sort(([a], [b]) => (a < b ? -1 : 1));
  const fields = attributes.map(([name, type]) => `${name}:${type}`);
  if (fields.some((field) => /\s/.test(field))) throw new Error(`a type of ${element} has a space`);
  return [element, ...fields].join("\t");
}

const lines = [...Object.keys(elements).map(line), ...any.map((element) => `${element}\t*any*`)];
// Whole names are compared, so that `mj-accordion` comes before what begins with it.
lines.sort((a, b) => (a.split("\t")[0] < b.split("\t")[0] ? -1 : 1));

console.log(`# The attributes that each element of MJML takes, from the npm package mjml ${version}.
# Licence ${license}, ${copyright}; its text is in SOURCES.md.
# Made by mjml-attributes.mjs from what the package's components allow. Four elements that it has no component for are read off its
# code: mjml, mj-include, mj-selector and mj-html-attribute.
# A line: the element, then a tab and name:type for each attribute. Types are in the package's own notation.
# The line of \`*\` holds what every element takes; \`*any*\` stands for the attributes of every element, and \`name\` for mj-class.
*\tcss-class:string\tmj-class:string
${lines.join("\n")}`);
