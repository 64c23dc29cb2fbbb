// Adding documents: takes over `form[data-upload]`. Files are chosen, dropped or pasted anywhere on the page, or taken by the camera; each
// waits in a row until the form is sent, and has its own progress, Cancel and Try again. Without this the form sends one file.
import { sent } from "./upload-file.js";

const AT_ONCE = 2;
const PREVIEWED = 20e6; // bytes
const FILED = { unread: "In the record; open it and say what it is", quarantined: "In quarantine: nobody can open it; open the page to see why" };
const form = document.querySelector("form[data-upload]");
const find = (what) => form.querySelector(what);
const [plain, photo] = [find("[name=file]"), find("[capture]")]; // no camera where its pictures are not taken
const [list, said, words, pattern] = ["[data-uploads]", "[data-upload-said]", "[data-upload-words]", "template"].map(find);
const isOne = form.dataset.upload === "one";
const rows = new Map(); // element -> {file, state: waiting | queued | sending | failed | done, number, fields, stop}
let files = 0; // each is another document, named by its number in the address
let leaving = false;

const of = (state) => [...rows.values()].filter((row) => row.state === state);
const size = (bytes) => {
  const [unit, scale] = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]].find(([, least]) => bytes >= least) ?? ["bytes", 1];
  return `${(bytes / scale).toFixed(scale === 1 || bytes >= 100 * scale ? 0 : 1)} ${unit}`;
};
const lasting = (seconds) => (seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`);

function show(row, state, sentence = "") {
  row.state = state;
  row.element.dataset.state = state;
  row.part(".upload-state").textContent = sentence;
  row.part("progress").hidden = state !== "sending";
  row.part("[data-act=retry]").hidden = state !== "failed" || row.isTooLarge;
  const cancel = row.part("[data-act=cancel]");
  cancel.hidden = state === "done";
  cancel.textContent = state === "sending" ? "Cancel" : "Remove";
  cancel.setAttribute("aria-label", `${cancel.textContent} ${row.file.name}`);
  const waiting = of("waiting").length;
  words.textContent = `Add ${waiting > 1 ? `${waiting} files ` : ""}to the record of ${form.dataset.add}`;
}

function preview(row) {
  if (!/^image\/(jpeg|png|webp)$/.test(row.file.type) || row.file.size > PREVIEWED) return;
  const picture = new Image();
  picture.alt = "";
  picture.addEventListener("load", () => (URL.revokeObjectURL(picture.src), row.part(".upload-picture").replaceChildren(picture)));
  picture.src = URL.createObjectURL(row.file);
}

function add(chosen) {
  const panel = form.closest("details");
  if (panel) panel.open = true;
  if (isOne) for (const row of of("waiting")) remove(row);
  for (const file of isOne ? [...chosen].slice(0, 1) : chosen) {
    const element = pattern.content.firstElementChild.cloneNode(true);
    const row = { file, element, number: files++, part: (what) => element.querySelector(what) };
    row.part("bdi").textContent = file.name;
    row.part("[data-size]").textContent = size(file.size);
    row.part("progress").setAttribute("aria-label", `Sent of ${file.name}`);
    rows.set(element, row);
    list.append(element);
    preview(row);
    row.isTooLarge = file.size > Number(form.dataset.most);
    if (row.isTooLarge) show(row, "failed", `Too large: a file may have ${form.dataset.mostWords} at most.`);
    else show(row, "waiting");
  }
  said.textContent = "";
  list.lastElementChild?.scrollIntoView({ block: "nearest" });
}

function remove(row) {
  row.stop?.abort();
  const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
  rows.delete(row.element);
  if (row.element.contains(document.activeElement)) (next?.querySelector("button:not([hidden]), a:not([hidden])") ?? find("[data-upload-choose]")).focus();
  row.element.remove();
  for (const other of of("waiting").slice(0, 1)) show(other, "waiting");
}

async function send(row) {
  show(row, "sending", "Being read");
  row.stop = new AbortController();
  const began = performance.now();
  const bar = row.part("progress");
  bar.removeAttribute("value");
  const progress = (loaded, total) => {
    const [share, seconds] = [loaded / total, (performance.now() - began) / 1000];
    bar.value = share;
    row.part("[data-act=cancel]").hidden = share === 1;
    row.part(".upload-state").textContent =
      share < 1 ? `${Math.floor(share * 100)} %, ${size(loaded / seconds)} a second, ${lasting(((1 - share) * seconds) / share)} left` : "Being checked and stored";
  };
  const outcome = await sent(row.file, row.fields, `${form.getAttribute("action")}&file=${row.number}`, { progress, signal: row.stop.signal });
  if (outcome.url) finish(row, outcome.url);
  else if (rows.has(row.element)) {
    if (!outcome.cut) row.number = files++;
    show(row, "failed", outcome.sentence);
    said.textContent = `${row.file.name} was not added. ${outcome.sentence}`;
  }
  next();
}

function finish(row, url) {
  if (isOne) return (leaving = true), location.assign(url);
  const link = row.part("a");
  link.href = url;
  link.hidden = false;
  link.setAttribute("aria-label", `Open ${row.file.name}`);
  const how = new URL(url, location.href).searchParams.get("added");
  show(row, "done", FILED[how] ?? "In the record");
  said.textContent = `${row.file.name} is in ${how === "quarantined" ? "quarantine" : "the record"}.`;
  document.body.dispatchEvent(new CustomEvent("documents:changed"));
}

function next() {
  for (const row of of("queued").slice(0, AT_ONCE - of("sending").length)) send(row);
  if (of("sending").length || rows.size < 2) return;
  const [added, failed] = [of("done").length, of("failed").length];
  const number = (count) => `${count} ${count === 1 ? "file" : "files"}`;
  said.textContent = `${number(added)} in the record${failed ? `, ${number(failed)} not added` : ""}.`;
}

function queue(some) {
  const fields = [...new FormData(form)];
  for (const row of some) {
    row.fields = fields;
    show(row, "queued", "Waits its turn");
  }
  next();
}

plain.multiple = !isOne;
plain.required = false;
find("[data-upload-plain]").hidden = true;
find("[data-upload-choose]").addEventListener("click", () => plain.click());
find("[data-upload-photo]")?.addEventListener("click", () => photo.click());
for (const input of [plain, photo].filter(Boolean)) {
  const take = () => {
    if (input.files.length) add([...input.files]);
    input.value = "";
  };
  input.addEventListener("change", take);
  take(); // what was chosen before this ran
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!of("waiting").length) said.textContent = "Choose a file first.";
  queue(of("waiting"));
});
list.addEventListener("click", ({ target }) => {
  const row = rows.get(target.closest("li"));
  const act = target.closest("[data-act]")?.dataset.act;
  if (act === "cancel") remove(row);
  if (act === "retry") queue([row]);
});

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
const over = (is) => document.body.classList.toggle("drop-here", is);
document.addEventListener("dragover", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  over(true);
});
document.addEventListener("dragleave", (event) => event.relatedTarget || over(false));
document.addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  over(false);
  add([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => {
  const { files: pasted, types } = event.clipboardData;
  if (!pasted.length || (types.includes("text/plain") && event.target.matches?.("input, textarea"))) return;
  event.preventDefault();
  add([...pasted]);
});
addEventListener("beforeunload", (event) => {
  if (!leaving && ["waiting", "queued", "sending"].some((state) => of(state).length)) event.preventDefault();
});
document.addEventListener("drafts:save", () => (leaving = true)); // a terminal that locks asks nobody
