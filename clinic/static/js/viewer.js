// A picture looked at closely, `[data-viewer]`: larger and smaller at the pointer (wheel, pinch, double click, buttons, + and -), moved by
// dragging or the arrow keys, turned, brightened. Nothing of that is kept, and the picture itself is never changed. The teeth marked on it
// (`[data-ring]`, in per cent of the picture) stay where they belong; `[data-mark]` is the form that marks one, by a press or by keys.
const viewer = document.querySelector("[data-viewer]");
const find = (what) => viewer.querySelector(what);
const frame = find("[data-view-frame]");
const picture = frame.querySelector("img");
const filters = [...viewer.querySelectorAll("[data-view-filter]")];
const [form, draft, said] = ["[data-mark]", "[data-draft]", "[data-view-said]"].map(find);
const rings = () => viewer.querySelectorAll("[data-ring]");
const MOST = 12;
const STEP = 1.3;
const NEAR = 3; // how large a tooth is shown that somebody asks for
const STILL = 8; // pixels that a finger may slip while it presses
const pointers = new Map(); // those that are down, by id: {x, y}
let [scale, x, y, turns, isNegative] = [1, 0, 0, 0, false];
let press = null; // where the one finger went down that may become a press
let meant = find(".ring.is-meant")?.dataset.ring; // the tooth that is asked for
let isBusy = false; // a mark is on its way
let wasMarked = false; // it has arrived

// As large as the frame allows: of its own pixels, on its side when it is turned.
const sides = () => [picture.naturalWidth || 1, picture.naturalHeight || 1];
const fit = (wide, high) => Math.min(frame.clientWidth / wide, frame.clientHeight / high);
const bounded = (value, most) => Math.min(Math.max(value, -most), most);
const turned = () => (turns % 2 ? sides().reverse() : sides());
const around = ([px, py], quarters) => [[px, py], [-py, px], [-px, -py], [py, -px]][((quarters % 4) + 4) % 4];

// From the middle of the frame to a place of the picture (in per cent), and back.
function offset(left, top) {
  const [wide, high] = sides();
  const shown = scale * fit(...turned());
  const [dx, dy] = around([(left / 100 - 0.5) * wide * shown, (top / 100 - 0.5) * high * shown], turns);
  return [x + dx, y + dy];
}
function placeOf(px, py) {
  const [wide, high] = sides();
  const shown = scale * fit(...turned());
  const [dx, dy] = around([px - x, py - y], -turns);
  return [(dx / (wide * shown) + 0.5) * 100, (dy / (high * shown) + 0.5) * 100];
}
function fromMiddle(at) {
  const box = frame.getBoundingClientRect();
  return [at.x - box.x - box.width / 2, at.y - box.y - box.height / 2];
}

function put(ring, left, top) {
  const [dx, dy] = offset(left, top);
  ring.setAttribute("x", frame.clientWidth / 2 + dx);
  ring.setAttribute("y", frame.clientHeight / 2 + dy);
}

function draw() {
  const [wide, high] = turned();
  const shown = scale * fit(wide, high);
  // Larger, any place of it may come to the middle.
  x = bounded(x, scale > 1 ? (wide * shown) / 2 : 0);
  y = bounded(y, scale > 1 ? (high * shown) / 2 : 0);
  picture.style.transform = `translate(calc(${x}px - 50%), calc(${y}px - 50%)) rotate(${turns * 90}deg) scale(${shown})`;
  picture.style.filter = [...filters.map((one) => `${one.dataset.viewFilter}(${one.value}%)`), isNegative ? "invert(1)" : ""].join(" ");
  frame.classList.toggle("viewer-moves", scale > 1);
  find("[data-view-scale]").textContent = `${Math.round(scale * 100)} %`;
  find("[data-view-state]").textContent = changes().join(", ");
  for (const ring of rings()) {
    put(ring, ring.dataset.x, ring.dataset.y);
    ring.classList.toggle("is-meant", ring.dataset.ring === meant);
  }
  if (isMarking()) drawDraft();
}

// What is not as it was, in words.
function changes() {
  const changed = filters.filter((one) => one.value !== "100").map((one) => `${one.dataset.viewFilter} ${one.value} %`);
  if (turns % 4) changed.unshift(`turned ${(turns % 4) * 90}°`);
  if (isNegative) changed.push("negative");
  return changed;
}

