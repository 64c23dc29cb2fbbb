// Acts that ask something open over the page they are asked from: any link with hx-target="#sheet-body". Without JavaScript, and
// opened in a tab of its own, the same link is a page.
const sheet = document.getElementById("sheet");
const body = document.getElementById("sheet-body");

if (sheet) {
  const within = (element) => element instanceof Element && body.contains(element);
  let asking = null;
  let shown = null; // what was put in last: a swap elsewhere opens nothing, least of all what is just closing

  document.addEventListener("htmx:after:swap", () => {
    if (!body.firstElementChild || body.firstElementChild === shown) return;
    shown = body.firstElementChild;
    if (!sheet.open) {
      asking = document.activeElement;
      sheet.showModal();
    }
    const first = [".is-wrong input", "[autofocus]", "input:checked", "input:not([type=hidden])"].map((one) => body.querySelector(one));
    first.find((element) => element)?.focus();
  });
  // Done, or somebody was faster: back to the page, which shows how it stands. A rule that refuses says so in the sheet.
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    if (!within(ctx.sourceElement) || ctx.request.method === "GET") return;
    const status = ctx.response?.status;
    if (status === 204 || status === 409) sheet.close();
    else if (ctx.hx?.retarget) body.firstElementChild.prepend(document.getElementById("refusal").firstElementChild.cloneNode(true));
  });
  sheet.addEventListener("close", () => {
    body.replaceChildren();
    if (asking?.isConnected) asking.focus({ preventScroll: true });
  });
  body.addEventListener("click", (event) => event.target.closest("[data-close]") && event.preventDefault());
}
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
