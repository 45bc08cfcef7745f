// Prints css-support.txt: the CSS that popular mail clients drop, from the data of caniemail.com.
//
// Usage: npm install --prefix DIR caniemail@2.0.2, then node css-support.mjs DIR > css-support.txt

import { readFileSync } from "node:fs";
import { join } from "node:path";

const home = join(process.argv[2] ?? ".", "node_modules", "caniemail");
const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
// Versions are listed from oldest to newest. JavaScript would move whole numbers to the front, so they get a prefix.
const text = readFileSync(join(home, "data", "caniemail.json"), "utf8").replace(/"(\d+)":/g, '"v$1":');
const { data, last_update_date: updated } = JSON.parse(text);
const features = new Map(data.filter(({ category }) => category === "css").map((feature) => [feature.slug, feature]));

// The clients that are considered, each with its family and its platforms.
const CLIENTS = [
  ["Gmail", "gmail", ["desktop-webmail", "ios", "android"]],
  ["Outlook (Windows)", "outlook", ["windows"]],
  ["Outlook.com", "outlook", ["outlook-com"]],
  ["Outlook (mobile)", "outlook", ["ios", "android"]],
  ["Outlook (macOS)", "outlook", ["macos"]],
  ["Apple Mail", "apple-mail", ["macos", "ios"]],
  ["Yahoo Mail", "yahoo", ["desktop-webmail", "ios", "android"]],
  ["Thunderbird", "thunderbird", ["macos", "windows"]],
];

// Features whose title is not a CSS name, with the names from their title, text or keywords.
const sides = (prefix, suffix = "") => [`${prefix}-start${suffix}`, `${prefix}-end${suffix}`];
const of = (prefix, list) => list.map((part) => `${prefix}-${part}`);
const axes = (name) => ["inline", "block"].map((axis) => name.replace("*", axis));
const parts = ["color", "style", "width"];
const animation = "delay direction duration fill-mode iteration-count name play-state timing-function".split(" ");
const NAMES = {
  "css-animation": ["animation", ...of("animation", animation)],
  "css-at-media-device-pixel-ratio": ["", "min-", "max-"].map((bound) => `@media (-webkit-${bound}device-pixel-ratio)`),
  "css-at-media-hover": ["@media (hover)", "@media (any-hover)"],
  "css-block-inline-size": axes("*-size"),
  "css-border-inline-block": axes("border-*"),
  "css-border-inline-block-individual": axes("border-*").flatMap((name) => [...of(name, parts), ...sides(name)]),
  "css-border-inline-block-longhand": axes("border-*").flatMap((name) => parts.flatMap((part) => sides(name, `-${part}`))),
  "css-border-radius-logical": ["start-start", "start-end", "end-start", "end-end"].map((corner) => `border-${corner}-radius`),
  "css-color-scheme": ["color-scheme"],
  "css-column-layout-properties": ["columns", ...of("column", ["fill", "rule", "span", "width"]), ...of("column-rule", parts)],
  "css-font": ["font"],
  "css-gap": ["gap", "column-gap", "row-gap"],
  "css-grid-template": ["", "-areas", "-columns", "-rows"].map((part) => `grid-template${part}`),
  "css-inset": ["inset", ...axes("inset-*").flatMap((name) => [name, ...sides(name)])],
  "css-intrinsic-size": ["*:fit-content", "*:min-content", "*:max-content"],
  "css-left-right-top-bottom": ["left", "right", "top", "bottom"],
  "css-margin": ["margin", ...of("margin", ["left", "right", "top", "bottom"])],
  "css-margin-block-start-end": sides("margin-block"),
  "css-margin-inline-block": axes("margin-*"),
  "css-margin-inline-start-end": sides("margin-inline"),
  "css-modern-color": ["lch()", "oklch()", "lab()", "oklab()"],
  "css-padding-block-start-end": sides("padding-block"),
  "css-padding-inline-block": axes("padding-*"),
  "css-padding-inline-start-end": sides("padding-inline"),
  "css-scroll-snap": ["scroll-snap-align", "scroll-snap-type"],
  "css-sytem-ui": ["system-ui", "ui-serif", "ui-sans-serif", "ui-rounded", "ui-monospace"].map((name) => `font-family:${name}`),
  "css-text-emphasis": ["text-emphasis", "text-emphasis-color", "text-emphasis-style"],
  "css-unit-calc": ["calc()"],
  "css-unit-initial": ["*:initial"],
  "css-variables": ["var()"],
};
// Parts that clients with partial support drop, with the numbers of the notes that say so.
const PARTIAL = [
  ["css-overflow", [4], ["overflow-block", "overflow-inline"]],
  ["css-position", [2], ["position:relative"]],
  ["css-position", [2, 3], ["position:absolute"]],
  ["css-position", [1, 3], ["position:sticky"]],
  ["css-position", [1, 2, 3], ["position:fixed"]],
  ["css-transition", [1], of("transition", ["delay", "duration", "property", "timing-function"])],
];
// Skipped features: comments, nesting, selectors, an HTML attribute, and a test that css-block-inline-size repeats.
const SKIPPED = /^css-(comments|inert-attribute|inline-size|nesting|pseudo-.*|selector-.*)$/;
// Notes for which "not supported" does not mean dropped: height becomes min-height, and touch screens have no cursor.
const KEPT = { "css-height": 1, "css-cursor": 3 };

