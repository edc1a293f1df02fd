"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");
const context = canvas.getContext("2d");
const images = [byId("image0"), byId("image1")];
const warped = byId("warped");
const GAP = 6, BLINK_MS = 700, REACH = { mouse: 12, pen: 16, touch: 26 };
const FAINT = "rgba(215, 220, 230, 0.5)", EDGE = "rgba(8, 8, 10, 0.9)";

// A match: kind, its place in both lists, score, inlier (true, false, null), colour, and the
// ends in both images, [x, y] for a point and [[x, y], [x, y]] for a line.
const expand = (kind, rows) => rows.map(([index0, index1, score, inlier, color]) => ({
  kind, index: [index0, index1], score, inlier, color,
  ends: [data[kind].coordinates[0][index0], data[kind].coordinates[1][index1]],
}));
const points = expand("points", data.points.matches);
const lines = expand("lines", data.lines.matches);
const linePairs = expand("lines", data.lines.pairs || []);
let matches, unmatched;

function choose() {
  const chosenLines = byId("many").checked ? linePairs : lines;
  matches = [...points, ...chosenLines];
  unmatched = {};
  for (const [kind, part] of [["points", points], ["lines", chosenLines]]) {
    unmatched[kind] = [0, 1].map((side) => {
      const taken = new Set(part.map((match) => match.index[side]));
      return data[kind].coordinates[side].filter((_, index) => !taken.has(index));
    });
  }
}
choose();

// Each pane shows one image: canvas px = offset + scale * (image px + 0.5).
const panes = [{}, {}];
let shown = [], hovered = null, pinned = null, fitted = true, drawing = false;
let overlaid = false, blinkedOff = false;

function layout() {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const area = (paneWidth, paneHeight) => data.images.reduce((sum, size) => {
    const scale = Math.min(paneWidth / size[0], paneHeight / size[1]);
    return sum + scale * scale * size[0] * size[1];
  }, 0);
  const beside = area((width - GAP) / 2, height) >= area(width, (height - GAP) / 2);
  panes.forEach((pane, side) => {
    pane.width = Math.max(1, beside ? (width - GAP) / 2 : width);
    pane.height = Math.max(1, beside ? height : (height - GAP) / 2);
    pane.left = beside ? side * (pane.width + GAP) : 0;
    pane.top = beside ? 0 : side * (pane.height + GAP);
  });
  if (overlaid) {
    Object.assign(panes[0], { left: 0, top: 0, width: Math.max(1, width), height: Math.max(1, height) });
    Object.assign(panes[1], { left: -10, top: -10, width: 1, height: 1 });
  }
  if (fitted) fit();
  draw();
}

function fit() {
  panes.forEach((pane, side) => {
    const [width, height] = data.images[side];
    pane.scale = pane.fit = Math.min(pane.width / width, pane.height / height);
    pane.x = pane.left + (pane.width - pane.scale * width) / 2;
    pane.y = pane.top + (pane.height - pane.scale * height) / 2;
  });
  fitted = true;
  draw();
}

const place = (pane, [x, y]) => [pane.x + pane.scale * (x + 0.5), pane.y + pane.scale * (y + 0.5)];
const middle = (match, side) => match.kind === "points" ? match.ends[side]
  : [0, 1].map((axis) => (match.ends[side][0][axis] + match.ends[side][1][axis]) / 2);
const chosen = () => hovered || pinned;
const inside = (pane, [x, y]) => x >= pane.left && x < pane.left + pane.width
  && y >= pane.top && y < pane.top + pane.height;
const paneAt = (point) => panes.findIndex((pane) => inside(pane, point));

function filter() {
  const threshold = Number(byId("score").value);
  byId("score-value").textContent = threshold.toFixed(2);
  shown = matches.filter((match) => byId(match.kind).checked && match.score >= threshold
    && !(byId("inliers").checked && match.inlier === false));
  if (pinned && !shown.includes(pinned)) pinned = null;
  hovered = null;
  const count = (kind) => {
    const part = shown.filter((match) => match.kind === kind).length;
    return `${part} of ${matches.filter((match) => match.kind === kind).length}`;
  };
  byId("counts").textContent =
    `Shown: ${count("points")} point matches, ${count("lines")} line matches`;
  describe();
  draw();
}

