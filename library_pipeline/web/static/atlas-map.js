// The map itself: where things are on the canvas, and drawing them. Knows nothing of the page.

export const PALETTE = [
  "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00",
  "#56b4e9", "#882255", "#999933", "#6f4fd1", "#44aa99",
]; // Okabe and Ito's, then Tol's: told apart by the colour-blind
export const OTHERS = "#8a909c";
const CLOSEST = 4000; // times as large as all of it
const TILES = [[60, 60, [132, 91]], [420, 300, [68, 47]]]; // up to so many in view: so many thumbnails

const packed = (colour) => {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0; // as a canvas has them, little-endian
};
const INKS = [...PALETTE, OTHERS].map(packed);
const dimmed = (ink) => ((0x38 << 24) | (ink & 0xffffff)) >>> 0;
const DIM = INKS.map(dimmed);

// The pixels of a round point of this radius.
function disc(radius) {
  const found = [];
  const whole = Math.ceil(radius);
  for (let y = -whole; y <= whole; y++) {
    for (let x = -whole; x <= whole; x++) if (x * x + y * y <= radius * radius + 0.3) found.push([x, y]);
  }
  return found;
}

// A stride that visits all: neighbours in the data, of one category, are not drawn in a row.
function stride(count) {
  const divisor = (a, b) => (b ? divisor(b, a % b) : a);
  let step = Math.max(1, Math.floor(count * 0.618));
  while (divisor(step, count) > 1) step++;
  return step;
}

export class Chart {
  constructor(canvas, points, thumbnail) {
    this.canvas = canvas;
    this.points = points; // {x, y: Float32Array in 0 to 1, count}
    this.stride = stride(points.count);
    this.ink = new Uint8Array(points.count); // place in INKS
    this.shown = new Uint8Array(points.count).fill(1);
    this.marked = null; // Set of places, or null for no marking
    this.lit = -1;
    this.thumbnail = thumbnail; // place -> a loaded picture, or null until it is
    this.inView = []; // places, when there are few enough for thumbnails
    this.tiles = []; // [place, left, top, width, height], the last one on top
    this.asked = 0;
    this.resize();
    this.fit();
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    this.dpr = Math.min(2, window.devicePixelRatio || 1);
    this.width = this.canvas.width = Math.max(1, Math.round(clientWidth * this.dpr));
    this.height = this.canvas.height = Math.max(1, Math.round(clientHeight * this.dpr));
    this.context = this.canvas.getContext("2d");
    this.image = this.context.createImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    // Its axes mean nothing, so the map is stretched to fill what it has.
    this.wide = Math.min(2, Math.max(1, this.width / this.height));
    this.high = Math.min(2, Math.max(1, this.height / this.width));
    this.ask();
  }

  fit() {
    this.least = 0.94 * Math.min(this.width, this.height);
    this.scale = this.least;
    this.left = (this.width - this.scale * this.wide) / 2;
    this.top = (this.height - this.scale * this.high) / 2;
    this.ask();
  }

  get zoom() { return this.scale / this.least; }

  // Where a place is, in pixels of the canvas.
  px(at) { return this.left + this.points.x[at] * this.scale * this.wide; }
  py(at) { return this.top + this.points.y[at] * this.scale * this.high; }

  // Positions are in CSS pixels, as events have them.
  pan(dx, dy) {
    this.left += dx * this.dpr;
    this.top += dy * this.dpr;
    this.keep();
  }

  zoomBy(factor, x = this.width / this.dpr / 2, y = this.height / this.dpr / 2) {
    const scale = Math.min(this.least * CLOSEST, Math.max(this.least * 0.5, this.scale * factor));
    const by = scale / this.scale;
    this.left = x * this.dpr - (x * this.dpr - this.left) * by;
    this.top = y * this.dpr - (y * this.dpr - this.top) * by;
    this.scale = scale;
    this.keep();
  }

  // Some of the map stays in view.
  keep() {
    const edge = Math.min(this.width, this.height) / 4;
    this.left = Math.min(this.width - edge, Math.max(edge - this.scale * this.wide, this.left));
    this.top = Math.min(this.height - edge, Math.max(edge - this.scale * this.high, this.top));
    this.ask();
  }

  where(at) {
    return [this.px(at) / this.dpr, this.py(at) / this.dpr];
  }

