// Questions that hang on the answer to another one, in a `form[data-answers]`: `data-asked-by` names that one's field, `data-asked-upon` its
// answer. What is not asked is hidden and not sent; without JavaScript all are shown, each with its hint.
function answersTo(form, name) {
  const fields = [...form.elements].filter((field) => field.name === name && !field.disabled);
  return fields.filter((field) => !/^(checkbox|radio)$/.test(field.type) || field.checked).map((field) => field.value);
}

function ask(form) {
  for (const question of form.querySelectorAll("[data-asked-by]")) {
    const isAsked = answersTo(form, question.dataset.askedBy).includes(question.dataset.askedUpon);
    question.hidden = !isAsked;
    for (const field of question.querySelectorAll("input, textarea")) field.disabled = !isAsked;
    for (const hint of question.querySelectorAll("[data-asked-hint]")) hint.hidden = true;
  }
}

const askAll = () => document.querySelectorAll("form[data-answers]").forEach(ask);

document.addEventListener("input", ({ target }) => target.form?.matches("[data-answers]") && ask(target.form));
document.addEventListener("htmx:after:process", askAll);
askAll();
