// A picture looked at closely, `[data-viewer]`: larger and smaller at the pointer (wheel, pinch, double click, buttons, + and -), moved by
// dragging or the arrow keys, turned, brightened. Nothing of it is kept, and the picture itself is never changed.
const viewer = document.querySelector("[data-viewer]");
const frame = viewer.querySelector("[data-view-frame]");
const picture = frame.querySelector("img");
const filters = [...viewer.querySelectorAll("[data-view-filter]")];
const MOST = 12;
const STEP = 1.3;
const pointers = new Map(); // those that are down, by id: {x, y}
let [scale, x, y, turns, isNegative] = [1, 0, 0, 0, false];

// As large as the frame allows: of its own pixels, on its side when it is turned.
const sides = () => [picture.naturalWidth || 1, picture.naturalHeight || 1];
const fit = (wide, high) => Math.min(frame.clientWidth / wide, frame.clientHeight / high);
const bounded = (value, most) => Math.min(Math.max(value, -most), most);

function draw() {
  const [wide, high] = turns % 2 ? sides().reverse() : sides();
  const shown = scale * fit(wide, high);
  x = bounded(x, Math.max(0, (wide * shown - frame.clientWidth) / 2));
  y = bounded(y, Math.max(0, (high * shown - frame.clientHeight) / 2));
  picture.style.transform = `translate(calc(${x}px - 50%), calc(${y}px - 50%)) rotate(${turns * 90}deg) scale(${shown})`;
  picture.style.filter = [...filters.map((one) => `${one.dataset.viewFilter}(${one.value}%)`), isNegative ? "invert(1)" : ""].join(" ");
  frame.classList.toggle("viewer-moves", scale > 1);
  viewer.querySelector("[data-view-scale]").textContent = `${Math.round(scale * 100)} %`;
}

// The place of the picture under `at` (of the page) stays there; without it, the middle does.
function zoom(by, at) {
  const box = frame.getBoundingClientRect();
  const [px, py] = at ? [at.x - box.x - box.width / 2, at.y - box.y - box.height / 2] : [0, 0];
  const next = Math.min(Math.max(scale * by, 1), MOST);
  x = px - ((px - x) * next) / scale;
  y = py - ((py - y) * next) / scale;
  scale = next;
  draw();
}

const acts = {
  in: () => zoom(STEP),
  out: () => zoom(1 / STEP),
  turn: () => (turns += 1),
  negative: (button) => button.setAttribute("aria-pressed", String((isNegative = !isNegative))),
  wide: (button) => button.setAttribute("aria-pressed", String(viewer.closest(".columns").classList.toggle("is-wide"))),
  reset: () => {
    [scale, x, y, turns, isNegative] = [1, 0, 0, 0, false];
    for (const one of filters) one.value = 100;
    viewer.querySelector("[data-view=negative]").setAttribute("aria-pressed", "false");
  },
};
viewer.addEventListener("click", (event) => {
  const button = event.target.closest("[data-view]");
  if (!button) return;
  acts[button.dataset.view](button);
  draw();
});
viewer.addEventListener("input", draw);

frame.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    zoom(STEP ** (-event.deltaY / (event.deltaMode ? 3 : 100)), event);
  },
  { passive: false },
);
frame.addEventListener("dblclick", (event) => zoom(scale > 1 ? 1 / scale : 3, event));
frame.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  frame.setPointerCapture(event.pointerId);
});
frame.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const now = { x: event.clientX, y: event.clientY };
  pointers.set(event.pointerId, now);
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
for (const kind of ["pointerup", "pointercancel"]) frame.addEventListener(kind, (event) => pointers.delete(event.pointerId));
frame.addEventListener("dragstart", (event) => event.preventDefault());
frame.addEventListener("keydown", (event) => {
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
viewer.classList.add("is-live");
picture.addEventListener("load", draw);
new ResizeObserver(draw).observe(frame);
