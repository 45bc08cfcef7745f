// Shared code of the browser tests: starts Chromium, collects its errors, and checks how a mail is rendered.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

/** Returns the command line's arguments. With fewer than `least`, prints the usage and exits. */
export function argumentsOf(usage, least) {
  const given = process.argv.slice(2);
  if (given.length < least) {
    console.error(`usage: node ${usage}`);
    process.exit(2);
  }
  return given;
}

/** Starts Chromium with `playwright-core` from `folder/node_modules`. */
export async function launch(folder) {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) {
    throw new Error(`${executablePath} does not exist; set CHROMIUM to the path of Chromium`);
  }
  // The tests are not a package, so resolve the dependency where it was installed.
  const { chromium } = createRequire(join(resolve(folder), "x.js"))("playwright-core");
  return chromium.launch({ executablePath, headless: true, args: ["--no-sandbox"] });
}

/** Opens a page and collects the errors that the browser reports. */
export async function open(browser, settings) {
  const page = await browser.newPage(settings);
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`page: ${error.message}`));
  return { page, complaints };
}

/** Runs a test and closes the browser. A failure prints a message and sets the exit code to 1. */
export async function main(folder, test) {
  let browser;
  try {
    browser = await launch(folder);
    console.log(await test(browser));
  } catch (failure) {
    console.error(`error: ${failure.message}`);
    process.exitCode = 1;
  } finally {
    await browser?.close();
  }
}

/** Fails with all faults, or with the first 30 if there are more. */
export function failOn(name, faults) {
  if (faults.length === 0) return;
  const more = faults.length > 30 ? [`... and ${faults.length - 30} more`] : [];
  throw new Error([`${name}: ${faults.length} faults`, ...faults.slice(0, 30), ...more].join("\n  "));
}

/** The lowest contrast of each color scheme over many mails. */
export class Contrast {
  #least = { light: undefined, dark: undefined };

  add({ scheme, least }, where) {
    const known = this.#least[scheme];
    if (least && (known === undefined || least.ratio < known.ratio)) this.#least[scheme] = { ...least, where };
  }

  /** For example `contrast at least 5.52 in light and 8.21 in dark`. */
  toString() {
    const shown = (scheme) => this.#least[scheme]?.ratio.toFixed(2) ?? "unknown";
    return `contrast at least ${shown("light")} in light and ${shown("dark")} in dark`;
  }

