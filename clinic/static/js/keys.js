// The keyboard: j/k/Enter in a [data-keys="list"] of [data-key-row], single letters on [data-key], / and ? and Esc. Never while typing.
const TYPING = "input:not([type=checkbox], [type=radio], [type=button], [type=submit], [type=range]), textarea, select, [contenteditable]";
const shown = (element) => element.checkVisibility({ visibilityProperty: true });
let lastRow = null;

const openDialog = () => [...document.querySelectorAll("dialog[open]")].at(-1);

function step(by) {
  const rows = [...document.querySelectorAll('[data-keys="list"] [data-key-row]')].filter(shown);
  if (!rows.length) return false;
  const here = document.activeElement.closest("[data-key-row]");
  const at = rows.findIndex((row) => row === here || (!here && row.id && row.id === lastRow));
  const row = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)];
  if (!row.hasAttribute("tabindex")) row.tabIndex = -1;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
  lastRow = row.id;
  return true;
}

function press(key) {
  const within = openDialog() ?? document;
  const row = document.activeElement.closest("[data-key-row]");
  // Of the chosen row also what its closed menu holds.
  const found = [...(row?.querySelectorAll("[data-key]") ?? []), ...[...within.querySelectorAll("[data-key]")].filter(shown)];
  const target = found.filter((element) => element.dataset.key === key && !element.disabled);
  if (!target.length) return false;
  target[0].focus();
  target[0].click();
  return true;
}

function openRow() {
  if (!document.activeElement.matches("[data-key-row]")) return false;
  const row = document.activeElement;
  const target = row.matches("a[href]") ? row : (row.querySelector("[data-key-open]") ?? row.querySelector("a[href], button"));
  target?.click();
  return Boolean(target);
}

function search() {
  const field = [...document.querySelectorAll("[data-search]")].filter(shown).at(-1);
  field?.focus();
  field?.select();
  return Boolean(field);
}

function leave(target) {
  const menu = document.activeElement.closest("details.menu[open]") ?? document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (target.matches("[data-search]")) {
    target.blur();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return leave(event.target);
  if (event.target.closest(TYPING)) return;
  const done =
    (event.key === "j" && !openDialog() && step(1)) ||
    (event.key === "k" && !openDialog() && step(-1)) ||
    (event.key === "Enter" && openRow()) ||
    (event.key === "/" && !openDialog() && search()) ||
    (event.key === "?" && !openDialog() && showMap()) ||
    (event.key.length === 1 && press(event.key.toLowerCase()));
  if (done) event.preventDefault();
});

// The map of the keys that work on this page, in the page's own words.
function showMap() {
  const map = document.getElementById("keymap");
  if (!map) return false;
  const list = map.querySelector("[data-page-keys]");
  const known = new Map();
  for (const element of document.querySelectorAll("[data-key]")) {
    const words = element.cloneNode(true);
    words.querySelectorAll("kbd").forEach((kbd) => kbd.remove());
    const says = element.dataset.keySays ?? element.getAttribute("aria-label") ?? words.textContent.trim();
    if (!known.has(element.dataset.key)) known.set(element.dataset.key, says);
  }
  list.replaceChildren(
    ...[...known].flatMap(([key, says]) => {
      const [term, words, kbd] = ["dt", "dd", "kbd"].map((name) => document.createElement(name));
      kbd.textContent = key;
      term.append(kbd);
      words.textContent = says;
      return [term, words];
    }),
  );
  map.showModal();
  return true;
}
document.addEventListener("click", (event) => event.target.closest("[data-keymap]") && showMap());
