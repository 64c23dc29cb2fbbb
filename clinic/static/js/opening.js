// What opens and closes: menus close on a click outside, [data-opens="id"] opens a dialog, [data-close] closes it.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu.contains(event.target) && !event.target.closest(".menu-items a, .menu-items button")) continue;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus({ preventScroll: true });
    menu.open = false;
  }
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  if (event.target.matches("dialog[open]")) {
    const box = event.target.getBoundingClientRect();
    const outside = event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
    if (outside && event.detail) event.target.close();
  }
});
// Only one menu is open at a time.
document.addEventListener(
  "toggle",
  (event) => {
    if (!event.target.matches("details.menu[open]")) return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== event.target && !menu.contains(event.target)) menu.open = false;
    }
  },
  true,
);
// A live region that was redrawn took away the button that was just pressed: its card keeps the focus, at its first button.
let card = null;
document.addEventListener("htmx:before:swap", () => (card = document.activeElement?.closest("article[id], li[id]")?.id));
document.addEventListener("htmx:after:swap", () => {
  if (card && document.activeElement === document.body) {
    document.getElementById(card)?.querySelector("button, a")?.focus({ preventScroll: true });
  }
  card = null;
});
// Buttons that need JavaScript are hidden in the page and shown here.
for (const element of document.querySelectorAll("[data-needs-js][hidden]")) element.hidden = false;
