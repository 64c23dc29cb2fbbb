// Toasts: what an act did, in words, for ten seconds; pointing at one or focusing its button keeps it.
const SHOWN_MS = 10_000;
const place = document.getElementById("toasts");

function keepFor(toast) {
  let left = SHOWN_MS;
  let since = performance.now();
  let timer = setTimeout(() => dismiss(toast), left);
  const pause = () => {
    clearTimeout(timer);
    left -= performance.now() - since;
  };
  const go = () => {
    since = performance.now();
    timer = setTimeout(() => dismiss(toast), Math.max(left, 2_000));
  };
  toast.addEventListener("mouseenter", pause);
  toast.addEventListener("mouseleave", go);
  toast.addEventListener("focusin", pause);
  toast.addEventListener("focusout", go);
}

function dismiss(toast) {
  const hadFocus = toast.contains(document.activeElement);
  toast.remove();
  if (hadFocus) document.getElementById("main").focus({ preventScroll: true });
}

function freshKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function say({ text, undo }) {
  const toast = document.getElementById("toast-pattern").content.firstElementChild.cloneNode(true);
  toast.querySelector("p").textContent = text;
  const form = toast.querySelector("form");
  if (undo) {
    form.action = undo;
    form.setAttribute("hx-post", undo);
    form.elements.once.value = freshKey();
  } else {
    form.remove();
  }
  while (place.children.length > 2) place.lastElementChild.remove();
  place.prepend(toast); // the newest comes first: `u` undoes it
  if (undo) htmx.process(toast);
  keepFor(toast);
}

if (place) {
  document.body.addEventListener("say", (event) => event.detail?.text && say(event.detail));
  for (const toast of place.querySelectorAll(".toast")) keepFor(toast);
  place.addEventListener("click", (event) => event.target.closest("[data-dismiss]") && dismiss(event.target.closest(".toast")));
  place.addEventListener("htmx:finally:request", (event) => {
    if (event.detail.ctx.response?.status < 400) dismiss(event.target.closest(".toast"));
  });
  const url = new URL(location.href);
  if (url.searchParams.has("said")) {
    url.searchParams.delete("said");
    history.replaceState(history.state, "", url);
  }
}
