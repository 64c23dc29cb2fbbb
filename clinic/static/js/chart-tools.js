// Tools: a kind, perhaps what is said of it, a status, surfaces, and teeth become a line. With a tool armed one taps teeth; with teeth
// chosen one taps a tool. What is complete is charted at once; what is not says what is missing.
const chart = document.getElementById("chart");
const hint = document.getElementById("chart-hint");
const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
const pressed = (selector) => [...chart.querySelectorAll(`${selector}[aria-pressed="true"]`)];
const press = (button, on) => button.setAttribute("aria-pressed", on);
const only = (button, selector) => chart.querySelectorAll(selector).forEach((each) => press(each, each === button));
const names = JSON.parse(chart.dataset.names);
const chosen = () => [...chart.querySelectorAll('.tooth[aria-selected="true"]')].map((tooth) => tooth.dataset.tooth);
const NAMES = { M: "mesial", D: "distal", O: "occlusal", I: "incisal", B: "buccal", F: "facial", L: "lingual", P: "palatal" };

const tool = () => pressed("[data-tool]")[0];
const option = () => pressed("[data-option]")[0];
const isSurfaces = () => tool()?.dataset.scope === "surfaces";
const surfaces = () => pressed("[data-surface]").map((button) => button.dataset.surface);
const letter = (surface) => chart.querySelector(`#tooth-${chosen()[0]} [data-zone="${surface}"]`)?.dataset.letter ?? surface;
const clearSurfaces = () => pressed("[data-surface]").forEach((button) => press(button, false));

function status() {
  const may = tool().dataset.statuses.split(" ").filter(Boolean);
  const wanted = pressed("[data-status]")[0]?.dataset.status;
  return may.length ? (may.includes(wanted) ? wanted : may[0]) : "";
}
function composed() {
  const jaw = tool().dataset.scope === "arch" && chosen().length === 1 && /complete/.test(option()?.dataset.option);
  const teeth = jaw ? ("1256".includes(chosen()[0][0]) ? "upper" : "lower") : chosen().map((key) => names[key] ?? key).join(",");
  const on = isSurfaces() ? surfaces().map(letter).join("").toLowerCase() : "";
  return [teeth, on, option()?.dataset.option ?? tool().dataset.tool, status()].filter(Boolean).join(" ");
}
// What is missing before it can be charted; nothing when it is complete.
function missing() {
  if (!tool()) return chosen().length ? "Choose what to chart on them." : "Choose a tool, or a tooth.";
  if ("needs" in tool().dataset && !option()) return `${tool().textContent}: choose ${tool().dataset.asks.toLowerCase()}.`;
  if (!chosen().length) return `${tool().textContent}: tap teeth.`;
  if (isSurfaces() && !surfaces().length && !("whole" in tool().dataset)) return `${tool().textContent}: choose surfaces.`;
  return tool().dataset.scope === "span" && chosen().length < 2 ? `${tool().textContent}: take all its teeth.` : "";
}
function send() {
  if (missing()) return draw();
  tell("chart:send", { line: composed() });
  clearSurfaces();
  tell("chart:let-go");
  draw();
}
// What is being put together stands in the line; Enter and "Chart it" chart it.
const isPending = () => tool() && !missing();
const pend = () => (draw(), isPending() && tell("chart:show", { line: composed() }));

