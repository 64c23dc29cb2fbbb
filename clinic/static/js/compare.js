// Two pictures, `[data-compare]`: beside one another, or the second over the first up to where the slider stands; dragged on them too.
const place = document.querySelector("[data-compare]");
const button = place.querySelector("[data-compare-over]");
const slider = place.querySelector("input[type=range]");
const sides = place.querySelector(".compare-sides");
const above = sides.querySelector("figure:last-child img");

function draw() {
  const isOver = button.getAttribute("aria-pressed") === "true";
  place.classList.toggle("is-over", isOver);
  above.style.clipPath = isOver ? `inset(0 0 0 ${slider.value}%)` : "";
}

button.addEventListener("click", () => {
  button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
  draw();
});
slider.addEventListener("input", draw);
for (const kind of ["pointerdown", "pointermove"]) {
  sides.addEventListener(kind, (event) => {
    if (!event.buttons || event.target.tagName !== "IMG" || !place.matches(".is-over")) return;
    const box = above.getBoundingClientRect();
    slider.value = ((event.clientX - box.x) / box.width) * 100;
    draw();
  });
}
sides.addEventListener("dragstart", (event) => event.preventDefault());
