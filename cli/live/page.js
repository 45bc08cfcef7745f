// The page of the live e-mail preview. It shows one e-mail of a pipeline, and updates it when the server reports a change.
// The selection is in the URL, so that it survives a reload and can be bookmarked.

const DEFAULTS = { mail: "", locale: "", width: "full", theme: "light", tab: "html" };
// Images of an e-mail may load late or never. The text is there earlier.
const FRAME_WAITS_MS = 1000;
const RECONNECT_MS = 2000;

const by = (id) => document.getElementById(id);
const frame = by("frame");
const tabs = [...document.querySelectorAll("[role=tab]")];
const languages = new Intl.DisplayNames(["en"], { type: "language" });

/** An error response of the server. */
class Refused extends Error {}
/** No response. */
class Unreachable extends Error {}

const choices = { ...DEFAULTS };
for (const [name, value] of new URLSearchParams(location.search)) {
  if (name in DEFAULTS) choices[name] = value;
}
for (const name of ["width", "theme"]) {
  if (![...by(name).options].some((option) => option.value === choices[name])) choices[name] = DEFAULTS[name];
}
if (!tabs.some((tab) => tab.dataset.tab === choices.tab)) choices.tab = DEFAULTS.tab;

/** Changes choices. Defaults are left out of the URL. */
function choose(changes) {
  Object.assign(choices, changes);
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(choices)) if (value !== DEFAULTS[name]) query.set(name, value);
  history.replaceState(null, "", query.size > 0 ? `?${query}` : location.pathname);
}

// The last state from the server, and the e-mail and locale that the page shows.
let state = { mails: [], locales: [], unsent: [], error: null };
let shown = null;
// The scroll position of the e-mail. A hidden frame loses it, so it is kept here.
let scrolled = 0;

/** Returns the scrolling element of the frame, or null if the frame is hidden. */
function scroller() {
  return by("panel-html").hidden ? null : frame.contentDocument?.scrollingElement;
}

/** Returns the chosen e-mail, or the first one while the chosen e-mail does not exist. It stays chosen because it may come back. */
function chosen() {
  return state.mails.find((mail) => mail.id === choices.mail) ?? state.mails[0];
}

/** Creates an element with text. Text from the server never becomes markup of this page. */
function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}

/** Fills a select. Equal options are not replaced, because that would close an open list. */
function fill(select, options, value) {
  const asked = JSON.stringify(options);
  if (select.dataset.options !== asked) {
    select.dataset.options = asked;
    select.replaceChildren(...options.map(([value, text]) => element("option", text, { value })));
  }
  select.value = value;
}

function named(locale) {
  try {
    return `${languages.of(locale)} (${locale})`;
  } catch {
    return locale; // The name of a folder is not necessarily a language.
  }
}

function showChoices() {
  const mail = chosen();
  const orders = [...new Set(state.mails.map(({ order }) => order))];
  fill(by("order"), orders.map((order) => [order, order]), mail?.order ?? "");

  const steps = state.mails.filter(({ order }) => order === mail?.order);
  fill(by("step"), steps.map(({ id, step, template }) => [id, `${step} (${template})`]), mail?.id ?? "");
  by("step-choice").hidden = steps.length < 2;

  // A chosen locale that does not exist now is listed as well, so that the list shows the current choice.
  const locales = new Set([...state.locales, ...(choices.locale ? [choices.locale] : [])]);
  const reader = ["", "Reader’s locale"];
  fill(by("locale"), [reader, ...[...locales].map((locale) => [locale, named(locale)])], choices.locale);

  by("width").value = choices.width;
  by("theme").value = choices.theme;
  frame.style.width = choices.width === "full" ? "100%" : `${choices.width}px`;
  frame.style.colorScheme = choices.theme;
}

function showTab() {
  scrolled = scroller()?.scrollTop ?? scrolled;
  for (const tab of tabs) {
    const selected = tab.dataset.tab === choices.tab;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    by(`panel-${tab.dataset.tab}`).hidden = !selected;
  }
  const inner = scroller();
  if (inner) inner.scrollTop = scrolled;
}

/** Shows or hides a report. An equal report is not replaced, because screen readers would announce it again. */
function showError(summary, report) {
  const region = by("error");
  const asked = report === null ? "" : `${summary}\n${report}`;
  if (region.dataset.shown === asked) return;
  region.dataset.shown = asked;
  region.hidden = report === null;
  if (report === null) region.replaceChildren();
  else region.replaceChildren(element("strong", summary), element("pre", report, { tabindex: "0" }));
}

function showUnsent() {
  const { unsent } = state;
  by("unsent").hidden = unsent.length === 0;
  by("unsent").querySelector("summary").textContent = `Orders without an e-mail: ${unsent.length}`;
  by("unsent").querySelector("ul").replaceChildren(...unsent.map((line) => element("li", line)));
}

/** Shows the HTML of an e-mail at the previous scroll position, and returns when it is loaded. */
function showHtml(html) {
  // An unchanged e-mail is not reloaded, so that it does not flicker and keeps a text selection.
  if (frame.srcdoc === html) return Promise.resolve();
  scrolled = scroller()?.scrollTop ?? scrolled;
  return new Promise((done) => {
    const loaded = () => {
      const inner = scroller();
      if (inner) inner.scrollTop = scrolled;
      done();
    };
    frame.addEventListener("load", loaded, { once: true });
    setTimeout(done, FRAME_WAITS_MS);
    frame.srcdoc = html;
  });
}