function draw() {
  const [first] = chosen();
  const on = chosen().map((key) => names[key] ?? key).join(", ");
  hint.textContent = [on && `On ${on}.`, missing() || "Enter or “Chart it”."].filter(Boolean).join(" ");
  chart.querySelector(".chart-surfaces").hidden = !first || Boolean(tool() && !isSurfaces());
  chart.classList.toggle("is-armed", Boolean(tool()));
  const cross = chart.querySelector(".surface-cross");
  cross.classList.toggle("is-lower", "3478".includes(first?.[0]));
  cross.classList.toggle("is-left", "2367".includes(first?.[0]));
  for (const button of chart.querySelectorAll("[data-surface]")) {
    button.textContent = letter(button.dataset.surface);
    button.setAttribute("aria-label", NAMES[button.textContent]);
    button.disabled = tool() && !(tool().dataset.surfaces ?? "MODBL").includes(button.dataset.surface);
  }
  for (const button of chart.querySelectorAll("[data-quick]")) {
    button.textContent = [...button.dataset.quick].map(letter).join("");
    button.disabled = [...button.dataset.quick].some((each) => !(tool()?.dataset.surfaces ?? "MODBL").includes(each));
  }
  for (const zone of chart.querySelectorAll("#chart-svg .zone")) {
    const is = zone.closest(".tooth").getAttribute("aria-selected") === "true" && surfaces().includes(zone.dataset.zone);
    zone.classList.toggle("is-marked", is);
  }
}
function offer() {
  const box = chart.querySelector(".tool-options");
  const options = JSON.parse(tool()?.dataset.options ?? "[]");
  box.hidden = !options.length;
  box.firstElementChild.textContent = tool()?.dataset.asks ?? "";
  box.lastElementChild.replaceChildren(
    ...options.map(([label, word, means]) => {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "tool-choice", textContent: label, title: means, ariaLabel: means });
      button.dataset.option = word;
      press(button, false);
      return button;
    }),
  );
  for (const button of chart.querySelectorAll("[data-status]")) button.disabled = Boolean(tool() && !tool().dataset.statuses.split(" ").includes(button.dataset.status));
}

const CLICKS = {
  "[data-group]": (button) => {
    only(button, "[data-group]");
    for (const list of chart.querySelectorAll("[data-group-list]")) list.hidden = list.dataset.groupList !== button.dataset.group;
  },
  "[data-tool]": (button) => {
    const [was, had] = [tool(), chosen().length];
    if (was && isPending()) send();
    only(was === button ? null : button, "[data-tool]");
    offer();
    if (!was && had && !missing() && button.dataset.scope !== "span") return send(), only(null, "[data-tool]"), offer(), draw();
    pend();
  },
  "[data-option]": (button) => {
    only(button.getAttribute("aria-pressed") === "true" ? null : button, "[data-option]");
    chosen().length && !missing() && tool().dataset.scope !== "span" && !isSurfaces() ? send() : pend();
  },
  "[data-status]": (button) => (only(button, "[data-status]"), pend()),
  "[data-surface]": (button) => (press(button, button.getAttribute("aria-pressed") !== "true"), pend()),
  "[data-quick]": (button) => {
    for (const each of chart.querySelectorAll("[data-surface]")) press(each, button.dataset.quick.includes(each.dataset.surface));
    tool() ? send() : draw();
  },
  "[data-let-go]": () => letGo(),
};
chart.addEventListener("click", (event) => {
  for (const [selector, act] of Object.entries(CLICKS)) {
    const found = event.target.closest(selector);
    if (found) return act(found);
  }
});
document.addEventListener("chart:tap", ({ detail: { tooth, zone, touch } }) => {
  const same = chosen().includes(tooth);
  const surface = () => !touch && zone && chart.querySelector(`[data-surface="${zone}"]:not([disabled])`);
  if (!tool()) {
    if (!same) tell("chart:choose", { teeth: [tooth] }), clearSurfaces(), tell("chart:look", { tooth });
    draw();
    return surface() && surface().click();
  }
  const scope = tool().dataset.scope;
  if (scope === "span" || (scope === "arch" && !/complete/.test(option()?.dataset.option))) return tell("chart:choose", { teeth: [tooth], add: "toggle" }), pend();
  if (!same && isPending()) send();
  if (!same) clearSurfaces(), tell("chart:choose", { teeth: [tooth] });
  draw();
  const button = isSurfaces() && surface();
  if (!isSurfaces() || ("whole" in tool().dataset && !button)) return send();
  if (button) button.click();
  else if (same && surfaces().length) send();
  else pend();
});
function letGo() {
  only(null, "[data-tool]");
  offer();
  clearSurfaces();
  tell("chart:let-go");
  tell("chart:show", { line: "" });
  draw();
}
document.addEventListener("chart:picked", () => pend());
document.addEventListener("chart:refused", () => (clearSurfaces(), tell("chart:let-go"), draw()));
document.addEventListener("chart:sent", () => (clearSurfaces(), tell("chart:let-go"), draw()));
document.addEventListener("htmx:after:swap", draw);
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") letGo();
  if (event.key === "Enter" && event.target === document.body && isPending()) send();
});
if (hint) draw();
