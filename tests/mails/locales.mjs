// Compares amounts, numbers and plural forms with Node's Intl, which uses the same CLDR, in every locale of locales.txt.
// Arguments: the path of the program, a folder for files. DIFFERENT lists the expected differences with their reasons.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [program, folder] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const locales = readFileSync(join(here, "locales.txt"), "utf8").trim().split("\n");

/** The locales whose amounts differ, and those whose plural forms differ, with the reasons. */
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

// Right-to-left texts have direction marks around Latin letters and values.
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
    // A currency symbol with a space must not be broken across lines.
    const [ours, theirs] = [plain(lines[position]), plain(format.format(a)).replace(/ /g, "\u00a0")];
    compared += 1;
    if (/ /.test(ours)) report(`${locale}: ${ours} has a space that allows a line break`);
    if (ours === theirs) return;
    differing.amounts.add(locale);
    if (!(locale in DIFFERENT.amounts)) report(`${locale}: ${a} ${c} is ${ours}, but Node writes ${theirs}`);
  });
  const rules = new Intl.PluralRules(locale);
  const decimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 20 });
  // If a language has no plural rules, every number is `other`. Node would use the rules of its default locale.
  const hasRules = Intl.PluralRules.supportedLocalesOf([locale]).length > 0;
  COUNTS.forEach((count, position) => {
    const [category, number] = plain(lines[amounts.length + position]).split(" ");
    const [selected, formatted] = [hasRules ? rules.select(Number(count)) : "other", plain(decimal.format(count))];
    compared += 2;
    if (number !== formatted) report(`${locale}: ${count} is ${number}, but Node writes ${formatted}`);
    if (category === selected) return;
    differing.plurals.add(locale);
    if (!(locale in DIFFERENT.plurals)) report(`${locale}: ${count} is ${category}, but Node has ${selected}`);
  });
});
for (const [kind, found] of Object.entries(differing)) {
  for (const locale of Object.keys(DIFFERENT[kind])) {
    if (!found.has(locale)) report(`the ${kind} of ${locale} no longer differ: remove the locale from locales-different.json`);
  }
}
if (wrong > 0) {
  console.error(`${wrong} differ from Node ${process.version} with CLDR ${process.versions.cldr}`);
  process.exit(1);
}
const [amountsDiffer, pluralsDiffer] = [differing.amounts.size, differing.plurals.size];
console.log(`${compared} amounts, numbers and plural forms in ${locales.length} locales equal those of CLDR ${process.versions.cldr}; amounts of ${amountsDiffer} locales and plural forms of ${pluralsDiffer} differ as expected`);
