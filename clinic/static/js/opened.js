// What is approved together and opened one by one: closed once this runs, and told to the server when a person opens it, so that it can
// be said how much was approved unopened. Of what could not be told nothing is counted.
const label = document.querySelector("[data-unopened]");

for (const thing of document.querySelectorAll("details[data-opened]")) thing.open = false;
document.querySelector("[data-all-open]")?.remove();

document.addEventListener("click", async ({ target }) => {
  const thing = target.closest("details[data-opened]:not([open], [data-is-opened]) > summary")?.parentElement;
  const token = document.querySelector("input[name=csrf_token]");
  if (!thing || !token) return;
  const body = new URLSearchParams({ csrf_token: token.value });
  const answer = await fetch(thing.dataset.opened, { method: "POST", body, redirect: "manual" }).catch(() => null);
  if (answer?.status !== 204) return;
  thing.dataset.isOpened = "";
  const left = document.querySelectorAll("details[data-opened]:not([data-is-opened])").length;
  if (label) label.textContent = left ? `, ${left} not opened` : "";
});