// The place of the picture under `at` (of the page) stays there; without it, the middle does.
function zoom(by, at) {
  const [px, py] = at ? fromMiddle(at) : [0, 0];
  const next = Math.min(Math.max(scale * by, 1), MOST);
  x = px - ((px - x) * next) / scale;
  y = py - ((py - y) * next) / scale;
  scale = next;
  draw();
}

// A tooth comes to the middle, large, and its ring is the one that is meant.
function bring(tooth) {
  const ring = [...rings()].find((one) => one.dataset.ring === tooth);
  if (!ring) return;
  meant = tooth;
  frame.scrollIntoView({ block: "nearest" });
  scale = Math.max(scale, NEAR);
  centre(ring.dataset.x, ring.dataset.y);
}
function centre(left, top) {
  const [dx, dy] = offset(left, top);
  [x, y] = [x - dx, y - dy];
  draw();
}

// --- marking ---------------------------------------------------------------------------------------------------------

const isMarking = () => viewer.classList.contains("is-marking");
const place = () => [form.elements.x, form.elements.y].map((field) => Number.parseFloat(field.value) || 0);
const number = () => form.elements.tooth.selectedOptions[0]?.textContent ?? "";
const words = () => `${form.elements.x.value} % from the left, ${form.elements.y.value} % from the top`;

function drawDraft() {
  draft.querySelector("text").textContent = form.elements.tooth.value ? number() : "?";
  put(draft.firstElementChild, ...place());
}
function aim(left, top) {
  [form.elements.x.value, form.elements.y.value] = [left, top].map((share) => Math.round(Math.min(Math.max(share, 0), 100) * 10) / 10);
  drawDraft();
}
// Where the chosen tooth is, else in the middle of what is seen.
function begin() {
  const ring = [...rings()].find((one) => one.dataset.ring === form.elements.tooth.value);
  aim(...(ring ? [ring.dataset.x, ring.dataset.y] : placeOf(0, 0)));
}
function mark(is) {
  viewer.classList.toggle("is-marking", is);
  find("[data-view=mark]").setAttribute("aria-pressed", String(is));
  draft.toggleAttribute("hidden", !is);
  frame.setAttribute("role", is ? "application" : "group");
  frame.setAttribute("aria-label", is ? "The place on the picture; arrow keys move it, Enter marks it" : "The picture; arrow keys move it when it is larger");
  if (!is) return;
  frame.scrollIntoView({ block: "nearest" });
  if (viewer.classList.contains("is-bare")) acts.teeth(find("[data-view=teeth]"));
  begin();
  (form.elements.tooth.value ? frame : form.elements.tooth).focus({ preventScroll: true });
}
function send() {
  if (isBusy) return;
  if (form.elements.tooth.value) [isBusy, meant] = [true, form.elements.tooth.value];
  form.requestSubmit();
}
// The next tooth of the document that has no mark yet.
function goOn() {
  const [own] = form.querySelectorAll("optgroup");
  const marked = new Set([...rings()].map((ring) => ring.dataset.ring));
  const next = own.label === "Of this document" && marked.has(form.elements.tooth.value) && [...own.children].find((option) => !marked.has(option.value));
  if (!next) return;
  next.selected = true;
  drawDraft();
}

function nudge(event) {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.key === "Enter") send();
  else if (event.key === "Escape") acts.mark(find("[data-view=mark]")), find("[data-view=mark]").focus();
  else if (way) {
    const [dx, dy] = around(way, -turns); // as it is seen, also on a turned picture
    const by = event.shiftKey ? 0.1 : 1;
    const [left, top] = place();
    aim(left + dx * by, top + dy * by);
    const [px, py] = offset(...place());
    if (Math.abs(px) > frame.clientWidth / 2 || Math.abs(py) > frame.clientHeight / 2) centre(...place());
    said.textContent = words();
  } else return;
  event.preventDefault();
}

