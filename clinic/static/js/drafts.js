// Keeps what is typed into a `form[data-draft]` on the server, for its author alone, and brings it back when the form is shown again.
// Only fields that differ from what the server sent are kept, so that an old draft never undoes somebody else's change.

const EVERY = 10_000; // ms of typing between two saves
const UNKEPT = new Set(["hidden", "password", "file", "submit", "button", "reset"]);
const drafts = new Map(); // form -> {timer, saved, sending}

const path = (form) => new URL(form.getAttribute("action"), location.href).pathname;
const kept = (form) => [...form.elements].filter((field) => field.name && !UNKEPT.has(field.type));
const checkable = (field) => field.type === "checkbox" || field.type === "radio";

function isChanged(field) {
  if (checkable(field)) return field.checked !== field.defaultChecked;
  if (field.options) return [...field.options].some((option) => option.selected !== option.defaultSelected);
  return field.value !== field.defaultValue;
}

function valuesOf(fields) {
  return fields.flatMap((field) => {
    if (checkable(field)) return field.checked ? [field.value] : [];
    return field.options ? [...field.selectedOptions].map((option) => option.value) : [field.value];
  });
}

function typed(form) {
  const names = new Set(kept(form).filter(isChanged).map((field) => field.name));
  return Object.fromEntries([...names].map((name) => [name, valuesOf(kept(form).filter((field) => field.name === name))]));
}

async function save(form) {
  const draft = drafts.get(form);
  clearTimeout(draft.timer);
  draft.timer = 0;
  const fields = JSON.stringify(typed(form));
  if (draft.sending || fields === draft.saved) return;
  draft.saved = fields;
  const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value, form: path(form), fields });
  const answer = await fetch("/drafts", { method: "POST", body, keepalive: fields.length < 20_000 }).catch(() => null);
  if (!answer?.ok) draft.saved = null; // try again with the next save
}

const saveAll = () => [...drafts.keys()].filter((form) => form.isConnected).map(save);

async function restore(form) {
  const answer = await fetch(`/drafts?form=${encodeURIComponent(path(form))}`, { redirect: "error" }).catch(() => null);
  if (answer?.status !== 200) return;
  const { fields } = await answer.json();
  drafts.get(form).saved = JSON.stringify(fields);
  for (const field of kept(form).filter((one) => fields[one.name] && !isChanged(one))) {
    const values = fields[field.name];
    if (checkable(field)) field.checked = values.includes(field.value);
    else if (field.options) for (const option of field.options) option.selected = values.includes(option.value);
    else field.value = values[kept(form).filter((one) => one.name === field.name).indexOf(field)] ?? "";
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  const note = form.querySelector("[data-draft-note]");
  if (note) note.textContent = "What you had typed is back.";
}

function adopt(root) {
  for (const form of root.querySelectorAll("form[data-draft]")) {
    if (drafts.has(form)) continue;
    drafts.set(form, { timer: 0, saved: "{}", sending: false });
    // A form that came back with complaints holds newer words than any draft.
    if (!form.querySelector('[aria-invalid="true"], [role="alert"]')) restore(form);
  }
}

document.addEventListener("input", ({ target, isTrusted }) => {
  const draft = isTrusted && drafts.get(target.form);
  if (draft && !draft.timer) draft.timer = setTimeout(save, EVERY, target.form);
});
document.addEventListener("submit", ({ target }) => {
  const draft = drafts.get(target);
  if (draft) [draft.sending, draft.timer] = [true, clearTimeout(draft.timer) ?? 0];
});
document.addEventListener("htmx:finally:request", ({ target, detail }) => {
  const draft = drafts.get(target);
  if (!draft) return;
  draft.sending = false;
  if (detail.ctx?.response?.status < 400) draft.saved = JSON.stringify(typed(target));
});
document.addEventListener("htmx:after:process", () => adopt(document));
document.addEventListener("visibilitychange", () => document.hidden && saveAll());
addEventListener("beforeunload", () => void saveAll());
document.addEventListener("drafts:save", ({ detail }) => detail.push(...saveAll())); // whoever asks waits for what is pushed
adopt(document);
