"use strict";
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const canvas = byId("canvas");
const gl = canvas.getContext("webgl2", { antialias: true });
const FIELD = 0.8, NEAR = 0.002, REACH = { mouse: 12, pen: 16, touch: 26 };
const LINE = [1.0, 0.55, 0.1], CAMERA = [0.35, 0.75, 1.0], CHOSEN = [1.0, 1.0, 1.0];

function bytes(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
const numbers = (text) => new Float32Array(bytes(text).buffer);
const points = numbers(data.points), colors = bytes(data.colors), lines = numbers(data.lines);
const cameras = numbers(data.cameras);  // for each camera its centre and four corners
const corner = (camera, index) => cameras.subarray(15 * camera + 3 * index, 15 * camera + 3 * index + 3);

// The edges of the pyramids of cameras, two ends each.
function edges(camera) {
  const found = [];
  for (let side = 1; side <= 4; side++) {
    found.push(...corner(camera, 0), ...corner(camera, side));
    found.push(...corner(camera, side), ...corner(camera, side % 4 + 1));
  }
  return found;
}

// The eye looks at `target` from `distance` away, turned by `yaw` about y and raised by `pitch`.
const eye = { yaw: 0, pitch: 0, distance: 1, target: [0, 0, 0] };
let chosen = -1, hovered = -1, drawing = false;

const sum = (a, b, factor = 1) => a.map((value, axis) => value + factor * b[axis]);
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
function axes() {
  const [sy, cy, sp, cp] = [Math.sin(eye.yaw), Math.cos(eye.yaw), Math.sin(eye.pitch), Math.cos(eye.pitch)];
  return { right: [cy, 0, -sy], up: [-sy * sp, cp, -cy * sp], back: [sy * cp, sp, cy * cp] };
}

function fit() {
  Object.assign(eye, { yaw: 0.25, pitch: 0.25, target: [0, 0, 0] });
  const { width, height } = canvas.getBoundingClientRect();
  eye.distance = 1.15 / Math.tan(FIELD / 2) / Math.min(1, width / Math.max(height, 1));
  choose(-1);
  draw();
}

// The matrix from space to the canvas, by columns.
function projection() {
  const { right, up, back } = axes();
  const place = sum(eye.target, back, eye.distance);
  const y = 1 / Math.tan(FIELD / 2), x = y * canvas.height / canvas.width;
  const far = NEAR + eye.distance + 1000;
  const a = -(far + NEAR) / (far - NEAR), b = -2 * far * NEAR / (far - NEAR);
  const column = (axis) => [x * right[axis], y * up[axis], a * back[axis], -back[axis]];
  return [...column(0), ...column(1), ...column(2),
    -x * dot(right, place), -y * dot(up, place), -a * dot(back, place) + b, dot(back, place)];
}

function onCanvas(matrix, [x, y, z]) {
  const row = (index) => matrix[index] * x + matrix[4 + index] * y + matrix[8 + index] * z + matrix[12 + index];
  const { width, height } = canvas.getBoundingClientRect();
  const depth = row(3);
  return depth < NEAR ? null : [(row(0) / depth + 1) * width / 2, (1 - row(1) / depth) * height / 2];
}

function program(vertex, fragment) {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, "#version 300 es\nprecision highp float;\n" + source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  const at = (name) => gl.getUniformLocation(made, name);
  return { made, at };
}

// Attributes: [place, numbers each, type, whether one holds for a whole instance, content].
function arrays(attributes) {
  const made = gl.createVertexArray();
  gl.bindVertexArray(made);
  for (const { place, size, type, perInstance, content, stride, offset } of attributes) {
    gl.bindBuffer(gl.ARRAY_BUFFER, content);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, type === gl.UNSIGNED_BYTE, stride || 0, offset || 0);
    gl.vertexAttribDivisor(place, perInstance ? 1 : 0);
  }
  return made;
}

function buffer(content) {
  const made = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, made);
  gl.bufferData(gl.ARRAY_BUFFER, content, gl.STATIC_DRAW);
  return made;
}

