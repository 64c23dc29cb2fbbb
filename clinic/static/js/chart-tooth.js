// One tooth beside the mouth: what is on it and what may be done to it. It is fetched again when the mouth has changed, unless one types.
const chart = document.getElementById("chart");
const place = document.getElementById("chart-tooth");
let asked = null;

const look = (url) => htmx.ajax("GET", url, { target: "#chart-tooth", swap: "innerHTML" });
function open(key, from) {
  asked = from ?? null;
  look(`${chart.dataset.chart}/teeth/${key}`);
}
document.addEventListener("chart:look", ({ detail }) => open(detail.tooth, document.activeElement?.closest?.(".tooth")));
chart.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-place]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    open(link.dataset.place, link);
  }
  const key = event.target.closest("[data-key-link]");
  if (key && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    htmx.ajax("GET", key.href, { target: "#chart-key-place", swap: "innerHTML" });
    document.getElementById("chart-key-dialog").showModal();
  }
  if (event.target.closest("[data-panel-close]")) {
    place.replaceChildren();
    document.getElementById(asked?.id)?.focus();
  }
});
let isFresh = false; // what an act in the panel answered is how it stands
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  for (const button of place.querySelectorAll("[data-needs-js][hidden]")) button.hidden = false;
  const panel = place.querySelector("[data-panel]");
  if (!panel) return;
  if (ctx.request.action.includes("/chart/entries/")) isFresh = true;
  if (ctx.target === place && !asked?.matches?.(".tooth:focus")) place.querySelector("h2").focus({ preventScroll: true });
  if (!ctx.sourceElement?.matches?.("#chart-line-form, #chart-mouth")) return;
  if (!isFresh && !place.contains(document.activeElement)) look(panel.dataset.panel);
  isFresh = false;
});
