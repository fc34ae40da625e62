// The number beside the slider moves with it; htmx does the rest.
"use strict";

document.addEventListener("input", ({ target }) => {
  if (target.id !== "threshold") return;
  document.querySelector("#shown-threshold").value = Number(target.value).toFixed(3);
});
// Blank choices would only lengthen the address.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (!detail.elt.matches(".sift")) return;
  for (const [name, value] of [...detail.formData.entries()]) {
    if (value === "") detail.formData.delete(name);
  }
});
// Going back asks for the page as it was.
window.addEventListener("htmx:historyCacheMiss", () => location.reload());