function segments(ends) {
  const content = buffer(new Float32Array(ends));
  const side = (place, offset) => ({ place, size: 3, type: gl.FLOAT, perInstance: true, content, stride: 24, offset });
  return { arrays: arrays([side(0, 0), side(1, 12)]), count: ends.length / 6 };
}

let dots, strokes, cloud, map, frusta, one;
function prepare() {
  dots = program(
    `uniform mat4 matrix; uniform float size; in vec3 place; in vec3 color; out vec3 shade;
     void main() { gl_Position = matrix * vec4(place, 1.0); gl_PointSize = size; shade = color; }`,
    `in vec3 shade; out vec4 result;
     void main() {
       if (length(gl_PointCoord - 0.5) > 0.5) discard;
       result = vec4(shade, 1.0);
     }`);
  // A segment is a strip of two triangles, cut off before the eye.
  strokes = program(
    `uniform mat4 matrix; uniform vec2 canvas; uniform float width;
     layout(location = 0) in vec3 first; layout(location = 1) in vec3 second;
     void main() {
       vec4 a = matrix * vec4(first, 1.0), b = matrix * vec4(second, 1.0);
       float near = ${NEAR};
       if (a.w < near && b.w < near) { gl_Position = vec4(0.0, 0.0, 2.0, 1.0); return; }
       if (a.w < near) a = mix(b, a, (b.w - near) / (b.w - a.w));
       if (b.w < near) b = mix(a, b, (a.w - near) / (a.w - b.w));
       vec2 step = (b.xy / b.w - a.xy / a.w) * canvas;
       vec2 across = length(step) > 0.0 ? vec2(-step.y, step.x) / length(step) : vec2(0.0);
       vec4 end = gl_VertexID < 2 ? a : b;
       float side = (gl_VertexID & 1) == 0 ? 1.0 : -1.0;
       gl_Position = end + vec4(side * width * across / canvas * end.w, 0.0, 0.0);
     }`,
    `uniform vec3 color; out vec4 result; void main() { result = vec4(color, 1.0); }`);
  const place = (name) => gl.getAttribLocation(dots.made, name);
  cloud = arrays([
    { place: place("place"), size: 3, type: gl.FLOAT, content: buffer(points) },
    { place: place("color"), size: 3, type: gl.UNSIGNED_BYTE, content: buffer(colors) },
  ]);
  map = segments(lines);
  frusta = segments(data.names.flatMap((_, camera) => edges(camera)));
  gl.enable(gl.DEPTH_TEST);
  gl.depthFunc(gl.LEQUAL);
  gl.clearColor(0.055, 0.059, 0.067, 1);
}

function stroke(what, color, width, matrix) {
  gl.useProgram(strokes.made);
  gl.uniformMatrix4fv(strokes.at("matrix"), false, matrix);
  gl.uniform2f(strokes.at("canvas"), canvas.width, canvas.height);
  gl.uniform1f(strokes.at("width"), width * (window.devicePixelRatio || 1));
  gl.uniform3fv(strokes.at("color"), color);
  gl.bindVertexArray(what.arrays);
  gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, what.count);
}

function paint() {
  drawing = false;
  const ratio = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  gl.viewport(0, 0, canvas.width, canvas.height);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  const matrix = projection();
  if (byId("points").checked && points.length) {
    gl.useProgram(dots.made);
    gl.uniformMatrix4fv(dots.at("matrix"), false, matrix);
    gl.uniform1f(dots.at("size"), byId("size").value * ratio);
    gl.bindVertexArray(cloud);
    gl.drawArrays(gl.POINTS, 0, points.length / 3);
  }
  if (byId("lines").checked && map.count) stroke(map, LINE, 2, matrix);
  if (byId("cameras").checked && frusta.count) stroke(frusta, CAMERA, 1.5, matrix);
  const told = hovered >= 0 ? hovered : chosen;
  if (byId("cameras").checked && told >= 0) {
    one = one || {};
    if (one.camera !== told) one = { camera: told, ...segments(edges(told)) };
    stroke(one, CHOSEN, 3, matrix);
  }
}

function draw() {
  if (drawing || !gl) return;
  drawing = true;
  requestAnimationFrame(paint);
}

function tell() {
  const told = hovered >= 0 ? hovered : chosen;
  byId("status").hidden = told < 0;
  byId("status").textContent = told < 0 ? "" : data.names[told];
}