  /** The places with the lowest contrasts. */
  get places() {
    return Object.entries(this.#least)
      .filter(([, least]) => least)
      .map(([scheme, { ratio, where, place, ink, ground }]) =>
        `${scheme}: ${ratio.toFixed(2)}, ${ink} on ${ground}, ${where}: ${place}`);
  }
}

/**
 * Checks the mail in a frame. The function runs in the frame, so it must not use anything from outside.
 *
 * Returns the color scheme of the frame, its width, its language, the faults, and the lowest contrast.
 */
export function inspect() {
  const faults = [];
  const root = document.documentElement;

  const describe = (element) => {
    const names = [];
    for (let at = element; at && at !== document.body && names.length < 6; at = at.parentElement) {
      const position = at.parentElement ? [...at.parentElement.children].indexOf(at) + 1 : 1;
      names.unshift(`${at.localName}${[...at.classList].map((name) => `.${name}`).join("")}:nth-child(${position})`);
    }
    return names.join(" > ") || element.localName;
  };

  const parsed = (colour) => {
    const numbers = /^rgba?\(([^)]+)\)$/.exec(colour)?.[1].split(/[ ,/]+/).map(Number);
    if (!numbers || numbers.some(Number.isNaN)) return undefined;
    const [red, green, blue, alpha = 1] = numbers;
    return { rgb: [red, green, blue], alpha };
  };
  const over = (top, alpha, below) => top.map((value, index) => value * alpha + below[index] * (1 - alpha));
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const hex = (rgb) => `#${rgb.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;

  // The bottom layer is the browser's canvas, whose color depends on the scheme.
  const probe = document.createElement("span");
  probe.style.backgroundColor = "Canvas";
  document.body.append(probe);
  const canvas = parsed(getComputedStyle(probe).backgroundColor).rgb;
  probe.remove();

  /** The background color of an element's text after blending all layers, or undefined if a layer is an image. */
  const groundOf = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return undefined;
      const layer = parsed(style.backgroundColor);
      if (!layer) return undefined;
      layers.push(layer);
      if (layer.alpha === 1) break;
    }
    return layers.reduceRight((below, { rgb, alpha }) => over(rgb, alpha, below), canvas);
  };
  const opacityOf = (element) => {
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    return opacity;
  };
  // Text only for screen readers or for the mail list is not displayed, or is one pixel large.
  const isSeen = (element) => {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      const { width, height } = at.getBoundingClientRect();
      if (getComputedStyle(at).overflow !== "visible" && (width <= 1 || height <= 1)) return false;
    }
    return true;
  };

  if (root.scrollWidth > root.clientWidth) {
    // The innermost element that is too wide is nearest to the cause.
    const wide = [...document.body.querySelectorAll("*")].filter((element) => {
      const { left, right } = element.getBoundingClientRect();
      return right > root.clientWidth + 0.5 || left < -0.5;
    });
    const place = wide.length > 0 ? describe(wide.at(-1)) : "body";
    faults.push(`scrolls horizontally, ${root.scrollWidth} px of mail in ${root.clientWidth} px: ${place}`);
  }

  for (const element of root.querySelectorAll("*")) {
    const { display, overflowX, overflowY } = getComputedStyle(element);
    if (display === "inline" || !isSeen(element)) continue;
    const cuts = (overflow) => overflow === "hidden" || overflow === "clip";
    if (cuts(overflowX) && element.scrollWidth > element.clientWidth + 1) {
      faults.push(`cut off at the side, ${element.scrollWidth} px in ${element.clientWidth} px: ${describe(element)}`);
    }
    if (cuts(overflowY) && element.scrollHeight > element.clientHeight + 1) {
      faults.push(`cut off at the bottom, ${element.scrollHeight} px in ${element.clientHeight} px: ${describe(element)}`);
    }
  }

  /** Counts the lines of a text's boxes. Where the text direction changes, one line has several boxes. */
  const linesOf = (boxes) => {
    let lines = 0;
    let middle = -Infinity;
    for (const { top, bottom } of [...boxes].sort((a, b) => a.top - b.top)) {
      if (top < middle) continue;
      lines += 1;
      middle = (top + bottom) / 2;
    }
    return lines;
  };

  let least;
  let words = 0;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    const element = text.parentElement;
    if (text.data.trim() === "" || !isSeen(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const boxes = [...range.getClientRects()].filter(({ width, height }) => width > 0 && height > 0);
    if (boxes.length === 0) continue;
    words += 1;

    // Text beyond the side where lines begin cannot be reached by scrolling.
    for (const { left, right } of boxes) {
      if (left + scrollX < -1 || right + scrollX > root.clientWidth + 1) {
        faults.push(`is outside the window, ${Math.round(left)} to ${Math.round(right)} px: ${describe(element)}`);
        break;
      }
    }

    // A column without enough space breaks its words between letters. Long words may break, but not every few letters.
    const letters = text.data.trim().length;
    const lines = linesOf(boxes);
    if (lines >= 4 && letters / lines < 3) {
      faults.push(`is squeezed, ${letters} letters on ${lines} lines: ${describe(element)}`);
    }

    const style = getComputedStyle(element);
    const ground = groundOf(element);
    const ink = parsed(style.color);
    if (!ground || !ink) {
      faults.push(`has an unknown contrast: ${describe(element)}`);
      continue;
    }
    const seen = over(ink.rgb, ink.alpha * opacityOf(element), ground);
    const ratio = contrast(seen, ground);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const place = describe(element);
    if (ratio < (large ? 3 : 4.5)) {
      faults.push(`has a contrast of ${ratio.toFixed(2)}, ${hex(seen)} on ${hex(ground)}: ${place}`);
    }
    if (!least || ratio < least.ratio) least = { ratio, ink: hex(seen), ground: hex(ground), place };
  }
  if (words === 0) faults.push("has no words");

  const scheme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  return { scheme, width: innerWidth, lang: root.lang, faults, least };
}
