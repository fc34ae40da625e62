// Asking without leaving the page: htmx swaps the answer, and a picture is kept and sent again with
// whatever else is asked. Without this script every form and link works by itself.
"use strict";

// Nothing here changes by degrees; and a style that is put back by attribute is against the policy.
htmx.config.attributesToSettle = [];

const form = document.querySelector("#ask");
const found = () => document.querySelector("#found");

function say(words, wrong = false) {
  const status = document.querySelector(".status");
  status.textContent = words;
  status.classList.toggle("wrong", wrong);
}

// Questions -------------------------------------------------------------------------------------

let picture = null; // the one that is asked about: a File
const pictures = []; // all of them, so that going back can ask again
let next = null; // how the request that is made now differs: { picture, keep, back }

// What a picture starts anew, where only filters stay; and what needs no word in an address.
const EXAMPLES = ["text", "like", "not_text", "not_like", "text_weight", "crop", "page"];
const USUAL = { k: "24", text_weight: "1", page: "1" };

function ask(url, how = {}) {
  next = how;
  htmx.ajax("GET", url, { source: found() });
}

function askPicture(file) {
  const most = Number(form.dataset.limit);
  if (file.size > most) {
    say(`${file.name} is larger than ${most / 2 ** 20} MB; scale it down and try again.`, true);
    return;
  }
  const asked = new URLSearchParams(location.pathname.match(/^\/(search)?$/) ? location.search : "");
  for (const name of EXAMPLES) asked.delete(name);
  form.reset();
  ask(`/?${asked}`, { picture: file });
}

document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.target.id !== "found") return;
  const how = next ?? { picture: detail.elt.hasAttribute("data-anew") ? null : picture };
  next = null;
  const [, query = ""] = detail.path.split("?");
  const asked = new URLSearchParams(query);
  for (const [name, value] of detail.elt === form ? new FormData(form) : []) {
    if (typeof value === "string" && value.trim() && USUAL[name] !== value) asked.append(name, value);
  }
  const address = asked.size ? `?${asked}` : "";
  detail.parameters = new FormData();
  detail.path = `/${address}`;
  if (how.picture) {
    detail.verb = "post";
    detail.path = `/search${address}`;
    detail.useUrlParams = false;
    detail.parameters.set("picture", how.picture, how.picture.name || "pasted picture");
  }
  detail.how = how;
  say(how.picture ? "Looking for components like it …" : "Looking …");
});

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.target.id !== "found") return;
  const whole = detail.serverResponse.includes('id="found"');
  detail.shouldSwap = whole; // a problem is an answer too
  detail.isError = !whole;
  if (!whole) say(`The server answers with an error (${detail.xhr.status}). Try again in a moment.`, true);
});
document.addEventListener("htmx:sendError", () => {
  say("The server does not answer. Try again in a moment.", true);
});

document.addEventListener("htmx:afterSwap", ({ target, detail }) => {
  const { how, path } = detail.requestConfig;
  if (!how || target.id !== "found") return;
  picture = how.picture ?? null;
  if (!how.back) {
    if (picture && !pictures.includes(picture)) pictures.push(picture);
    history.pushState({ picture: pictures.indexOf(picture) }, "", path);
  }
  arrive();
  const heading = document.querySelector("#answer");
  say(found().matches(".problem") ? "" : heading.textContent.replace(/\s+/g, " ").trim());
  if (document.activeElement === document.body || !document.activeElement) {
    heading.focus({ preventScroll: true });
    if (!how.back && found().getBoundingClientRect().top < 0) found().scrollIntoView();
  }
});

// A picture's answer has an address, but nobody else has the picture.
window.addEventListener("popstate", ({ state }) => {
  const { pathname, search } = location;
  if (pathname !== "/" && pathname !== "/search") return;
  ask(`/${search}`, { picture: pictures[state?.picture] ?? null, back: true });
});

// Pictures --------------------------------------------------------------------------------------

document.addEventListener("change", ({ target }) => {
  if (target.id === "picture" || target.id === "camera") {
    const [file] = target.files;
    target.value = "";
    if (file) askPicture(file);
  } else if (target.dataset.for) {
    const field = document.getElementById(target.dataset.for);
    field.value = Number(target.value) ? target.value : "";
    form.requestSubmit();
  } else if (target.dataset.edge) cropByEdges();
  else if (target.hasAttribute("data-now")) form.requestSubmit();
});
document.addEventListener("input", ({ target }) => {
  if (!target.dataset.for) return;
  document.getElementById(target.dataset.for).value = Number(target.value) ? target.value : "";
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
  if (!file) return;
  event.preventDefault();
  askPicture(file);
});

const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  document.body.classList.remove("dropping");
  const [file] = event.dataTransfer.files;
  if (file) askPicture(file);
});

// A part of the picture -------------------------------------------------------------------------

const WHOLE = [0, 0, 1, 1];
const LEAST = 0.02;

