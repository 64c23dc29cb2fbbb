// The line: what tools put together and what is typed go the same way, one after the other. Sent lines come back by the up arrow; a
// refused one comes back by itself, with why.
const chart = document.getElementById("chart");
const form = chart.querySelector("[data-line-form]");

if (form) {
  const field = form.querySelector("[data-line]");
  const refused = document.getElementById("chart-refused");
  const sent = []; // of this page, in memory only; refused ones too
  const waiting = [];
  let back = 0; // how far the up arrow has gone
  let now = null; // what is being charted
  let isNext = false; // whether that came from `waiting`
  let kept = ""; // what was being typed while a tool's line stands there
  let isOurs = false; // whether the line is a tool's

  const tell = (name) => document.dispatchEvent(new CustomEvent(name));
  const mean = () => field.dispatchEvent(new Event("input", { bubbles: true }));
  function put(line, ours) {
    if (ours && !isOurs) kept = field.value;
    [field.value, isOurs, back] = [line, ours, 0];
    refused.replaceChildren();
    mean();
  }
  const release = () => put(kept, false);

  let after = null; // what stands in the line once that is on its way
  function chartNext() {
    if (now !== null || !waiting.length) return;
    [after, isNext] = [[field.value, isOurs], true];
    field.value = waiting.shift();
    form.requestSubmit();
  }
  document.addEventListener("chart:send", ({ detail: { line } }) => {
    if (isOurs) release();
    waiting.push(line);
    chartNext();
  });
  document.addEventListener("chart:show", ({ detail: { line } }) => (line ? put(line, true) : isOurs && release()));
  document.addEventListener("chart:type", ({ detail: { tooth, typed } }) => {
    const names = JSON.parse(chart.dataset.names);
    put(`${names[tooth] ?? tooth} ${typed}`, false);
    field.focus();
  });

  // One at a time: the page is drawn anew after each, and the next is judged on that.
  form.addEventListener("submit", (event) => {
    if (now !== null || (waiting.length && !isNext)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      waiting.push(field.value);
      put(isOurs ? kept : "", false);
      return;
    }
    now = field.value;
    if (!isNext) after = isOurs ? [kept, false, true] : ["", false];
    isNext = false;
  }, true);
  form.addEventListener("htmx:before:request", (event) => {
    if (event.target !== form || !after) return;
    document.querySelectorAll("#toasts .toast").forEach((toast) => toast.remove()); // only the last stroke is undone
    const wasPending = after[2];
    sent.push(now);
    [field.value, isOurs] = after;
    after = null;
    if (wasPending) tell("chart:sent");
  });
  form.addEventListener("htmx:finally:request", ({ target, detail: { ctx } }) => {
    if (target !== form || now === null) return;
    const line = now;
    now = null;
    if (ctx.response?.status < 400) {
      refused.replaceChildren();
      mean();
      return void setTimeout(chartNext); // once the form has its new key
    }
    waiting.length = 0;
    if (field.value && !isOurs) kept = field.value;
    [field.value, isOurs] = [line, false];
    tell("chart:refused");
    (form.querySelector("[autofocus]") ?? field).focus();
    if (ctx.response?.status === 422 || ctx.response?.status === 409) mean(); // else a sentence above says what happened
  });

  field.addEventListener("input", (event) => event.isTrusted && ((isOurs = false), (back = 0), refused.replaceChildren()));
  field.addEventListener("keydown", (event) => {
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === "Escape") chart.querySelector('.tooth[tabindex="0"]')?.focus();
    if (event.key === "?" && !field.value) event.preventDefault(), document.getElementById("chart-grammar").showModal();
    if (!by || !sent.length) return;
    event.preventDefault();
    back = Math.min(Math.max(back + by, 0), sent.length);
    field.value = back ? sent.at(-back) : "";
    isOurs = false;
    mean();
  });
  form.addEventListener("click", ({ target }) => {
    const { instead, start, length } = target.closest("[data-instead]")?.dataset ?? {};
    if (!instead) return;
    put(field.value.slice(0, start) + instead + field.value.slice(+start + +length), false);
    field.focus();
  });
}