/** Returns the CSS names of a feature: a property, `property:value`, `function()`, `@rule` or `1unit`. */
function names({ slug, title }) {
  const plain = title.trim().replace(/ (property|keyword)$/, "").replace(/: /, ":").replace(/^!/, "*:!").replace(/^(\S+) unit$/, "1$1");
  if (NAMES[slug]) return NAMES[slug];
  if (!/^(@[a-z-]+( \([a-z-]+\))?|[a-z-]+(\(\)|:[a-z-]+)?|\*:![a-z]+|1[a-z%]+)$/.test(plain)) throw new Error(`${slug} needs a name`);
  return [plain];
}

/** Returns the clients that drop the feature in the newest tested version of at least one platform. */
function droppers({ slug, stats }, notes = []) {
  const drops = (support) => {
    const [answer, ...numbers] = support.split(/\s+#?/);
    if (answer === "n") return !numbers.includes(String(KEPT[slug]));
    return answer === "a" && notes.some((note) => numbers.includes(String(note)));
  };
  const newest = (family, platform) => Object.values(stats[family]?.[platform] ?? {}).at(-1) ?? "u";
  return CLIENTS.filter(([, family, platforms]) => platforms.some((platform) => drops(newest(family, platform)))).map(([client]) => client);
}

const dropped = new Map();
function add(name, clients) {
  if (dropped.has(name)) throw new Error(`${name} is a duplicate`);
  dropped.set(name, clients);
}
for (const [slug, feature] of features) {
  if (!SKIPPED.test(slug)) for (const name of names(feature)) add(name, droppers(feature));
}
for (const [slug, notes, list] of PARTIAL) for (const name of list) add(name, droppers(features.get(slug), notes));

const lines = [...dropped].filter(([, clients]) => clients.length > 0).map(([name, clients]) => `${name}\t${clients.join(", ")}`);
lines.sort((a, b) => (a.split("\t")[0] < b.split("\t")[0] ? -1 : 1));
console.log(`# The CSS that popular mail clients drop: data of caniemail.com of ${updated.slice(0, 10)}, from the npm package caniemail ${version}.
# License: MIT, Copyright (c) 2019 Rémi Parmentier (the data), Copyright © Avi Goldman, Copyright © Andrew Powell (the package). The
# license text is in SOURCES.md.
# Generated by css-support.mjs. Each line has a name, a tab, and the clients that do not support it at all on at least one platform.
# Names are: property, property:value, *:value (of any property), function(), @rule, @media (feature), or 1unit for a number with a unit.`);
console.log(lines.join("\n"));