function showCrop([left, top, right, bottom]) {
  const cropper = document.querySelector(".cropper");
  let frame = cropper.querySelector(".frame");
  if (!frame) {
    frame = document.createElement("div");
    frame.className = "frame";
    cropper.append(frame);
  }
  const edges = [left, top, right, bottom];
  frame.hidden = String(edges) === String(WHOLE);
  frame.style.left = `${100 * left}%`;
  frame.style.top = `${100 * top}%`;
  frame.style.width = `${100 * (right - left)}%`;
  frame.style.height = `${100 * (bottom - top)}%`;
  for (const field of document.querySelectorAll("[data-edge]")) {
    field.value = Math.round(100 * edges[field.dataset.edge]);
  }
}

function cropTo(edges) {
  const whole = String(edges) === String(WHOLE);
  const field = document.querySelector('[name="crop"]');
  const words = whole ? "" : edges.map((each) => Number(each.toFixed(3))).join(",");
  if (field.value === words) return showCrop(edges);
  field.value = words;
  form.requestSubmit();
}

function cropByEdges() {
  const fields = [...document.querySelectorAll("[data-edge]")];
  const [left, top, right, bottom] = fields.map((each) => Math.min(100, Math.max(0, each.value)) / 100);
  if (right - left < LEAST || bottom - top < LEAST) {
    say("Left must be less than right, and top less than bottom.", true);
  } else cropTo([left, top, right, bottom]);
}

let corner = null; // where a drag over the picture began
function place(event) {
  const box = document.querySelector(".cropper").getBoundingClientRect();
  const share = (value) => Math.min(1, Math.max(0, value));
  return [share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)];
}
const between = ([x, y], [u, v]) => [Math.min(x, u), Math.min(y, v), Math.max(x, u), Math.max(y, v)];
document.addEventListener("pointerdown", (event) => {
  // Its corners are round, so that the frame around it is hit there.
  if (!event.target.matches("figure.query, .cropper, .cropper *") || event.button) return;
  corner = place(event);
  document.querySelector(".cropper").setPointerCapture(event.pointerId);
});
document.addEventListener("pointermove", (event) => {
  if (corner) showCrop(between(corner, place(event)));
});
document.addEventListener("pointerup", (event) => {
  if (!corner) return;
  const edges = between(corner, place(event));
  corner = null;
  const [left, top, right, bottom] = edges;
  cropTo(right - left < LEAST || bottom - top < LEAST ? WHOLE : edges); // a click takes it back
});
document.addEventListener("pointercancel", () => {
  corner = null;
  arrive();
});

// Comparing -------------------------------------------------------------------------------------

const MOST = 4;
const picked = new Map(JSON.parse(sessionStorage.getItem("compare") ?? "[]"));
const compare = document.querySelector("#compare");

function showPicked() {
  for (const box of document.querySelectorAll(".pick input")) {
    box.checked = picked.has(box.value);
    box.disabled = picked.size >= MOST && !box.checked;
  }
  compare.classList.toggle("some", picked.size > 0);
  compare.querySelector(".picked").textContent = `${picked.size} picked${picked.size === 1 ? "; pick one more" : ""}`;
  compare.querySelector("[type=submit]").disabled = picked.size < 2;
  sessionStorage.setItem("compare", JSON.stringify([...picked]));
}
document.addEventListener("change", ({ target }) => {
  if (!target.matches(".pick input")) return;
  if (target.checked) picked.set(target.value, target.dataset.name);
  else picked.delete(target.value);
  showPicked();
});
compare.addEventListener("submit", (event) => {
  event.preventDefault();
  location.assign(`/compare?${new URLSearchParams([...picked.keys()].map((id) => ["id", id]))}`);
});
compare.addEventListener("reset", (event) => {
  event.preventDefault();
  picked.clear();
  showPicked();
});

// Cards by arrow keys ---------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || !event.target.matches(".results .look")) return;
  const looks = [...document.querySelectorAll(".results .look")];
  looks[looks.indexOf(event.target) + step]?.focus();
});

// Every answer, the first one too ---------------------------------------------------------------

let filtersOpen = false;
let scrolled = 0; // how far down the panel
document.addEventListener("htmx:beforeSwap", () => {
  scrolled = document.querySelector(".panel")?.scrollTop ?? 0;
});
document.addEventListener("change", ({ target }) => {
  if (target.id === "narrowing") filtersOpen = target.checked;
});
function arrive() {
  const narrowing = document.querySelector("#narrowing");
  if (narrowing) {
    narrowing.checked = filtersOpen;
    narrowing.closest(".panel").scrollTop = scrolled;
  }
  if (found().dataset.text !== undefined) document.querySelector("#text").value = found().dataset.text;
  const cropper = document.querySelector(".cropper");
  if (cropper) showCrop(cropper.dataset.crop ? cropper.dataset.crop.split(",").map(Number) : WHOLE);
  showPicked();
}
arrive();