function describe() {
  const match = chosen();
  if (!match) {
    byId("status").textContent = "Hover or tap a match to see both ends.";
    return;
  }
  const coordinates = (end) => `(${end[0].toFixed(1)}, ${end[1].toFixed(1)})`;
  const where = (side) => match.kind === "points" ? coordinates(match.ends[side])
    : match.ends[side].map(coordinates).join("–");
  const kind = match.kind === "points" ? "Point" : "Line";
  const inlier = match.inlier === null ? "" : match.inlier ? ", inlier" : ", outlier";
  byId("status").textContent = `${kind} ${match.index[0]} ↔ ${match.index[1]}, score `
    + `${match.score.toFixed(3)}${inlier}, ${where(0)} ↔ ${where(1)} px`;
}

function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    context.fillStyle = "#18191c";
    context.fillRect(0, 0, canvas.width, canvas.height);
    panes.forEach(drawPane);
    const match = chosen();
    if (match) drawChosen(match);
  });
}

function drawPane(pane, side) {
  clipped(pane, () => {
    const [width, height] = data.images[side];
    const box = [pane.x, pane.y, pane.scale * width, pane.scale * height];
    context.imageSmoothingEnabled = pane.scale < 3;
    if (images[side].complete && images[side].naturalWidth > 0) {
      context.drawImage(images[side], ...box);
    }
    if (overlaid) {
      drawOverlay(pane, box);
    } else {
      context.fillStyle = "rgba(0, 0, 0, 0.25)";
      context.fillRect(...box);
    }
    if (byId("unmatched").checked) drawUnmatched(pane, side);
    context.globalAlpha = chosen() ? 0.3 : 1;
    for (const kind of ["lines", "points"]) {
      for (const inlier of [false, true]) {
        for (const match of shown) {
          if (match.kind === kind && (match.inlier !== false) === inlier) mark(pane, side, match, 1);
        }
      }
    }
    context.globalAlpha = 1;
  });
}

// The warped image lies right of the swipe; a blink shows it everywhere or nowhere.
function drawOverlay(pane, box) {
  const blink = byId("blink").checked;
  if (blink && blinkedOff) return;
  const edge = blink ? pane.left : pane.left + Number(byId("swipe").value) * pane.width;
  clipped({ ...pane, left: edge, width: pane.left + pane.width - edge }, () => {
    context.beginPath();
    for (const corner of data.overlay) context.lineTo(...place(pane, corner));
    context.clip();
    context.drawImage(warped, ...box);
  });
  if (!blink) stroke([[edge, pane.top], [edge, pane.top + pane.height]], "#fff", 1.5);
}

function drawUnmatched(pane, side) {
  if (byId("lines").checked) {
    context.strokeStyle = FAINT;
    context.lineWidth = 1;
    context.beginPath();
    for (const line of unmatched.lines[side]) {
      context.moveTo(...place(pane, line[0]));
      context.lineTo(...place(pane, line[1]));
    }
    context.stroke();
  }
  if (byId("points").checked) {
    context.fillStyle = FAINT;
    for (const point of unmatched.points[side]) {
      const [x, y] = place(pane, point);
      context.fillRect(x - 1, y - 1, 2, 2);
    }
  }
}

function clipped(pane, paint) {
  context.save();
  context.beginPath();
  context.rect(pane.left, pane.top, pane.width, pane.height);
  context.clip();
  paint();
  context.restore();
}

function mark(pane, side, match, size) {
  if (match.kind === "points") markPoint(place(pane, match.ends[side]), match, size);
  else markLine(match.ends[side].map((end) => place(pane, end)), match, size);
}

