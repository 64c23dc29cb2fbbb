// Keeps what is typed into a `form[data-draft]`, for its author alone: on the server, and with every letter on this terminal, encrypted
// with a key that the server gives to this person with the page and that is stored nowhere. So a cut line, an ended session or a lock
// loses nothing, and the next person here can read nothing. Only fields that differ from what the server sent are kept, so that an old
// draft never undoes somebody else's change.

const EVERY = 5000; // ms of typing between two saves on the server, and between two tries
const UNKEPT = new Set(["hidden", "password", "file", "submit", "button", "reset"]);
const PREFIX = "chairside-draft.";
const SENT = "chairside-draft-sent"; // of this tab: what was sent last and by which key, to be looked up on the next page
const meta = document.querySelector("meta[name=draft-key]");
const days = Number(meta?.dataset.days ?? 30);
const keys = keysOf(meta?.content);
const drafts = new Map(); // form -> what is known of its draft, see `adopt`
meta?.remove();

const path = (form) => new URL(form.getAttribute("action"), location.href).pathname;
const kept = (form) => [...form.elements].filter((field) => field.name && !UNKEPT.has(field.type));
const checkable = (field) => field.type === "checkbox" || field.type === "radio";
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// --- what a form says ------------------------------------------------------------------------------------------------

function isChanged(field) {
  if (drafts.get(field.form)?.complained) return true; // what it came with is not stored anywhere else
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

function bring(form, fields) {
  let brought = false;
  for (const field of kept(form).filter((one) => fields[one.name])) {
    const values = fields[field.name];
    const before = JSON.stringify(valuesOf([field]));
    if (checkable(field)) field.checked = values.includes(field.value);
    else if (field.options) for (const option of field.options) option.selected = values.includes(option.value);
    else {
      const value = values[kept(form).filter((one) => one.name === field.name).indexOf(field)] ?? "";
      if (field.value !== value) field.value = value; // else the caret would jump
    }
    if (JSON.stringify(valuesOf([field])) === before) continue;
    brought = true;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  return brought;
}

// What is to be in the form when both sides went on from `base`: whoever changed a field has it; where both did, nothing is lost.
function merged(form, base, here, there) {
  const found = {};
  for (const name of new Set([...Object.keys(here), ...Object.keys(there)])) {
    const [was, mine, theirs] = [base[name], here[name], there[name]];
    if (mine === undefined || same(mine, was)) found[name] = theirs;
    else if (theirs === undefined || same(theirs, was) || same(mine, theirs)) found[name] = mine;
    else if (form.elements[name]?.type !== "textarea" || mine[0].includes(theirs[0])) found[name] = mine;
    else found[name] = theirs[0].includes(mine[0]) ? theirs : [`${theirs[0]}\n\n${mine[0]}`];
  }
  return Object.fromEntries(Object.entries(found).filter(([, values]) => values !== undefined));
}

// --- on this terminal ------------------------------------------------------------------------------------------------

async function keysOf(given) {
  if (!given || !globalThis.crypto?.subtle) return null; // no HTTPS: only the server keeps
  const raw = Uint8Array.from(atob(given), (letter) => letter.charCodeAt(0));
  const [seal, name] = await Promise.all([
    crypto.subtle.importKey("raw", raw.slice(0, 32), "AES-GCM", false, ["encrypt", "decrypt"]),
    crypto.subtle.importKey("raw", raw.slice(32), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]),
  ]).catch(() => []);
  return seal ? { seal, name } : null;
}

const inLetters = (bytes) => btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""));
const inBytes = (letters) => Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));

// Where a form's draft lies: not even which form it is can be read from it.
async function placeOf(form) {
  const mine = await keys;
  return mine && PREFIX + inLetters(await crypto.subtle.sign("HMAC", mine.name, new TextEncoder().encode(path(form))));
}

async function find(place) {
  const [, sealed] = (place && localStorage.getItem(place))?.split(" ") ?? [];
  if (!sealed) return null;
  const bytes = inBytes(sealed);
  const open = { name: "AES-GCM", iv: bytes.slice(0, 12), additionalData: new TextEncoder().encode(place) };
  const plain = await crypto.subtle.decrypt(open, (await keys).seal, bytes.slice(12)).catch(() => null);
  return plain && JSON.parse(new TextDecoder().decode(plain));
}

async function put(place, held) {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const how = { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(place) };
  const sealed = new Uint8Array(await crypto.subtle.encrypt(how, (await keys).seal, new TextEncoder().encode(held)));
  localStorage.setItem(place, `${Date.now()} ${inLetters([...iv, ...sealed])}`);
}

