// How old the page is. Proof of life comes from the stream (a word every 8 s) or, when the stream is blocked or down, from regions
// that refetch themselves upon `live:poll`, every 4 s. Without any the page says its age: a queue that looks live and is not is a hazard.
const OLD = 10_000;
const STALE = 30_000;
const POLL = 4_000;
const ASK_AGAIN = 15_000;
const element = document.querySelector("[data-live]");
const words = element?.querySelector("[data-live-words]");
const banner = document.querySelector("[data-live-stale]");
let heard = 0; // from the stream
let seen = Date.now(); // from the stream or a poll
let polled = seen;
let asked = seen;
let missed = false; // a region asked in vain: on a page that is called live it must not go on showing what was

const tell = (name) => document.body.dispatchEvent(new CustomEvent(name));
const isStreaming = () => Date.now() - heard < OLD;

function poll() {
  polled = Date.now();
  missed = false;
  tell("live:poll");
}

function said(age) {
  if (age > OLD) return age < 120_000 ? `${Math.round(age / 1000)} s old` : `${Math.floor(age / 60_000)} min old`;
  return isStreaming() ? "live" : "checked every 4 s";
}

function show() {
  const age = Date.now() - seen;
  const state = age > OLD ? "old" : isStreaming() ? "live" : "polling";
  if (element.dataset.live !== state) element.dataset.live = state;
  if (words && words.textContent !== said(age)) words.textContent = said(age);
  if (banner) banner.hidden = age < STALE;
}

function tick() {
  const at = Date.now();
  if ((missed || !isStreaming()) && !document.hidden && at - polled >= POLL) poll();
  if (!isStreaming() && !document.hidden) {
    if (at - asked >= ASK_AGAIN) {
      asked = at;
      tell("live:connect"); // heard by hx-sse only when it gave up, as after a refusal for lack of room
    }
  }
  show();
}

if (element) {
  element.addEventListener("htmx:sse:before:message", () => {
    heard = seen = Date.now();
    show();
  });
  for (const lost of ["error", "close", "before:connection"]) element.addEventListener(`htmx:sse:${lost}`, () => (heard = 0));
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    const region = ctx.sourceElement;
    if (!region.getAttribute("hx-trigger")?.includes("live:poll")) return;
    const status = ctx.response?.status ?? 503;
    if (status >= 500) missed = true;
    if (status < 300 && !region.closest(".bar")) seen = Date.now(); // the counts in the bar say nothing of how old the page below is
  });
  document.addEventListener("visibilitychange", () => document.hidden || poll());
  setInterval(tick, 1000);
}
