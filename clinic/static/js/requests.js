// What a request shows while it runs and when it fails: a thin bar after 150 ms, a sentence when nothing came back.
const AFTER_MS = 150;
const bar = document.getElementById("loading");
const refusal = document.getElementById("refusal");
let running = 0;
let timer;
let refused; // whose request it was

function begin() {
  if (running++ === 0) timer = setTimeout(() => bar.classList.add("is-on"), AFTER_MS);
}

function end() {
  running = Math.max(running - 1, 0);
  if (running) return;
  clearTimeout(timer);
  bar.classList.remove("is-on");
}

// Regions that refresh themselves do so quietly.
const quiet = (ctx) => ctx.request.method === "GET" && /from:body|every |sse/.test(ctx.sourceElement.getAttribute("hx-trigger") ?? "");

// What is asked at each keystroke goes on beside an act: it takes nobody else's refusal away.
const typed = (ctx) => /input/.test(ctx.sourceElement.getAttribute("hx-trigger") ?? "");

function refuse(ctx, title, text) {
  const strong = document.createElement("strong");
  const words = document.createElement("p");
  const box = document.createElement("div");
  strong.textContent = `${title} `;
  words.append(strong, text);
  box.className = "refusal";
  box.append(words);
  refusal.replaceChildren(box);
  refused = ctx.sourceElement;
}

document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  if (quiet(ctx)) return;
  ctx.shown = true;
  if (!typed(ctx) || refused === ctx.sourceElement) refusal.replaceChildren();
  begin();
});
document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
  if (!ctx.shown) return;
  end();
  // A key is good for one act; a form that stays on the page gets a new one.
  const once = ctx.sourceElement.closest("form")?.querySelector("input[name=once][data-fresh]");
  if (once && ctx.response?.status < 400) once.value = crypto.getRandomValues(new Uint32Array(4)).join("-");
});
document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
  if (ctx && !quiet(ctx)) refuse(ctx, "No answer.", "The connection was cut before the server answered. Try again: nothing happens twice.");
});
// An error that is not in our own words (a proxy's page) is never swapped into the work.
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  if (ctx.response?.status < 500 || ctx.hx?.retarget || !ctx.response) return;
  event.preventDefault();
  if (!quiet(ctx)) refuse(ctx, "Busy for a moment.", "The server could not answer. Try again in a few seconds.");
});
// Not when a form asks whether to leave at all: one may stay.
addEventListener("beforeunload", (event) => setTimeout(() => event.defaultPrevented || begin()));
addEventListener("pageshow", (event) => event.persisted && end());