function markPoint([x, y], match, size) {
  if (match.inlier === false) {
    const arm = 3.5 * size;
    stroke([[x - arm, y - arm], [x + arm, y + arm]], match.color, 1.3 * size);
    stroke([[x - arm, y + arm], [x + arm, y - arm]], match.color, 1.3 * size);
  } else {
    disc(x, y, 4 * size, EDGE);
    disc(x, y, 3 * size, match.color);
  }
}

function markLine(ends, match, size) {
  if (match.inlier === false) {
    context.setLineDash([5, 4]);
    stroke(ends, match.color, 1.3 * size);
    context.setLineDash([]);
  } else {
    stroke(ends, EDGE, 4 * size);
    stroke(ends, match.color, 2.4 * size);
  }
  for (const [x, y] of ends) {
    if (match.inlier !== false) disc(x, y, 3.2 * size, EDGE);
    disc(x, y, 2.2 * size, match.inlier === false ? match.color : "#fff");
  }
}

function stroke([start, end], color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  context.moveTo(...start);
  context.lineTo(...end);
  context.stroke();
}

function disc(x, y, radius, color) {
  context.fillStyle = color;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function drawChosen(match) {
  const ends = panes.map((pane, side) => place(pane, middle(match, side)));
  if (panes.every((pane, side) => inside(pane, ends[side]))) {
    stroke(ends, EDGE, 3);
    stroke(ends, match.color, 1.5);
  }
  panes.forEach((pane, side) => clipped(pane, () => mark(pane, side, match, 1.7)));
}

function distance(point, pane, side, match) {
  if (match.kind === "points") {
    const [x, y] = place(pane, match.ends[side]);
    return Math.hypot(point[0] - x, point[1] - y);
  }
  const [[x0, y0], [x1, y1]] = match.ends[side].map((end) => place(pane, end));
  const [dx, dy] = [x1 - x0, y1 - y0];
  const along = ((point[0] - x0) * dx + (point[1] - y0) * dy) / (dx * dx + dy * dy || 1);
  const part = Math.min(1, Math.max(0, along));
  return Math.hypot(point[0] - x0 - part * dx, point[1] - y0 - part * dy);
}

function nearest(point, reach) {
  const side = paneAt(point);
  if (side < 0) return null;
  let best = null, least = reach;
  for (const match of shown) {
    // A point on a line can only be hit if it comes first.
    const far = distance(point, panes[side], side, match) + (match.kind === "lines" ? 3 : 0);
    if (far < least) [best, least] = [match, far];
  }
  return best;
}

function zoomPane(pane, factor, [x, y]) {
  const scale = Math.min(60, Math.max(pane.fit / 2, pane.scale * factor));
  pane.x = x - (x - pane.x) * scale / pane.scale;
  pane.y = y - (y - pane.y) * scale / pane.scale;
  pane.scale = scale;
}

// The other pane zooms at the other end of the chosen match, or at the same place in the pane.
function zoom(side, factor, anchor) {
  const pane = panes[side], other = panes[1 - side], match = chosen();
  if (byId("linked").checked) {
    const away = [anchor[0] - pane.left + other.left, anchor[1] - pane.top + other.top];
    zoomPane(other, factor, match ? place(other, middle(match, 1 - side)) : away);
  }
  zoomPane(pane, factor, anchor);
  fitted = false;
  draw();
}

function move(side, dx, dy) {
  panes.forEach((pane, index) => {
    if (index !== side && !byId("linked").checked) return;
    pane.x += dx;
    pane.y += dy;
  });
  fitted = false;
  draw();
}

function pin(match) {
  pinned = match;
  hovered = null;
  if (match) {
    panes.forEach((pane, side) => {
      const [x, y] = place(pane, middle(match, side));
      if (inside(pane, [x, y])) return;
      pane.x += pane.left + pane.width / 2 - x;
      pane.y += pane.top + pane.height / 2 - y;
      fitted = false;
    });
  }
  describe();
  draw();
}

function step(by) {
  if (shown.length === 0) return;
  const at = shown.indexOf(pinned);
  pin(shown[at < 0 ? (by > 0 ? 0 : shown.length - 1) : (at + by + shown.length) % shown.length]);
}

const pointers = new Map();
let dragged = false, dragSide = -1;
const position = (event) => {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, position(event));
  if (pointers.size === 1) [dragged, dragSide] = [false, paneAt(position(event))];
  else dragged = true;
});

