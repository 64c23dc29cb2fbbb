// Choosing teeth: tap, drag, shift, the keyboard, the buttons of a jaw or quadrant. A chosen tooth is `aria-selected`; it stays so when
// the mouth is drawn anew. Tells `chart:tap` (one tooth, perhaps a zone of it) and `chart:picked` (several at once).
const chart = document.getElementById("chart");
const all = () => [...chart.querySelectorAll(".tooth")];
const keyOf = (tooth) => tooth?.dataset.tooth;
const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
const chosen = new Set();
let here = null; // where the keyboard is
let anchor = null; // from where shift takes along
let from = null; // where a drag began
let dragged = false;

function show() {
  const teeth = all();
  const focus = teeth.find((tooth) => keyOf(tooth) === here) ?? teeth[0];
  for (const tooth of teeth) {
    tooth.setAttribute("aria-selected", chosen.has(keyOf(tooth)));
    tooth.setAttribute("tabindex", tooth === focus ? "0" : "-1");
  }
}
function choose(keys, add = false) {
  if (!add) chosen.clear();
  for (const key of keys) add === "toggle" && chosen.has(key) ? chosen.delete(key) : chosen.add(key);
  show();
}

// The picture's own rows, from above; a jaw has one, or two when primary teeth stand before permanent ones.
const rows = () => [...chart.querySelectorAll("#chart-svg [role=row]")].filter((row) => row.querySelector(".tooth"));
const mates = (tooth) => [...tooth.closest("[role=row]").querySelectorAll(".tooth")].sort((one, other) => middle(one) - middle(other));
const middle = (tooth) => tooth.getBoundingClientRect().x + tooth.getBoundingClientRect().width / 2;
function across(tooth, by) {
  const next = rows()[rows().indexOf(tooth.closest("[role=row]")) + by];
  const away = (other) => Math.abs(middle(other) - middle(tooth));
  return next && [...next.querySelectorAll(".tooth")].sort((one, other) => away(one) - away(other))[0];
}
function between(first, last) {
  const row = mates(first);
  if (!row.includes(last)) return [first, last];
  const [low, high] = [row.indexOf(first), row.indexOf(last)].sort((one, other) => one - other);
  return row.slice(low, high + 1);
}
const gone = () => chart.querySelector("#chart-mouth").dataset.gone.split(" ");
const several = () => chart.querySelector("[data-several]")?.getAttribute("aria-pressed") === "true";
const toothAt = (event) => document.elementFromPoint(event.clientX, event.clientY)?.closest?.("#chart-svg .tooth");

chart.addEventListener("pointerdown", (event) => {
  const tooth = event.target.closest?.("#chart-svg .tooth");
  if (!tooth || event.button) return;
  [from, dragged] = [tooth, false];
  if (event.pointerType === "touch") event.target.releasePointerCapture?.(event.pointerId);
});
chart.addEventListener("pointermove", (event) => {
  const to = from && toothAt(event);
  if (!to || (to === from && !dragged)) return;
  dragged = true;
  choose(between(from, to).map(keyOf));
});
addEventListener("pointercancel", () => (from = null));
addEventListener("pointerup", (event) => {
  if (!from) return;
  const [began, to] = [from, toothAt(event)];
  from = null;
  if (dragged) return tell("chart:picked");
  if (to !== began) return;
  const zone = event.target.closest?.("[data-zone]")?.dataset.zone;
  const last = anchor && document.getElementById(`tooth-${anchor}`);
  here = anchor = keyOf(began);
  if (event.shiftKey && last) choose(between(last, began).map(keyOf), true);
  else if (event.ctrlKey || event.metaKey || several()) choose([here], "toggle");
  else return tell("chart:tap", { tooth: here, zone, touch: event.pointerType === "touch" });
  tell("chart:picked");
});
document.addEventListener("chart:choose", ({ detail }) => choose(detail.teeth, detail.add));
document.addEventListener("chart:let-go", () => choose([]));
chart.addEventListener("focusin", ({ target }) => {
  if (!target.matches(".tooth")) return;
  here = keyOf(target);
  show();
});
let focused = null; // a tooth that loses the keyboard as it is drawn anew
document.addEventListener("htmx:before:swap", () => (focused = document.activeElement?.closest?.(".tooth")?.id));
document.addEventListener("htmx:after:swap", () => {
  show();
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus({ preventScroll: true });
});

// Primary quadrants 5 to 8 stand where 1 to 4 do.
const QUADRANTS = { upper: "1256", lower: "3478", q1: "15", q2: "26", q3: "37", q4: "48" };
chart.addEventListener("click", ({ target }) => {
  const area = target.closest("[data-teeth]")?.dataset.teeth;
  const button = target.closest("[data-several]");
  if (button) button.setAttribute("aria-pressed", !several());
  if (!area) return;
  choose(all().map(keyOf).filter((key) => QUADRANTS[area].includes(key[0]) && !gone().includes(key)));
  tell("chart:picked");
});

// The keyboard: arrows walk, shift takes along, space chooses, Enter taps; what is typed on a tooth is a line about it.
chart.addEventListener("keydown", (event) => {
  const tooth = event.target.closest?.("#chart-svg .tooth");
  if (!tooth || event.ctrlKey || event.metaKey || event.altKey) return;
  const row = mates(tooth);
  const place = row.indexOf(tooth);
  const to = { ArrowLeft: row[place - 1], ArrowRight: row[place + 1], Home: row[0], End: row.at(-1), ArrowUp: across(tooth, -1), ArrowDown: across(tooth, 1) }[event.key];
  if (to) {
    if (event.shiftKey) choose([keyOf(tooth), keyOf(to)], true);
    here = keyOf(to);
    show();
    to.focus();
  } else if (event.key === " ") choose([keyOf(tooth)], "toggle"), tell("chart:picked", { quietly: true });
  else if (event.key === "Enter") (here = keyOf(tooth)), tell("chart:tap", { tooth: here });
  else if (/^[\p{L}\d]$/u.test(event.key)) tell("chart:type", { tooth: keyOf(tooth), typed: event.key });
  else return;
  event.preventDefault();
});
show();