// Write what the form says now. It is read at once; of several writes that wait only the last is done.
function remember(form) {
  const draft = drafts.get(form);
  const fields = typed(form);
  if (!draft.gone) draft.next = JSON.stringify({ fields, base: draft.base, once: draft.once, sent: draft.sent });
  draft.writing ??= write(draft).finally(() => {
    draft.writing = null;
    return draft.next === null ? undefined : remember(form);
  });
  return draft.writing;
}

async function write(draft) {
  draft.place ??= await draft.placed;
  await draft.found; // what lies there is read before it is written over
  while (draft.next !== null && !draft.gone) {
    const held = draft.next;
    draft.next = null;
    if (draft.place) await put(draft.place, held).then(() => (draft.isHere = true), () => (draft.isHere = false));
  }
  if (draft.gone && draft.place) localStorage.removeItem(draft.place);
}

function forget(form) {
  const draft = drafts.get(form);
  [draft.gone, draft.next, draft.base, draft.mark] = [true, null, {}, ""]; // until something is typed again
  if (draft.place) localStorage.removeItem(draft.place);
}

// What is too old goes, whoever's it is; what was sent by a form that has left its page goes once the server says that it came.
async function tidy() {
  const oldest = Date.now() - days * 86_400_000;
  for (const place of Object.keys(localStorage)) {
    if (place.startsWith(PREFIX) && !(Number(localStorage.getItem(place).split(" ")[0]) > oldest)) localStorage.removeItem(place);
  }
  const [place, once] = sessionStorage.getItem(SENT)?.split(" ") ?? [];
  if (!once || !(await keys)) return;
  const answer = await fetch(`/drafts?once=${encodeURIComponent(once)}`, { redirect: "error" }).catch(() => null);
  if (answer?.status === 200 && (await answer.json()).sent && (await find(place))?.once === once) localStorage.removeItem(place);
  if (answer?.ok) sessionStorage.removeItem(SENT);
}

// --- on the server ---------------------------------------------------------------------------------------------------

async function save(form) {
  const draft = drafts.get(form);
  clearTimeout(draft.timer);
  draft.timer = 0;
  const fields = typed(form);
  const here = remember(form);
  if (draft.sending || draft.gone || (draft.ready && same(fields, draft.base))) return here;
  if (!draft.ready) {
    await Promise.all([here, restore(form)]); // what the server holds is not written over unseen
    return undefined;
  }
  const said = JSON.stringify(fields);
  const { csrf_token: token, once } = form.elements;
  const body = new URLSearchParams({ csrf_token: token.value, form: path(form), fields: said, once: once?.value ?? "", mark: draft.mark });
  const answer = await fetch("/drafts", { method: "POST", body, redirect: "manual", keepalive: said.length < 20_000 }).catch(() => null);
  await here;
  if (answer?.status === 204) {
    [draft.base, draft.mark] = [fields, answer.headers.get("X-Draft") ?? ""];
    await remember(form);
    say(form, `Kept ${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false })}`);
  } else if (answer?.status === 409) meet(form, await answer.json());
  else cut(form, answer);
  return undefined;
}

function cut(form, answer) {
  const draft = drafts.get(form);
  const why = !answer ? "No connection" : answer.status === 422 ? "Too long to be kept as a draft" : answer.status >= 500 ? "The server is away" : "You are not signed in here";
  say(form, draft.isHere ? `${why}: kept on this terminal, encrypted` : `${why}: not kept yet`, true);
  draft.timer ||= setTimeout(save, EVERY, form);
}

// What is kept by now is another's than this page knew: this person's, from elsewhere.
function meet(form, { fields, mark }) {
  const draft = drafts.get(form);
  const brought = bring(form, merged(form, draft.base, typed(form), fields));
  [draft.base, draft.mark] = [fields, mark];
  if (!same(typed(form), fields)) draft.timer ||= setTimeout(save, 0, form);
  return brought;
}

const saveAll = () => [...drafts.keys()].filter((form) => form.isConnected).map(save);

async function restore(form) {
  const draft = drafts.get(form);
  draft.restoring ??= bringBack(form, draft).finally(() => (draft.restoring = null));
  return draft.restoring;
}

