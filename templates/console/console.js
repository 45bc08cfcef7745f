// The script of the console. It updates elements with `data-live` and copies commands. Every page works without it.

const INTERVAL_MS = 2000;
const TIMEOUT_MS = 10000;
const MESSAGE_MS = 4000;

const statusLine = document.getElementById("status");

function announce(text) {
  if (statusLine.textContent !== text) statusLine.textContent = text;
}

/** Makes a node equal to another one. Unchanged parts are kept, so that they keep the focus, the selection and their open state. */
function morph(node, target) {
  if (node.nodeName !== target.nodeName) return node.replaceWith(target);
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.data !== target.data) node.data = target.data;
    return;
  }
  for (const { name } of [...node.attributes]) {
    if (name !== "open" && !target.hasAttribute(name)) node.removeAttribute(name);
  }
  for (const { name, value } of target.attributes) {
    if (name !== "open" && node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  morphChildren(node, target);
}

/** Returns the children of a node without white space between elements. */
function significantChildren(node) {
  return [...node.childNodes].filter((child) => child.nodeType === Node.ELEMENT_NODE || child.data.trim() !== "");
}

function morphChildren(node, target) {
  const current = significantChildren(node);
  const wanted = significantChildren(target);
  current.slice(wanted.length).forEach((child) => child.remove());
  wanted.forEach((child, at) => {
    if (at < current.length) morph(current[at], child);
    else node.append(child);
  });
}

function startLiveUpdates(element) {
  let timer;
  let busy = false;
  let ended = false;

  async function update() {
    busy = true;
    try {
      const response = await fetch(element.dataset.live, {
        cache: "no-store",
        redirect: "manual",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.type === "opaqueredirect" || response.status === 401 || response.status === 403) {
        ended = true;
        announce("You are logged out. Reload the page to log in.");
      } else if (!response.ok) {
        throw new Error(`the server responded with ${response.status}`);
      } else {
        const { body } = new DOMParser().parseFromString(await response.text(), "text/html");
        ended = body.querySelector("[data-done]") !== null;
        // Screen readers announce the final state, but not the numbers that change before it.
        if (ended) element.setAttribute("aria-live", "polite");
        for (const part of body.querySelectorAll("[data-for]")) {
          const place = document.getElementById(part.dataset.for);
          if (place) morphChildren(place, part);
          part.remove();
        }
        morphChildren(element, body);
        announce("");
      }
    } catch {
      announce("Connection lost. Retrying.");
    }
    busy = false;
    schedule(INTERVAL_MS);
  }

  function schedule(wait) {
    clearTimeout(timer);
    if (!busy && !ended && !document.hidden) timer = setTimeout(update, wait);
  }

  document.addEventListener("visibilitychange", () => schedule(0));
  schedule(INTERVAL_MS);
}

function enableCopy(button) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      announce("Copied.");
    } catch {
      getSelection().selectAllChildren(source);
      announce("The command is selected. Copy it with the keyboard.");
    }
    setTimeout(announce, MESSAGE_MS, "");
  });
}

document.querySelectorAll("[data-live]").forEach(startLiveUpdates);
document.querySelectorAll("[data-copy]").forEach(enableCopy);
