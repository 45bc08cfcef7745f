// The script of the console. It updates elements with `data-live` and copies commands. Every page works without it.

const EVERY_MS = 2000;
const TOO_LONG_MS = 10000;
const COPIED_MS = 4000;

const told = document.getElementById("told");

function tell(text) {
  if (told.textContent !== text) told.textContent = text;
}

/** Makes a node equal to another one. Unchanged parts are kept, so that they keep the focus, the selection and their open state. */
function become(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  becomeWithin(old, fresh);
}

/** Returns the children of a node without white space between elements. */
function parts(node) {
  return [...node.childNodes].filter((child) => child.nodeType === Node.ELEMENT_NODE || child.data.trim() !== "");
}

function becomeWithin(old, fresh) {
  const there = parts(old);
  const wanted = parts(fresh);
  there.slice(wanted.length).forEach((child) => child.remove());
  wanted.forEach((child, at) => {
    if (at < there.length) become(there[at], child);
    else old.append(child);
  });
}

function keepLive(element) {
  let timer;
  let busy = false;
  let ended = false;

  async function renew() {
    busy = true;
    try {
      const answer = await fetch(element.dataset.live, {
        cache: "no-store",
        redirect: "manual",
        signal: AbortSignal.timeout(TOO_LONG_MS),
      });
      if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) {
        ended = true;
        tell("You are logged out. Reload the page to log in.");
      } else if (!answer.ok) {
        throw new Error(`the server responded with ${answer.status}`);
      } else {
        const { body } = new DOMParser().parseFromString(await answer.text(), "text/html");
        ended = body.querySelector("[data-done]") !== null;
        // Screen readers announce the final state, but not the numbers that change before.
        if (ended) element.setAttribute("aria-live", "polite");
        for (const part of body.querySelectorAll("[data-for]")) {
          const place = document.getElementById(part.dataset.for);
          if (place) becomeWithin(place, part);
          part.remove();
        }
        becomeWithin(element, body);
        tell("");
      }
    } catch {
      tell("Connection lost. Retrying.");
    }
    busy = false;
    plan(EVERY_MS);
  }

  function plan(wait) {
    clearTimeout(timer);
    if (!busy && !ended && !document.hidden) timer = setTimeout(renew, wait);
  }

  document.addEventListener("visibilitychange", () => plan(0));
  plan(EVERY_MS);
}

function letCopy(button) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      tell("Copied.");
    } catch {
      getSelection().selectAllChildren(source);
      tell("The command is selected. Copy it with the keyboard.");
    }
    setTimeout(tell, COPIED_MS, "");
  });
}

document.querySelectorAll("[data-live]").forEach(keepLive);
document.querySelectorAll("[data-copy]").forEach(letCopy);
