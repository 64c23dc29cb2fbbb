// The chart as of a day: on the slider, left and right go from marker to marker; and slider and markers tell of one another.
const form = document.querySelector("[data-as-of]");

if (form) {
  const slider = form.querySelector("input[type=range]");
  const marks = [...form.querySelectorAll("[data-at]")];
  const shown = () => Date.parse(document.getElementById("chart-as-of").dataset.at);
  let at = shown(); // what was asked for last, which may still be on its way

  slider.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!way || !marks.length) return;
    event.preventDefault();
    const ahead = marks.filter((mark) => way * (Date.parse(mark.dataset.at) - at) > 0);
    const next = way > 0 ? ahead[0] : ahead.at(-1);
    if (next) {
      next.click();
      next.scrollIntoView({ block: "nearest", inline: "center" });
    } else if (way > 0) {
      slider.value = slider.max;
      slider.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });
  form.addEventListener("click", (event) => {
    const mark = event.target.closest("[data-at]");
    if (!mark) return;
    slider.value = mark.dataset.day;
    at = Date.parse(mark.dataset.at);
  });
  document.addEventListener("htmx:after:swap", () => {
    at = shown();
    for (const mark of marks) mark.toggleAttribute("aria-current", Date.parse(mark.dataset.at) === at);
    for (const mark of form.querySelectorAll("[aria-current]")) mark.setAttribute("aria-current", "true");
  });
}
