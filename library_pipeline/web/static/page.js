// What every page needs. Without this script thumbnails are seen under their screenshots.
"use strict";

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

// "/" leads to the search from anywhere but a field.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, [contenteditable]")) return;
  event.preventDefault();
  const text = document.querySelector("#text");
  if (text) text.select();
  else location.assign("/");
});
