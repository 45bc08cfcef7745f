// Generates money.txt from the npm package cldr-numbers-full in the given folder.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const main = join(process.argv[2], "node_modules/cldr-numbers-full/main");

/** Locales for which ICU4X has another pattern or grouping than Node. */
const OTHERWISE = ["fa", "ml", "mr", "or", "sd", "sd-Arab"];

/** Locales for which ICU4X has another group separator in all numbers. */
const GROUPS = ["fr-CH"];

/** Returns the data of a locale that ICU4X does not use: patterns, separators of amounts, and groups of three digits. */
function own(locale) {
  const { numbers } = JSON.parse(readFileSync(join(main, locale, "numbers.json"), "utf8")).main[locale];
  const system = numbers.defaultNumberingSystem;
  const symbols = numbers[`symbols-numberSystem-${system}`];
  const [positive, negative] = numbers[`currencyFormats-numberSystem-${system}`].standard.split(";");
  // Without its own pattern, a negative amount has a leading minus sign.
  const pattern = (text) => text.replace(/[#0.,]+/, "#");
  const differs = negative && pattern(negative) !== `-${pattern(positive)}`;
  const own = ["Decimal", "Group"].some((name) => symbols[`currency${name}`] !== undefined);
  const separator = (name) => symbols[`currency${name}`] ?? symbols[name.toLowerCase()];
  const separators = own ? separator("Decimal") + separator("Group") : "";
  const otherwise = OTHERWISE.includes(locale);
  // Other numbers have groups of two digits after the first group.
  const threes = /#,##,##0/.test(numbers[`decimalFormats-numberSystem-${system}`].standard) && !/#,##,##0/.test(positive);
  return [otherwise ? pattern(positive) : "", differs ? pattern(negative) : "", separators, threes ? "3" : "", GROUPS.includes(locale) ? symbols.group : ""].join("\t");
}

const NOTHING = "\t\t\t\t";
const locales = readdirSync(main).sort();
const known = new Map(locales.map((locale) => [locale, own(locale)]));
/** Returns the data that a locale inherits from its parent. */
function above(locale) {
  const parts = locale.split("-");
  while (parts.pop() && parts.length > 0) {
    const parent = parts.join("-");
    if (known.has(parent)) return known.get(parent);
  }
  return NOTHING;
}
console.log("# Made by money.mjs; SOURCES.md says of what.");
for (const locale of locales) {
  if (known.get(locale) !== above(locale)) console.log(`${locale.toLowerCase()}\t${known.get(locale)}`);
}
