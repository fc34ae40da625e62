// The page of the map: fetches the points, listens to pointer and keys, keeps legend and list true.
import { Chart, OTHERS, PALETTE } from "/static/atlas-map.js";

const LISTED = 60;
const KEPT = 600; // thumbnails
const AT_ONCE = 8;
const $ = (selector) => document.querySelector(selector);
const canvas = $("#map");
const tip = $(".tip");
const say = (words, wrong = false) => {
  $(".charts .status").textContent = words;
  $(".charts .status").classList.toggle("wrong", wrong);
};
const componentUrl = (id) =>
  id === "." || id === ".." ? `/components/?id=${encodeURIComponent(id)}` : `/components/${encodeURIComponent(id)}`;

// Thumbnails are loaded as they come into view, a few at a time; the longest unseen are let go.
function thumbnails(shots, loaded) {
  const known = new Map();
  const waiting = [];
  let loading = 0;
  function next() {
    while (loading < AT_ONCE && waiting.length) {
      const shot = waiting.pop(); // the last one asked for is in view for sure
      const picture = new Image();
      loading++;
      const done = (good) => {
        loading--;
        known.set(shot, good ? picture : null);
        next();
        loaded();
      };
      picture.onload = () => done(true);
      picture.onerror = () => done(false);
      picture.src = `/thumbnails/${shot}`;
    }
  }
  return (place) => {
    const shot = shots[place];
    const picture = known.get(shot);
    if (picture === undefined) {
      known.set(shot, null);
      waiting.push(shot);
      if (waiting.length > KEPT) known.delete(waiting.shift());
      next();
    } else {
      known.delete(shot); // to the end: seen last
      known.set(shot, picture);
    }
    if (known.size > KEPT) known.delete(known.keys().next().value);
    return picture ?? null;
  };
}

function later(wait, work) {
  let timer = 0;
  return () => { clearTimeout(timer); timer = setTimeout(work, wait); };
}

