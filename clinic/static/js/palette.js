// The command palette: Ctrl or Cmd + K; arrows walk the answers, Enter opens the first.
const palette = document.getElementById("palette");

if (palette) {
  const field = palette.querySelector("input[type=search]");
  const links = () => [...palette.querySelectorAll("#palette-results a")];
  const open = () => {
    if (palette.open) return;
    palette.showModal();
    field.select();
    htmx.trigger(field, "palette:open");
  };
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      open();
    }
  });
  document.addEventListener("click", (event) => event.target.closest("[data-palette]") && open());
  // Typing into the bar's search goes on in the palette, which answers as one types; without JavaScript it is a plain form.
  const bar = document.getElementById("bar-search");
  bar?.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key.length > 1 && !["Process", "Unidentified"].includes(event.key)) return;
    field.value = bar.value;
    bar.value = "";
    open();
    field.setSelectionRange(field.value.length, field.value.length);
  });
  palette.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const all = [field, ...links()];
    all[(all.indexOf(document.activeElement) + by + all.length) % all.length].focus();
  });
  palette.querySelector("form").addEventListener("submit", (event) => {
    const first = links()[0];
    if (!first) return;
    event.preventDefault();
    first.click();
  });
}