function showSource(files) {
  const panel = by("panel-source");
  const asked = JSON.stringify(files);
  if (panel.dataset.shown === asked) return;
  panel.dataset.shown = asked;
  const blocks = files.flatMap(({ path, text }) => {
    const lines = text.replace(/\n$/, "");
    const numbers = lines.split("\n").map((_, index) => index + 1).join("\n");
    const file = element("div", "", { class: "file" });
    file.append(
      element("pre", numbers, { class: "numbers", "aria-hidden": "true" }),
      element("pre", lines, { class: "lines", tabindex: "0", "aria-label": path }),
    );
    return [element("h3", path), file];
  });
  panel.replaceChildren(...blocks);
}

function showFindings(findings) {
  by("tab-findings").textContent = `Findings (${findings.length})`;
  if (findings.length === 0) {
    by("panel-findings").replaceChildren(element("p", "No findings."));
    return;
  }
  const list = document.createElement("ul");
  for (const { severity, message, place } of findings) {
    const item = element("li", "");
    item.append(element("strong", severity), `: ${message}`, ...(place ? [element("code", place)] : []));
    list.append(item);
  }
  by("panel-findings").replaceChildren(list);
}

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

/** Shows an e-mail, or a message if it does not exist. */
async function showMail(key, mail) {
  // Another e-mail starts at the top. The same e-mail in another language keeps the scroll position.
  if (shown?.id !== key?.id) {
    scrolled = 0;
    const inner = scroller();
    if (inner) inner.scrollTop = 0;
  }
  shown = key;
  by("subject").textContent = mail?.subject ?? "No e-mail to show";
  by("facts").textContent = mail
    ? `${key.template} · HTML ${kilobytes(mail.bytes.html)} · text ${kilobytes(mail.bytes.text)} · complete e-mail ${kilobytes(mail.bytes.eml)}`
    : "";
  by("text").textContent = mail?.text ?? "";
  by("headers").textContent = mail?.headers ?? "";
  showSource(mail?.source ?? []);
  showFindings(mail?.findings ?? []);
  document.title = [mail?.subject, state.pipeline].filter(Boolean).join(" · ");
  await showHtml(mail?.html ?? "");
}

async function read(path) {
  const answer = await fetch(path, { cache: "no-store" }).catch((failure) => {
    throw new Unreachable(failure.message);
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(body.error ?? `the server responded with ${answer.status}`);
  return body;
}

async function renewOnce() {
  state = await read("/state");
  if (events.readyState === EventSource.OPEN) by("status").textContent = "";
  by("pipeline").textContent = state.pipeline;
  showChoices();
  showUnsent();
  const mail = chosen();
  const summary = mail
    ? "The pipeline has errors. The last valid e-mail is shown below."
    : "The pipeline has errors. Its e-mails appear here when the errors are fixed.";
  showError(summary, state.error);

  if (!mail) {
    await showMail(null, null);
  } else {
    const key = { ...mail, locale: choices.locale };
    const query = new URLSearchParams({ id: mail.id });
    if (choices.locale) query.set("locale", choices.locale);
    try {
      await showMail(key, await read(`/mail?${query}`));
    } catch (failure) {
      if (!(failure instanceof Refused)) throw failure;
      // Another e-mail must not be shown under the name of the requested one.
      if (shown?.id !== key.id || shown.locale !== key.locale) await showMail(key, null);
      showError("This e-mail cannot be shown.", [state.error, failure.message].filter(Boolean).join("\n\n"));
    }
  }
  document.documentElement.dataset.version = state.version;
}

// Only one update runs at a time, and another follows if anything changed in the meantime. The page never shows an older response
// after a newer one, and frequent changes do not prevent updates.
let renewing = false;
let again = false;
async function renew() {
  again = true;
  if (renewing) return;
  renewing = true;
  while (again) {
    again = false;
    try {
      await renewOnce();
    } catch (failure) {
      // A lost connection is shown on the page. Other errors are bugs of the page and go to the console.
      if (failure instanceof Unreachable || failure instanceof Refused) disconnected();
      else console.error(failure);
    }
  }
  renewing = false;
}

function disconnected() {
  by("status").textContent = "Connection lost. Retrying.";
}

let events;
function listen() {
  events = new EventSource("/events");
  // Fetches the changes that were missed while there was no connection.
  events.addEventListener("open", renew);
  events.addEventListener("message", ({ data }) => {
    if (data !== document.documentElement.dataset.version) renew();
  });
  events.addEventListener("error", () => {
    disconnected();
    // The browser reconnects automatically unless the response was not a stream.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, RECONNECT_MS);
  });
}

by("order").addEventListener("change", ({ target }) => {
  const step = chosen()?.step;
  const mails = state.mails.filter(({ order }) => order === target.value);
  choose({ mail: (mails.find((mail) => mail.step === step) ?? mails[0]).id });
  renew();
});
by("step").addEventListener("change", ({ target }) => {
  choose({ mail: target.value });
  renew();
});
by("locale").addEventListener("change", ({ target }) => {
  choose({ locale: target.value });
  renew();
});
for (const name of ["width", "theme"]) {
  by(name).addEventListener("change", ({ target }) => {
    choose({ [name]: target.value });
    showChoices();
  });
}

// After a link was followed, the frame is empty, because it cannot show other pages. This restores the e-mail.
frame.addEventListener("load", () => {
  if (frame.contentDocument?.URL !== "about:srcdoc") frame.srcdoc = frame.srcdoc;
});

for (const tab of tabs) {
  tab.addEventListener("click", () => {
    choose({ tab: tab.dataset.tab });
    showTab();
  });
  tab.addEventListener("keydown", (event) => {
    const position = tabs.indexOf(tab);
    const last = tabs.length - 1;
    const next = {
      ArrowRight: position === last ? 0 : position + 1,
      ArrowLeft: position === 0 ? last : position - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    tabs[next].focus();
    tabs[next].click();
  });
}

showChoices();
showTab();
listen();
renew();
