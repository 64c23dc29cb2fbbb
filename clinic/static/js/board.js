// The board between two changes: waits and thresholds go on by the minute, a moved card is marked, a second click hits nothing.
const MOVED_MS = 2_000;
const words = (ms) => {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
};

// The server's clock counts: a terminal's may be wrong.
let ahead = 0;
let told = null;

function tick() {
  const source = document.querySelector("[data-now]");
  if (source && source.dataset.now !== told) {
    told = source.dataset.now;
    ahead = Date.parse(told) - Date.now();
  }
  const now = Date.now() + ahead;
  for (const time of document.querySelectorAll("time[data-since]")) {
    const text = words(now - Date.parse(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
  for (const card of document.querySelectorAll("[data-level]")) {
    const minutes = (now - Date.parse(card.querySelector(".q-wait time").dateTime)) / 60_000;
    const level = minutes >= card.dataset.very ? "very_long" : minutes >= card.dataset.long ? "long" : "ok";
    if (card.dataset.level === level) continue;
    card.dataset.level = level;
    card.querySelector(".q-level").textContent = level === "ok" ? "" : level.replace("_", " ");
  }
  for (const clock of document.querySelectorAll("[data-clock]")) {
    const parts = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: clock.dataset.clock };
    clock.textContent = new Date(now).toLocaleTimeString("en-GB", parts);
  }
}
if (document.querySelector("[data-now]")) setInterval(tick, 5_000);

// Where each card stood before the board was refetched, and what had the focus.
let before = null;
const entries = (board) => new Map([...board.querySelectorAll("[data-entry]")].map((card) => [card.id, card.dataset.entry]));
document.addEventListener("htmx:before:swap", () => {
  const board = document.getElementById("queue-board");
  if (!board) return;
  before = { entries: entries(board), row: document.activeElement?.closest("[data-key-row]")?.id };
});
document.addEventListener("htmx:after:swap", () => {
  const board = document.getElementById("queue-board");
  if (!board || !before) return;
  for (const card of board.querySelectorAll("[data-entry]")) {
    if (before.entries.get(card.id) === card.dataset.entry) continue;
    // By animation and not by a class: the next refetch may come within the two seconds.
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const ring = ["var(--focus)", "transparent"].map((colour) => ({ boxShadow: `0 0 0 3px ${colour}` }));
    card.animate(ring, { duration: MOVED_MS, easing: still ? "steps(1, end)" : "ease-in", id: "moved" });
  }
  // The button that was pressed is gone with its stage; the card is still the one that is worked on.
  if (document.activeElement === document.body && before.row) document.getElementById(before.row)?.focus({ preventScroll: true });
  before = null;
  tick();
});
// After the first click another card may have come under the pointer.
document.addEventListener("click", (event) => event.detail > 1 && event.target.closest("#queue-board button, #queue-board a") && event.preventDefault(), true);