function start(data) {
  const count = data.ids.length;
  const points = { count, x: Float32Array.from(data.x, (x) => x / 65535), y: Float32Array.from(data.y, (y) => y / 65535) };
  const chart = new Chart(canvas, points, thumbnails(data.shots, () => chart.ask()));
  const named = (at) => data.names[at] || data.ids[at];
  const facts = (at) => [data.clients[data.client[at]], data.categories[data.category[at]]].filter(Boolean).join(" · ");
  const places = new Map(data.ids.map((id, at) => [id, at]));
  const hidden = { category: new Set(), client: new Set() };

  function colour(by) {
    const code = data[by];
    const names = by === "client" ? data.clients : data.categories;
    const off = hidden[by];
    const counts = new Array(PALETTE.length + 1).fill(0);
    for (let i = 0; i < count; i++) {
      const ink = Math.min(code[i], PALETTE.length);
      chart.ink[i] = ink;
      chart.shown[i] = off.has(ink) ? 0 : 1;
      counts[ink]++;
    }
    const items = counts.map((number, ink) => {
      if (!number) return null;
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.ink = ink;
      button.setAttribute("aria-pressed", String(!off.has(ink)));
      const dot = document.createElement("i");
      dot.style.background = ink < PALETTE.length ? PALETTE[ink] : OTHERS;
      const name = document.createElement("bdi");
      name.textContent = ink < PALETTE.length ? names[ink] || "(none)" : `${names.length - PALETTE.length} others`;
      const much = document.createElement("small");
      much.textContent = number.toLocaleString("en");
      button.append(dot, name, much);
      button.addEventListener("click", () => {
        off.has(ink) ? off.delete(ink) : off.add(ink);
        colour(by);
        $(`.legend [data-ink="${ink}"]`)?.focus();
      });
      item.append(button);
      return item;
    });
    $(".legend").replaceChildren(...items.filter(Boolean));
    chart.ask();
  }

  // The card of one component, beside it.
  function card(at, byMouse) {
    chart.lit = at;
    chart.ask();
    canvas.classList.toggle("over", at >= 0);
    tip.hidden = at < 0;
    if (at < 0) return;
    tip.href = componentUrl(data.ids[at]);
    tip.classList.toggle("by-mouse", byMouse);
    tip.querySelector("img").src = `/thumbnails/${data.shots[at]}`;
    tip.querySelector("b").textContent = named(at);
    tip.querySelector("span").textContent = facts(at);
    const [x, y] = chart.where(at);
    const [wide, high] = [tip.offsetWidth, tip.offsetHeight];
    const left = x + 18 + wide < canvas.clientWidth ? x + 18 : x - 18 - wide;
    tip.style.left = `${Math.max(4, Math.min(canvas.clientWidth - wide - 4, left))}px`;
    tip.style.top = `${Math.max(4, Math.min(canvas.clientHeight - high - 4, y - high / 2))}px`;
  }

  const list = later(180, () => {
    $(".visible").dataset.view = canvas.dataset.view;
    const { total, places: near } = chart.nearest(LISTED);
    const rows = near.map((at) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = componentUrl(data.ids[at]);
      link.dataset.at = at;
      const picture = new Image(96, 66);
      picture.loading = "lazy";
      picture.alt = "";
      picture.src = `/thumbnails/${data.shots[at]}`;
      const words = document.createElement("span");
      const name = document.createElement("b");
      name.textContent = named(at);
      const more = document.createElement("span");
      more.className = "facts";
      more.textContent = facts(at);
      words.append(name, more);
      link.append(picture, words);
      item.append(link);
      return item;
    });
    if (!$(".visible").contains(document.activeElement)) $(".visible").replaceChildren(...rows);
    const small = document.createElement("small");
    small.textContent = `${total.toLocaleString("en")}${total > near.length ? `, the ${near.length} nearest to the middle` : ""}`;
    $("#in-view").replaceChildren("In view ", small);
  });
  chart.onDrawn = () => {
    const now = [chart.left, chart.top, chart.scale, chart.width, chart.marked?.size ?? "-", ...hidden.client, "/", ...hidden.category].join();
    if (now !== canvas.dataset.view) list();
    canvas.dataset.view = now;
  };

  // Pointers: one moves the map, two pinch it, one that stays where it was chooses.
  const held = new Map();
  let moved = 0;
  const here = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, here(event));
    if (held.size === 1) moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = here(event);
    const before = held.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") card(chart.at(...now), true);
      return;
    }
    if (held.size === 1) {
      chart.pan(now[0] - before[0], now[1] - before[1]);
    } else {
      const [, other] = [...held].find(([id]) => id !== event.pointerId);
      const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
      const middle = (one) => [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
      const [from, to] = [middle(before), middle(now)];
      chart.pan(to[0] - from[0], to[1] - from[1]);
      chart.zoomBy(apart(now) / Math.max(1, apart(before)), ...to);
    }
    moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
    if (moved > 6) { card(-1, true); canvas.classList.add("moving"); }
    held.set(event.pointerId, now);
  });
  const release = (event) => {
    const was = held.delete(event.pointerId);
    canvas.classList.remove("moving");
    if (!was || held.size || moved > 6 || event.type === "pointercancel") return;
    const touch = event.pointerType !== "mouse";
    const at = chart.at(...here(event), touch ? 24 : 12);
    if (at >= 0 && !touch) location.href = componentUrl(data.ids[at]);
    else card(at, false);
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { if (!held.size && tip.classList.contains("by-mouse")) card(-1, true); });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    card(-1, true);
    chart.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), ...here(event));
  }, { passive: false });

  const moves = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] };
  const does = { in: () => chart.zoomBy(1.5), out: () => chart.zoomBy(1 / 1.5), fit: () => chart.fit() };
  const keys = { "+": "in", "=": "in", "-": "out", _: "out", 0: "fit" };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key]) chart.pan(...moves[event.key]);
    else if (keys[event.key]) does[keys[event.key]]();
    else if (event.key === "Escape") card(-1, true);
    else return;
    event.preventDefault();
  });
  for (const button of document.querySelectorAll(".zoom button")) button.addEventListener("click", () => does[button.dataset.do]());

  // Walking the list lights up what it is about on the map.
  const light = ({ target }) => {
    const at = target.closest?.("[data-at]")?.dataset.at;
    if (at !== undefined) { chart.lit = Number(at); chart.ask(); }
  };
  $(".visible").addEventListener("focusin", light);
  $(".visible").addEventListener("mouseover", light);
  $(".visible").addEventListener("focusout", (event) => { if (!$(".visible").contains(event.relatedTarget)) { chart.lit = -1; list(); chart.ask(); } });

  $(".colours").addEventListener("change", (event) => {
    if (event.target.name === "encoder") { event.currentTarget.submit(); return; }
    colour(event.target.value);
    const address = new URL(location);
    address.searchParams.set("colour", event.target.value);
    history.replaceState(null, "", address);
  });
  $(".seek").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = $("#seek").value.trim();
    chart.marked = null;
    chart.ask();
    if (!text) { say(""); return; }
    say("Looking …");
    try {
      const answer = await fetch(`/api/search?${new URLSearchParams({ text, k: 24 })}`);
      const found = await answer.json();
      if (!answer.ok) { say(found.error, true); return; }
      const marks = found.map((each) => places.get(each.component_id)).filter((at) => at !== undefined);
      chart.marked = marks.length ? new Set(marks) : null;
      canvas.dataset.marked = marks.length;
      say(marks.length ? `The ${marks.length} components that fit “${text}” best are marked.` : `Nothing on the map fits “${text}”.`);
      chart.ask();
    } catch {
      say("The server does not answer. Try again in a moment.", true);
    }
  });
  new ResizeObserver(() => { const zoom = chart.zoom; chart.resize(); if (zoom < 1.01) chart.fit(); }).observe(canvas);
  colour($("select[name=colour]").value);
  canvas.dataset.ready = count;
}

async function begin() {
  let data;
  try {
    const answer = await fetch($(".charts").dataset.points);
    if (!answer.ok) throw new Error(answer.status);
    data = await answer.json();
  } catch {
    say("The map cannot be had just now; reload the page in a moment. The list below works.", true);
    return;
  }
  start(data);
}

if (canvas) begin();
