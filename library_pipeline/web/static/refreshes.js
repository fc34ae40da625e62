// Keeps the page of refreshes up to date. Without this script a reload does the same.
"use strict";

const place = document.querySelector("[data-events]");
const status = document.querySelector(".live-status");
const PARTS = ["#start", "#live", "#done", ".counts"]; // what a reload may change
let renewing = null;
let again = false;

function say(words) {
  if (status.textContent !== words) status.textContent = words;
}

// What moves many times a second is put in its place at once.
function show(card, state) {
  const put = (name, words) => {
    for (const each of card.querySelectorAll(`[data-show="${name}"]`)) {
      if (each.textContent !== words) each.textContent = words;
    }
  };
  for (const name of ["downloaded", "embedded", "stored"]) {
    const bar = card.querySelector(`[data-bar="${name}"]`);
    if (!bar) continue;
    bar.max = Math.max(state.planned, 1);
    bar.value = state[name];
    card.querySelector(`[data-count="${name}"]`).textContent = `${state[name]} of ${state.planned}`;
  }
  put("phase", state.phase ?? state.state);
  put("failed", String(state.failed));
  put("rate", state.components_per_second ? `${state.components_per_second.toFixed(1)} a second` : "");
  put("left", state.seconds_left === null ? "" : `about ${Math.round(Math.max(state.seconds_left, 0))} s left`);
}

// What else a card says is the server's to word: its parts of the page are fetched again.
async function renew() {
  if (renewing) {
    again = true;
    return;
  }
  renewing = fetch(location.href, { headers: { Accept: "text/html" } });
  try {
    const answer = await renewing;
    if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The stream says that the server is gone, and asks again once it is back.
  } finally {
    renewing = null;
    if (again) {
      again = false;
      renew();
    }
  }
}

function replace(page) {
  const focused = document.activeElement?.id;
  const open = new Map([...document.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
  for (const part of PARTS) {
    const old = document.querySelector(part);
    const fresh = page.querySelector(part);
    if (!old || !fresh || old.outerHTML === fresh.outerHTML) continue;
    // Somebody is about to choose something there.
    if (part === "#start" && old.querySelector("details[open]")) continue;
    old.replaceWith(fresh);
  }
  for (const [id, was] of open) {
    const now = document.getElementById(id);
    if (now) now.open = was;
  }
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
}

function differs(card, state) {
  return (
    card.dataset.state !== state.state ||
    card.dataset.waits !== (state.waits_for ?? "") ||
    Number(card.dataset.failed) !== state.failed ||
    Number(card.dataset.runs) !== state.runs.length
  );
}

function told(state) {
  const card = document.getElementById(`refresh-${state.refresh_id}`);
  const unfinished = ["waiting", "planning", "running"].includes(state.state);
  if (!card) {
    // An older page of the history has no place for it.
    if (document.querySelector("#start") && (unfinished || place.dataset.ready)) renew();
    return;
  }
  if (differs(card, state)) {
    if (card.dataset.state !== state.state) {
      say(`${state.kind} refresh ${state.refresh_id}: ${state.state}` + (state.failed ? `, ${state.failed} failed` : ""));
    }
    card.dataset.failed = state.failed;
    renew();
  }
  show(card, state);
}

function listen() {
  const stream = new EventSource(place.dataset.events);
  stream.addEventListener("refresh", ({ data }) => told(JSON.parse(data)));
  stream.addEventListener("connection", ({ data }) => {
    const { state, reason } = JSON.parse(data);
    place.classList.toggle("stale", state === "lost");
    say(state === "lost" ? reason : "The database answers again.");
  });
  stream.addEventListener("open", () => {
    if (place.classList.contains("stale")) {
      say("The server answers again.");
      renew();
    }
    place.classList.remove("stale");
    // What is told first is on the page already; what comes after that is new.
    setTimeout(() => (place.dataset.ready = "yes"), 1000);
  });
  stream.addEventListener("error", () => {
    place.classList.add("stale");
    say("The server does not answer; trying again …");
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5000); // it was refused
  });
}

if (place && status) listen();
