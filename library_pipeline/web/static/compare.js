// Swiping between two screenshots; the rest of the page needs no script.
"use strict";

const swipe = document.querySelector("#swipe");
const layer = document.querySelector(".layer2");

function show() {
  const on = document.querySelector('[name="way"][value="swipe"]').checked;
  // In the units of the drawing, whatever the second one's own width is.
  const { width, height } = layer.ownerSVGElement.viewBox.baseVal;
  const x = (width * swipe.value) / 100;
  layer.style.clipPath = on ? `path("M${x} 0H${width}V${height}H${x}Z")` : "";
}
if (swipe) {
  swipe.addEventListener("input", show);
  document.addEventListener("change", show);
  show();
}
