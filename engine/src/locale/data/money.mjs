// Prints money.txt from the npm package cldr-numbers-full below the folder that is given.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const main = join(process.argv[2], "node_modules/cldr-numbers-full/main");

/** Locales whose pattern or groups of digits ICU4X has otherwise, seen by comparing with Node. */
const OTHERWISE = ["fa", "ml", "mr", "or", "sd", "sd-Arab"];

/** Locales whose groups ICU4X separates otherwise, in all numbers. */
const GROUPS = ["fr-CH"];

/** What a locale has that ICU4X does not use: its patterns, its separators in amounts, and that groups have three digits. */
function own(locale) {
  const { numbers } = JSON.parse(readFileSync(join(main, locale, "numbers.json"), "utf8")).main[locale];
  const system = numbers.defaultNumberingSystem;
  const symbols = numbers[`symbols-numberSystem-${system}`];
  const [positive, negative] = numbers[`currencyFormats-numberSystem-${system}`].standard.split(";");
  // What a negative amount would be without a pattern of its own.
  const pattern = (text) => text.replace(/[#0.,]+/, "#");
  const differs = negative && pattern(negative) !== `-${pattern(positive)}`;
  const own = ["Decimal", "Group"].some((name) => symbols[`currency${name}`] !== undefined);
  const separator = (name) => symbols[`currency${name}`] ?? symbols[name.toLowerCase()];
  const separators = own ? separator("Decimal") + separator("Group") : "";
  const otherwise = OTHERWISE.includes(locale);
  // Groups of other numbers have two digits from the second one on.
  const threes = /#,##,##0/.test(numbers[`decimalFormats-numberSystem-${system}`].standard) && !/#,##,##0/.test(positive);
  return [otherwise ? pattern(positive) : "", differs ? pattern(negative) : "", separators, threes ? "3" : "", GROUPS.includes(locale) ? symbols.group : ""].join("\t");
}

const NOTHING = "\t\t\t\t";
const locales = readdirSync(main).sort();
const known = new Map(locales.map((locale) => [locale, own(locale)]));
/** What a locale would get from the next one that it is looked up as. */
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