async function bringBack(form, draft) {
  draft.place ??= await draft.placed;
  const mine = await draft.found;
  const query = new URLSearchParams({ form: path(form), once: mine?.once ?? "" });
  const answer = await fetch(`/drafts?${query}`, { redirect: "error" }).catch(() => null);
  const isAnswered = answer?.status === 200 || answer?.status === 204;
  const nothing = { fields: {}, mark: "", sent: false };
  const theirs = answer?.status === 200 ? await answer.json() : nothing;
  const isOld = theirs.sent && same(mine?.fields, mine?.sent);
  let brought = false;
  if (isOld && draft.place) localStorage.removeItem(draft.place);
  if (mine && !draft.shown && !isOld && !draft.complained) {
    draft.base = mine.base;
    brought = bring(form, merged(form, {}, typed(form), mine.fields));
    draft.shown = true;
  }
  if (isAnswered) {
    draft.ready = true;
    if (draft.complained) draft.base = theirs.fields; // what one has just sent is newer
    brought = meet(form, theirs) || brought;
  } else if (!same(typed(form), {})) cut(form, answer);
  if (brought) sayBack(form);
}

async function discard(form) {
  const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value, form: path(form), fields: "{}" });
  const answer = await fetch("/drafts", { method: "POST", body, redirect: "manual" }).catch(() => null);
  if (answer?.status !== 204) return cut(form, answer);
  const draft = drafts.get(form);
  [draft.base, draft.mark, draft.complained] = [{}, "", false];
  form.reset();
  form.querySelector(":scope > .draft-back")?.remove();
  if (draft.place) localStorage.removeItem(draft.place);
  return say(form, "Thrown away. The form is as it began.");
}

// --- what is said of it ----------------------------------------------------------------------------------------------

function say(form, words, isCut = false) {
  let line = form.querySelector(":scope .draft-state");
  if (!line) {
    line = document.createElement("p");
    line.className = "draft-state muted small";
    line.setAttribute("role", "status");
    (form.querySelector(":scope .form-actions") ?? form.lastElementChild).after(line);
  }
  line.classList.toggle("is-cut", isCut);
  if (line.textContent !== words) line.replaceChildren(words);
}

// Above the form, where one begins to read it; it stays while the form is kept on and on.
function sayBack(form) {
  if (form.querySelector(":scope > .draft-back")) return;
  const line = Object.assign(document.createElement("p"), { className: "draft-back notice", textContent: "What you had typed is back." });
  const button = Object.assign(document.createElement("button"), { type: "button", className: "btn", textContent: "Start empty" });
  line.setAttribute("role", "status");
  button.addEventListener("click", () => discard(form));
  line.append(button);
  form.prepend(line);
}

function adopt(root) {
  for (const form of root.querySelectorAll("form[data-draft]")) {
    if (drafts.has(form)) continue;
    const placed = placeOf(form);
    // base: the fields as the server held them last. ready: it has said what it holds. shown: what lay here is in the form.
    const draft = { timer: 0, base: {}, mark: "", ready: false, shown: false, sending: false, next: null, gone: false, placed };
    draft.found = placed.then(find);
    // A form that came back with complaints holds newer words than any draft.
    draft.complained = Boolean(form.querySelector('[aria-invalid="true"], [role="alert"]'));
    drafts.set(form, draft);
    restore(form);
  }
}

document.addEventListener("input", ({ target, isTrusted }) => {
  const draft = isTrusted && drafts.get(target.form);
  if (!draft) return;
  draft.gone = false;
  remember(target.form);
  draft.timer ||= setTimeout(save, EVERY, target.form);
});
document.addEventListener("submit", ({ target }) => {
  const draft = drafts.get(target);
  if (!draft) return;
  clearTimeout(draft.timer);
  [draft.sending, draft.timer, draft.once, draft.sent] = [true, 0, target.elements.once?.value ?? "", typed(target)];
  if (draft.place && draft.once) sessionStorage.setItem(SENT, `${draft.place} ${draft.once}`);
  remember(target);
});
document.addEventListener("htmx:finally:request", ({ target, detail }) => {
  const draft = drafts.get(target);
  if (!draft) return;
  draft.sending = false;
  if (detail.ctx?.response?.status < 400) forget(target);
  else draft.timer ||= setTimeout(save, EVERY, target);
});
document.addEventListener("htmx:after:process", () => adopt(document));
document.addEventListener("visibilitychange", () => document.hidden && saveAll());
addEventListener("online", () => void saveAll());
addEventListener("beforeunload", () => void saveAll());
document.addEventListener("drafts:save", ({ detail }) => detail.push(...saveAll())); // whoever asks waits for what is pushed
adopt(document);
void tidy();