canvas.addEventListener("pointermove", (event) => {
  const point = position(event), before = pointers.get(event.pointerId);
  if (!before) {
    const match = nearest(point, REACH[event.pointerType] || REACH.mouse);
    if (match !== hovered) {
      hovered = match;
      describe();
      draw();
    }
    return;
  }
  const [dx, dy] = [point[0] - before[0], point[1] - before[1]];
  if (pointers.size === 1) {
    if (!dragged && Math.hypot(dx, dy) < 5) return;
    dragged = true;
    if (dragSide >= 0) move(dragSide, dx, dy);
  } else if (pointers.size === 2 && dragSide >= 0) {
    const [fixed] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const span = (at) => Math.max(1, Math.hypot(at[0] - fixed[0], at[1] - fixed[1]));
    const center = [(point[0] + fixed[0]) / 2, (point[1] + fixed[1]) / 2];
    move(dragSide, dx / 2, dy / 2);
    zoom(dragSide, span(point) / span(before), center);
  }
  pointers.set(event.pointerId, point);
});

canvas.addEventListener("pointerup", (event) => {
  if (pointers.size === 1 && !dragged) {
    const match = nearest(position(event), REACH[event.pointerType] || REACH.mouse);
    pin(match === pinned ? null : match);
  }
  pointers.delete(event.pointerId);
});
canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
canvas.addEventListener("pointerleave", () => {
  if (!hovered) return;
  hovered = null;
  describe();
  draw();
});

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const side = paneAt(position(event));
  const lines = event.deltaMode === 1 ? 20 : 1;
  const amount = Math.max(-300, Math.min(300, event.deltaY * lines));
  if (side >= 0) zoom(side, Math.exp(-amount * (event.ctrlKey ? 0.01 : 0.002)), position(event));
}, { passive: false });

canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const center = [panes[0].left + panes[0].width / 2, panes[0].top + panes[0].height / 2];
  const anchor = chosen() ? place(panes[0], middle(chosen(), 0)) : center;
  const actions = {
    n: () => step(1), p: () => step(-1), 0: fit, Escape: () => pin(null),
    "+": () => zoom(0, 1.25, anchor), "=": () => zoom(0, 1.25, anchor),
    "-": () => zoom(0, 0.8, anchor),
    ArrowLeft: () => move(0, 40, 0), ArrowRight: () => move(0, -40, 0),
    ArrowUp: () => move(0, 0, 40), ArrowDown: () => move(0, 0, -40),
  };
  const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

for (const id of ["points", "lines", "unmatched", "inliers", "score"]) {
  byId(id).addEventListener("input", filter);
}
byId("many").addEventListener("input", () => {
  choose();
  filter();
});
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("fit").addEventListener("click", fit);
byId("swipe").addEventListener("input", draw);
byId("blink").addEventListener("input", draw);
byId("overlay").addEventListener("input", () => {
  [overlaid, fitted] = [byId("overlay").checked, true];
  layout();
});
byId("many-control").hidden = !data.lines.pairs;
byId("overlay-controls").hidden = data.overlay.length === 0;
setInterval(() => {
  if (!overlaid || !byId("blink").checked) return;
  blinkedOff = !blinkedOff;
  draw();
}, BLINK_MS);
for (const image of [...images, warped]) image.addEventListener("load", draw);
byId("score").max = Math.max(1, ...matches.map((match) => Math.ceil(match.score * 100) / 100));
if (matches.every((match) => match.inlier === null)) {
  byId("inliers").disabled = true;
  byId("inliers").parentElement.className = "off";
  byId("inliers").parentElement.title = "Nothing was estimated, so inliers are not known";
}
new ResizeObserver(layout).observe(canvas);
layout();
filter();
