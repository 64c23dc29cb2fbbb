// Light, dark or as the device says: shown at once, kept by the form's own post.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-theme-form]")) return;
  const chosen = event.submitter.value;
  document.documentElement.dataset.theme = chosen;
  for (const button of event.target.querySelectorAll("button[name=theme]")) {
    button.setAttribute("aria-pressed", String(button.value === chosen));
  }
});