if (form) {
  form.addEventListener("input", ({ target }) => (target.name === "tooth" ? begin() : drawDraft()));
  form.elements.tooth.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !form.elements.tooth.value) return;
    event.preventDefault();
    frame.focus({ preventScroll: true });
  });
  form.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    isBusy = false;
    wasMarked = ctx.response?.status < 400;
    if (wasMarked) said.textContent = `${number()} is marked at ${words()}`;
  });
  viewer.addEventListener("click", ({ target }) => {
    const move = target.closest("[data-ring-move]");
    if (!move) return;
    form.elements.tooth.value = move.dataset.ringMove;
    mark(true);
  });
}
viewer.addEventListener("click", (event) => {
  const show = event.target.closest("[data-ring-show]");
  if (!show || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (viewer.classList.contains("is-bare")) acts.teeth(find("[data-view=teeth]"));
  bring(show.dataset.ringShow);
});
viewer.addEventListener("htmx:after:swap", () => {
  draw();
  if (wasMarked && isMarking()) goOn();
  wasMarked = false;
});

// --- looking ---------------------------------------------------------------------------------------------------------

const acts = {
  in: () => zoom(STEP),
  out: () => zoom(1 / STEP),
  turn: () => (turns += 1),
  negative: (button) => button.setAttribute("aria-pressed", String((isNegative = !isNegative))),
  wide: (button) => button.setAttribute("aria-pressed", String(viewer.closest(".columns").classList.toggle("is-wide"))),
  teeth: (button) => button.setAttribute("aria-pressed", String(!viewer.classList.toggle("is-bare"))),
  mark: () => mark(!isMarking()),
  reset: () => {
    [scale, x, y, turns, isNegative] = [1, 0, 0, 0, false];
    for (const one of filters) one.value = 100;
    find("[data-view=negative]").setAttribute("aria-pressed", "false");
    said.textContent = "As it was";
  },
};
viewer.addEventListener("click", (event) => {
  const button = event.target.closest("[data-view]");
  if (!button) return;
  acts[button.dataset.view](button);
  draw();
});
for (const one of filters) one.addEventListener("input", draw);

frame.addEventListener(
  "wheel",
  (event) => {
    const by = STEP ** (-event.deltaY / (event.deltaMode ? 3 : 100));
    if (by < 1 && scale === 1 && !event.ctrlKey) return; // as small as it gets: the page moves on
    event.preventDefault();
    zoom(by, event);
  },
  { passive: false },
);
frame.addEventListener("dblclick", (event) => isMarking() || zoom(scale > 1 ? 1 / scale : 3, event));
frame.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  press = pointers.size === 1 ? { x: event.clientX, y: event.clientY } : null;
  frame.setPointerCapture(event.pointerId);
});
frame.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const now = { x: event.clientX, y: event.clientY };
  if (press && Math.hypot(now.x - press.x, now.y - press.y) > STILL) press = null;
  pointers.set(event.pointerId, now);
  if (press && isMarking()) return;
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  if (other) {
    const apart = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
    zoom(apart(now) / apart(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
  }
  const share = other ? 2 : 1; // with two fingers the middle between them moves half as far
  x += (now.x - before.x) / share;
  y += (now.y - before.y) / share;
  draw();
});
frame.addEventListener("pointerup", (event) => {
  if (press && isMarking()) {
    const [left, top] = placeOf(...fromMiddle(event));
    if (left >= 0 && left <= 100 && top >= 0 && top <= 100) aim(left, top), send();
  }
  press = null;
});
for (const kind of ["pointerup", "pointercancel"]) frame.addEventListener(kind, (event) => pointers.delete(event.pointerId));
frame.addEventListener("dragstart", (event) => event.preventDefault());
frame.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (isMarking()) return nudge(event);
  const way = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (!way || scale === 1) return;
  event.preventDefault();
  x += way[0] * 60;
  y += way[1] * 60;
  draw();
});

frame.tabIndex = 0;
frame.setAttribute("role", "group");
frame.setAttribute("aria-label", "The picture; arrow keys move it when it is larger");
if (picture.hasAttribute("width")) frame.style.setProperty("--shape", picture.getAttribute("height") / picture.getAttribute("width"));
viewer.classList.add("is-live");
function open() {
  draw();
  if (meant) bring(meant);
}
function fail() {
  frame.classList.add("is-empty");
  frame.textContent = "The picture cannot be shown at the moment. Reload the page, or download the file.";
}
picture.addEventListener("load", open);
picture.addEventListener("error", fail);
if (picture.complete) picture.naturalWidth ? open() : fail(); // it was faster than this
new ResizeObserver(draw).observe(frame);