  // What is at a position, -1 for nothing: a thumbnail, else the nearest point.
  at(x, y, reach = 12) {
    const [px, py] = [x * this.dpr, y * this.dpr];
    for (let i = this.tiles.length - 1; i >= 0; i--) {
      const [place, left, top, width, height] = this.tiles[i];
      if (px >= left && px <= left + width && py >= top && py <= top + height) return place;
    }
    let best = -1;
    let least = (reach * this.dpr) ** 2;
    for (let i = 0; i < this.points.count; i++) {
      if (!this.shown[i]) continue;
      const dx = this.px(i) - px;
      const dy = this.py(i) - py;
      const far = dx * dx + dy * dy;
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  // The places in view, those nearest to the middle first.
  nearest(most) {
    const found = [];
    const [cx, cy] = [this.width / 2, this.height / 2];
    for (let i = 0; i < this.points.count; i++) {
      if (!this.shown[i]) continue;
      const x = this.px(i);
      const y = this.py(i);
      if (x >= 0 && y >= 0 && x < this.width && y < this.height) {
        found.push([this.marked?.has(i) ? 0 : 1, (x - cx) ** 2 + (y - cy) ** 2, i]);
      }
    }
    found.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    return { total: found.length, places: found.slice(0, most).map((each) => each[2]) };
  }

  ask() {
    if (!this.asked) this.asked = requestAnimationFrame(() => { this.asked = 0; this.draw(); });
  }

  draw() {
    const began = performance.now();
    const drawn = this.drawPoints();
    this.context.putImageData(this.image, 0, 0);
    this.drawTiles(drawn);
    this.drawMarks();
    Object.assign(this.canvas.dataset, {
      drawn, zoom: this.zoom.toFixed(2), tiles: this.tiles.length,
      took: (performance.now() - began).toFixed(1),
    });
    this.onDrawn?.();
  }

  // Written into pixels by hand: a hundred thousand in some milliseconds.
  drawPoints() {
    const { pixels, width, height, left, top, shown, ink, marked } = this;
    const [across, down] = [this.scale * this.wide, this.scale * this.high];
    const { x: xs, y: ys, count } = this.points;
    const crowd = Math.sqrt(count / 400);
    const radius = this.dpr * Math.min(5, Math.max(0.9, (4 * Math.sqrt(this.zoom)) / Math.max(1, crowd)));
    const round = disc(radius);
    const edge = Math.ceil(radius);
    const shift = round.map(([dx, dy]) => dy * width + dx);
    pixels.fill(0);
    this.inView = [];
    let drawn = 0;
    for (let n = 0, i = 0; n < count; n++, i = (i + this.stride) % count) {
      if (!shown[i]) continue;
      const x = Math.round(left + xs[i] * across);
      const y = Math.round(top + ys[i] * down);
      if (x < 0 || y < 0 || x >= width || y >= height) continue;
      drawn++;
      if (drawn <= TILES.at(-1)[0]) this.inView.push(i);
      const colour = (marked && !marked.has(i) ? DIM : INKS)[ink[i]];
      if (x >= edge && y >= edge && x < width - edge && y < height - edge) {
        const at = y * width + x;
        for (let p = 0; p < shift.length; p++) pixels[at + shift[p]] = colour;
      } else {
        for (const [dx, dy] of round) {
          const [px, py] = [x + dx, y + dy];
          if (px >= 0 && py >= 0 && px < width && py < height) pixels[py * width + px] = colour;
        }
      }
    }
    return drawn;
  }

  // Thumbnails where few enough are in view, one in each cell of a grid, so that none hides another.
  drawTiles(drawn) {
    this.tiles = [];
    const size = TILES.find(([most]) => drawn <= most);
    if (!size) return;
    const [wide, high] = size[2].map((side) => side * this.dpr);
    const taken = new Set();
    for (const place of this.inView) {
      if (this.tiles.length >= size[1]) break;
      if (this.marked && !this.marked.has(place)) continue;
      const x = this.px(place);
      const y = this.py(place);
      const cell = `${Math.floor(x / wide)} ${Math.floor(y / high)}`;
      if (taken.has(cell)) continue;
      taken.add(cell);
      const picture = this.thumbnail(place);
      if (picture) this.tile(place, picture, x, y, wide - 6, high - 6);
    }
  }

  tile(place, picture, x, y, wide, high) {
    const by = Math.min(wide / picture.naturalWidth, high / picture.naturalHeight);
    const [width, height] = [picture.naturalWidth * by, picture.naturalHeight * by];
    const [left, top] = [Math.round(x - width / 2), Math.round(y - height / 2)];
    const frame = 2 * this.dpr;
    this.context.fillStyle = [...PALETTE, OTHERS][this.ink[place]];
    this.context.fillRect(left - frame, top - frame, width + 2 * frame, height + 2 * frame);
    this.context.fillStyle = "#fff";
    this.context.fillRect(left, top, width, height);
    this.context.drawImage(picture, left, top, width, height);
    this.tiles.push([place, left - frame, top - frame, width + 2 * frame, height + 2 * frame]);
  }

  drawMarks() {
    const ring = (at, colour, radius) => {
      const [x, y] = this.where(at).map((side) => side * this.dpr);
      this.context.beginPath();
      this.context.arc(x, y, radius * this.dpr, 0, 7);
      this.context.lineWidth = 2.5 * this.dpr;
      this.context.strokeStyle = colour;
      this.context.stroke();
    };
    const style = getComputedStyle(this.canvas);
    if (this.marked) for (const at of this.marked) if (this.shown[at]) ring(at, style.color, 8);
    if (this.lit >= 0) ring(this.lit, style.getPropertyValue("--accent") || "#4450d8", 14);
  }
}
