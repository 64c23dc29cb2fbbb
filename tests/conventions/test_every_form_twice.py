"""Every form on every page, sent twice: the second time answers the same and changes nothing (safety.md B2)."""

import pytest
from werkzeug.exceptions import HTTPException

from clinic import access
from clinic.extensions import db
from tests.conventions.matrix import COLUMNS, UNSAFE, address, deepen, ids_of, routes, writes_on
from tests.forms import PageForm, forms_of
from tests.person import Person

# What a person would type into a field that is empty when the page opens.
TYPED = {
    "name": "Chandra Gunawardena",
    "birth_date": "3 Apr 1979",
    "sex": "female",
    "email": "chandra@clinic.test",
    "reason": "Asked at the desk",
    "note": "Please look",
    "label": "Codeine",
    "date": "2030-01-15",
    "day": "2030-01-15",
    "time": "10:15",
    "role": "nurse",
    "minutes": "60",
}


def pages(app, ids):
    """The address of every page that can be opened, about each subject."""
    return {url for rule, verb in routes(app) if verb == "GET" and (url := address(rule, ids)) and "stream" not in url}


def send_twice(person: Person, form: PageForm, connection) -> tuple[int, bool, list[str]]:
    """Status of the first answer, whether the second was the same, and what the second wrote."""
    fields = {name: value or TYPED.get(name, "") for name, value in form.fields.items()}
    fields["csrf_token"] = person.csrf_token()
    first = person.browser().post(form.action, data=fields)
    with writes_on(connection) as written:
        second = person.browser().post(form.action, data=fields)
    same = (first.status_code, first.headers.get("Location"), first.text) == (
        second.status_code,
        second.headers.get("Location"),
        second.text,
    )
    same = same or "/sign-in" in second.headers.get("Location", "")  # the act was to end one's own session
    return first.status_code, same, [table for table in written if table not in ("once_key", "auth_session")]


@pytest.mark.timeout(600)
def test_every_form_twice(app, world):
    with app.app_context():
        deepen(world)
        ids = {subject: ids_of(world, subject) for _, _, subject in COLUMNS}
        connection = db.session().get_bind()
    sent: set[str] = set()
    wrong: list[str] = []
    for name in ("ruwan", "nimal", "adel", "kamal", "silva"):
        person = Person(app, world.people[name])
        seen: set[str] = set()
        for url in sorted(
            {url for subject in ("fernando", "perera", "nadia", "archie") for url in pages(app, ids[subject])}
        ):
            savepoint = connection.begin_nested()
            page = person.browser().get(url)
            savepoint.rollback()
            if page.mimetype != "text/html" or page.status_code != 200:
                continue
            for form in forms_of(page.text):
                endpoint = endpoint_of(app, form)
                if form.method != "post" or endpoint not in keyed(app) or form.action in seen:
                    continue
                seen.add(form.action)
                savepoint = connection.begin_nested()
                try:
                    status, same, written = send_twice(person, form, connection)
                finally:
                    savepoint.rollback()
                if status in (200, 204, 303):
                    sent.add(endpoint)
                    if not same or written:
                        wrong.append(f"{name} {endpoint} on {url}: second answer same: {same}, wrote {written}")
    assert not wrong, "\n".join(wrong)
    unsafe = keyed(app)
    print(f"{len(sent)} of {len(unsafe)} writes sent twice from their own pages; not reached: {sorted(unsafe - sent)}")
    assert len(sent) >= len(unsafe) * 0.6, f"too few writes could be reached from their pages: {sorted(unsafe - sent)}"


def keyed(app) -> set[str]:
    """Every write that must carry a key; the others are harmless to repeat by themselves and say so (`needs_key=False`)."""
    with app.app_context():
        return {
            f"{verb} {rule.rule}"
            for rule, verb in routes(app)
            if verb in UNSAFE and access.access_of(rule.endpoint).needs_key
        }


def endpoint_of(app, form: PageForm) -> str | None:
    """`POST /visits/<int:visit_id>/check-in` for the form's action."""
    try:
        rule, _ = app.url_map.bind("localhost").match(form.action.split("?")[0], method="POST", return_rule=True)
    except HTTPException:
        return None
    return f"POST {rule.rule}"