// Choose a camera and look through it, as far as an eye that stays upright can.
function choose(camera) {
  chosen = camera;
  tell();
  if (camera < 0) return;
  const centre = [...corner(camera, 0)];
  let ahead = [0, 0, 0];
  for (let side = 1; side <= 4; side++) ahead = sum(ahead, sum([...corner(camera, side)], centre, -1));
  const back = ahead.map((value) => -value / Math.sqrt(dot(ahead, ahead)));
  eye.pitch = Math.asin(Math.max(-1, Math.min(1, back[1])));
  eye.yaw = Math.atan2(back[0], back[2]);
  eye.distance = Math.max(0.1, -dot(back, sum([0, 0, 0], centre, -1)));
  eye.target = sum(centre, axes().back, -eye.distance);
}

function cameraAt(x, y, reach) {
  if (!byId("cameras").checked) return -1;
  const matrix = projection();
  let best = -1, nearest = reach;
  data.names.forEach((_, camera) => {
    const place = onCanvas(matrix, corner(camera, 0));
    const distance = place ? Math.hypot(place[0] - x, place[1] - y) : Infinity;
    if (distance < nearest) [best, nearest] = [camera, distance];
  });
  return best;
}

function turn(x, y) {
  eye.yaw -= x;
  eye.pitch = Math.max(-1.55, Math.min(1.55, eye.pitch + y));
  draw();
}

function move(x, y) {
  const { right, up } = axes();
  const unit = 2 * eye.distance * Math.tan(FIELD / 2) / canvas.getBoundingClientRect().height;
  eye.target = sum(sum(eye.target, right, -x * unit), up, y * unit);
  draw();
}

function zoom(factor) {
  eye.distance = Math.max(0.01, Math.min(100, eye.distance * factor));
  draw();
}

const held = new Map();
const place = (event) => [event.offsetX, event.offsetY];
let travelled = 0;
function pressed(event) {
  canvas.setPointerCapture(event.pointerId);
  held.set(event.pointerId, place(event));
  travelled = held.size > 1 ? Infinity : 0;
}

function moved(event) {
  const before = held.get(event.pointerId), now = place(event);
  if (!before) {
    const found = cameraAt(...now, REACH.mouse);
    if (found !== hovered) { hovered = found; tell(); draw(); }
    return;
  }
  const [x, y] = [now[0] - before[0], now[1] - before[1]];
  travelled += Math.abs(x) + Math.abs(y);
  if (held.size > 1) {
    const other = [...held].find(([id]) => id !== event.pointerId)[1];
    const apart = (end) => Math.max(1, Math.hypot(end[0] - other[0], end[1] - other[1]));
    zoom(apart(before) / apart(now));
    move(x / held.size, y / held.size);
  } else if (event.shiftKey || event.buttons & 6) move(x, y);
  else turn(x * 0.006, y * 0.006);
  held.set(event.pointerId, now);
}

function released(event) {
  const tapped = held.delete(event.pointerId) && event.type === "pointerup" && travelled < 6;
  if (!tapped) return;
  hovered = -1;
  choose(cameraAt(...place(event), REACH[event.pointerType] || REACH.mouse));
  draw();
}

const KEYS = {
  ArrowLeft: () => turn(0.1, 0), ArrowRight: () => turn(-0.1, 0),
  ArrowUp: () => turn(0, 0.1), ArrowDown: () => turn(0, -0.1),
  "+": () => zoom(1 / 1.2), "=": () => zoom(1 / 1.2), "-": () => zoom(1.2), 0: fit,
};

if (gl) {
  prepare();
  canvas.addEventListener("pointerdown", pressed);
  canvas.addEventListener("pointermove", moved);
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, released);
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(Math.max(-100, Math.min(100, event.deltaY)) * 0.002));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  for (const id of ["points", "lines", "cameras", "size"]) byId(id).addEventListener("input", draw);
  byId("fit").addEventListener("click", fit);
  new ResizeObserver(draw).observe(canvas);
  fit();
} else {
  byId("status").hidden = false;
  byId("status").textContent = "The view in space needs WebGL 2, which this browser does not offer.";
}
