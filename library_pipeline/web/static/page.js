// Dropping, pasting and choosing pictures. Without this script every form still works by itself.
"use strict";

let picture = null; // the last one, so that another client can be asked about it

function say(words, wrong = false) {
  const status = document.querySelector(".status");
  if (!status) return;
  status.textContent = words;
  status.classList.toggle("wrong", wrong);
}

async function ask(file) {
  const form = document.querySelector(".drop");
  if (!form) return;
  if (file.size > Number(form.dataset.limit)) {
    say(`${file.name} is larger than ${form.dataset.limit / 2 ** 20} MB; scale it down and try again.`, true);
    return;
  }
  const body = new FormData(form);
  body.set("picture", file, file.name || "pasted picture");
  body.set("client", document.querySelector("#client")?.value ?? "");
  document.body.classList.add("busy");
  say("Looking for components like it …");
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(page.querySelector("main"));
    document.title = page.title;
    if (location.pathname !== "/search") history.pushState(null, "", "/search");
    picture = answer.ok ? file : null;
    window.scrollTo(0, 0);
    document.querySelector("#answer")?.focus();
  } catch {
    say("The server does not answer. Try again in a moment.", true);
  } finally {
    document.body.classList.remove("busy");
  }
}

document.addEventListener("change", ({ target }) => {
  if (target.id === "picture" && target.files.length) ask(target.files[0]);
  if (target.id === "client") picture ? ask(picture) : target.form.requestSubmit();
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
  if (!file) return;
  event.preventDefault();
  ask(file);
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
  if (file) ask(file);
});

// A screenshot takes the place of its thumbnail; one that cannot be had leaves it to be seen.
function settle({ target }) {
  if (!target.matches?.(".shot .over")) return;
  if (target.naturalWidth) target.parentElement.querySelector(".under")?.remove();
  else target.remove();
}
document.addEventListener("load", settle, true);
document.addEventListener("error", settle, true);
for (const target of document.querySelectorAll(".over:not([loading])")) {
  if (target.complete) settle({ target }); // it was quicker than this script
}
// A picture's results have no address of their own, so going back asks for the page before.
window.addEventListener("popstate", () => location.reload());
