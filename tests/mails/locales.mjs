// Compares amounts, numbers and plural forms with Node's Intl, which has the same CLDR, in every locale of locales.txt.
// Arguments: the program, a folder for files. What differs is in DIFFERENT, with its reason.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [program, folder] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const locales = readFileSync(join(here, "locales.txt"), "utf8").trim().split("\n");

/** The locales whose amounts differ, and those whose plural forms do, with the reason. */
const DIFFERENT = JSON.parse(readFileSync(join(here, "locales-different.json"), "utf8"));

const DIGITS = { EUR: 2, CHF: 2, USD: 2, JPY: 0, KWD: 3, BGN: 2, INR: 2, ZAR: 2 };
const AMOUNTS = ["1234567.5", "-1234.5", "1000", "0", "-0.01", "9999.999", "99999999999999.99"];
const COUNTS = ["0", "1", "2", "3", "4", "5", "6", "7", "10", "11", "12", "13", "19", "20", "21", "22", "25", "40", "50", "80", "90",
  "99", "100", "101", "102", "103", "111", "121", "200", "1000", "1001", "40000", "1000000", "2000000", "0.1", "0.5", "1.5", "2.3", "10.1"];

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
cpSync(join(here, "locales"), folder, { recursive: true });
for (const locale of locales) {
  mkdirSync(join(folder, "mail/m", locale), { recursive: true });
  writeFileSync(join(folder, "mail/m", locale, "texts.yaml"), "{}\n");
}
const amounts = Object.keys(DIGITS).flatMap((c) => AMOUNTS.map((a) => ({ a, c })));
const orders = locales.map((locale, at) => JSON.stringify({ key: `K-${at}`, locale, amounts, counts: COUNTS }));
writeFileSync(join(folder, "orders.ndjson"), orders.join("\n") + "\n");
const out = join(folder, "out");
execFileSync(program, ["render-email", "preview", join(folder, "p.yaml"), "--order", join(folder, "orders.ndjson"), "--out", out], {
  stdio: "ignore",
});

// Marks of direction go around Latin letters and values in text from the right.
const plain = (text) => text.replace(/[\u200e\u200f\u061c\u2066-\u2069]/g, "");
const files = new Map(readdirSync(out).filter((name) => name.endsWith(".txt")).map((name) => [name.split(".")[0], name]));
const differing = { amounts: new Set(), plurals: new Set() };
let compared = 0;
let wrong = 0;
const report = (message) => {
  wrong += 1;
  if (wrong <= 40) console.error(message);
};
locales.forEach((locale, at) => {
  const lines = readFileSync(join(out, files.get(`K-${at}`)), "utf8").split("\n");
  amounts.forEach(({ a, c }, position) => {
    const minimumFractionDigits = DIGITS[c];
    const format = new Intl.NumberFormat(locale, { style: "currency", currency: c, minimumFractionDigits, maximumFractionDigits: 20 });
    // A symbol with a space in it must not be divided.
    const [ours, theirs] = [plain(lines[position]), plain(format.format(a)).replace(/ /g, "\u00a0")];
    compared += 1;
    if (/ /.test(ours)) report(`${locale}: ${ours} has a space that may be divided`);
    if (ours === theirs) return;
    differing.amounts.add(locale);
    if (!(locale in DIFFERENT.amounts)) report(`${locale}: ${a} ${c} is ${ours}, and Node writes ${theirs}`);
  });
  const rules = new Intl.PluralRules(locale);
  const decimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 20 });
  // Where a language has no rules, every number is `other`; Node takes those of its own locale.
  const hasRules = Intl.PluralRules.supportedLocalesOf([locale]).length > 0;
  COUNTS.forEach((count, position) => {
    const [category, number] = plain(lines[amounts.length + position]).split(" ");
    const [selected, formatted] = [hasRules ? rules.select(Number(count)) : "other", plain(decimal.format(count))];
    compared += 2;
    if (number !== formatted) report(`${locale}: ${count} is ${number}, and Node writes ${formatted}`);
    if (category === selected) return;
    differing.plurals.add(locale);
    if (!(locale in DIFFERENT.plurals)) report(`${locale}: ${count} is ${category}, and Node has ${selected}`);
  });
});
for (const [kind, found] of Object.entries(differing)) {
  for (const locale of Object.keys(DIFFERENT[kind])) {
    if (!found.has(locale)) report(`the ${kind} of ${locale} do not differ any more: take it out of locales-different.json`);
  }
}
if (wrong > 0) {
  console.error(`${wrong} differ from Node ${process.version} with CLDR ${process.versions.cldr}`);
  process.exit(1);
}
const [amountsDiffer, pluralsDiffer] = [differing.amounts.size, differing.plurals.size];
console.log(`${compared} amounts, numbers and plural forms in ${locales.length} locales are those of CLDR ${process.versions.cldr}; amounts of ${amountsDiffer} locales and plural forms of ${pluralsDiffer} differ, with their reasons`);
