// A patient signs with a finger or a pen. The picture goes with its form, in a field; without this it is signed on paper.
const INK = "#000000";

for (const part of document.querySelectorAll("[data-signature]")) {
  const canvas = part.querySelector("[data-signature-canvas]");
  const field = part.closest("form").querySelector("[data-signature-field]");
  const pen = canvas.getContext("2d");
  let last = null;
  part.hidden = false;

  const blank = () => {
    pen.fillStyle = "#ffffff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
  };
  const place = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    return [((clientX - box.left) * canvas.width) / box.width, ((clientY - box.top) * canvas.height) / box.height];
  };
  const draw = (to) => {
    Object.assign(pen, { strokeStyle: INK, lineWidth: 5, lineCap: "round", lineJoin: "round" });
    pen.beginPath();
    pen.moveTo(...last);
    pen.lineTo(...to);
    pen.stroke();
    last = to;
  };
  const lift = () => {
    if (last) field.value = canvas.toDataURL("image/png");
    last = null;
  };

  blank();
  if (field.value) {
    const before = new Image();
    before.addEventListener("load", () => pen.drawImage(before, 0, 0));
    before.src = field.value;
  }
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    draw(last);
  });
  canvas.addEventListener("pointermove", (event) => last && draw(place(event)));
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  part.querySelector("[data-signature-clear]").addEventListener("click", () => {
    blank();
    field.value = "";
  });
}
