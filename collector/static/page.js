// Renews the live part of the page in place, so that scroll and selection stay.
// Without JavaScript the page reloads itself (a meta element inside noscript).
"use strict";

const seconds = Number(document.body.dataset.refreshSeconds) || 5;
const unreachable = document.getElementById("unreachable");

async function renew() {
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(seconds * 2000) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = fresh.getElementById("live");
    if (next === null) throw new Error("no live part");
    unreachable.hidden = true;
    document.body.classList.remove("stale");
    // A selection is someone copying a name or a time: let them finish.
    if (!getSelection().isCollapsed) return;
    document.title = fresh.title;
    const map = document.querySelector("details.map");
    if (map !== null && !map.open) next.querySelector("details.map")?.removeAttribute("open");
    document.getElementById("live").replaceWith(document.adoptNode(next));
    showButtons();
  } catch {
    // The old numbers must not pass for the present.
    unreachable.hidden = false;
    document.body.classList.add("stale");
  }
}

async function keepRenewing() {
  for (;;) {
    await new Promise((wake) => setTimeout(wake, seconds * 1000));
    if (!document.hidden) await renew();
  }
}

// Something changed: shown at once, and not only at the next renewal.
const events = new EventSource(document.body.dataset.events);
events.addEventListener("changed", () => {
  if (!document.hidden) renew();
});

// Without JavaScript a button could do nothing, so there is none.
function showButtons() {
  for (const button of document.querySelectorAll("button[data-copies]")) button.hidden = false;
}
showButtons();
document.addEventListener("click", async (click) => {
  const button = click.target.closest("button[data-copies]");
  if (button === null) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).innerText);
  button.textContent = button.dataset.done;
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) renew();
});
keepRenewing();
