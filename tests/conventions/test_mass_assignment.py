"""Every column of every model sent along with every form changes nothing that the form itself does not (safety.md A4)."""

import pytest

from clinic import settings
from clinic.extensions import db
from clinic.models import Base
from tests.conventions.matrix import COLUMNS, deepen, ids_of
from tests.conventions.test_every_form_twice import TYPED, endpoint_of, keyed, pages
from tests.forms import forms_of
from tests.person import Person

# Different in every run of the same form.
CHANGING = {
    "at",
    "created_at",
    "updated_at",
    "token_hash",
    "once_key",
    "active_at",
    "password_hash",
    "body",
    "headers",
    "mac",
}
# Kept apart from the act: the trace of the request, and its key.
BESIDE = {"once_key", "auth_session", "change", "counter", "audit_head"}
# What these take themselves though the form on the page does not hold it: a box that is not ticked, a note of the longer form.
OWN = {"POST /people/second-factor": {"role"}, "POST /my-queue/<int:entry_id>/supervisor": {"note"}}


@pytest.fixture
def engine_name() -> str:
    """SQLite gives the numbers of rows that were rolled back again, so that two runs can be compared."""
    return "sqlite"


def state(connection) -> dict[str, list[tuple]]:
    """All that is stored, by table, without what differs in every run."""
    found = {}
    for table in Base.metadata.sorted_tables:
        if table.name in BESIDE:
            continue
        columns = [column for column in table.columns if column.name not in CHANGING and "_at" not in column.name]
        rows = connection.execute(table.select().with_only_columns(*columns)).fetchall()
        found[table.name] = sorted(tuple(map(str, row)) for row in rows)
    return found


def extra(world, ids) -> dict[str, str]:
    """A value for each column of any model that would do harm if it were taken over."""
    harmful = {
        "role": "admin",
        "active": "1",
        "user_id": str(world.people["adel"]),
        "patient_id": str(world.patients["wu"]),
    }
    fields = {}
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            fields[column.name] = fields[f"{table.name}.{column.name}"] = harmful.get(column.name, "7")
    return fields


@pytest.mark.timeout(900)
def test_every_column_with_every_form(app, world):
    with app.app_context():
        deepen(world)
        ids = {subject: ids_of(world, subject) for _, _, subject in COLUMNS}
        connection = db.session().get_bind()
    sent: set[str] = set()
    wrong: list[str] = []
    for name in ("ruwan", "adel", "kamal", "silva", "nimal"):
        person = Person(app, world.people[name])
        for url in sorted({url for subject in ("fernando", "nadia") for url in pages(app, ids[subject])}):
            savepoint = connection.begin_nested()
            page = person.browser().get(url)
            savepoint.rollback()
            if page.mimetype != "text/html" or page.status_code != 200:
                continue
            for form in forms_of(page.text):
                endpoint = endpoint_of(app, form)
                if form.method != "post" or endpoint not in keyed(app) or endpoint in sent:
                    continue
                fields = {key: value or TYPED.get(key, "") for key, value in form.fields.items()}
                fields["csrf_token"] = person.csrf_token()
                others = {
                    key: value
                    for key, value in extra(world, ids).items()
                    if key not in fields | dict.fromkeys(OWN.get(endpoint, ()))
                }
                results = []
                for sending in (fields, others | fields):
                    settings.forget()
                    savepoint = connection.begin_nested()
                    try:
                        answer = person.browser().post(form.action, data=sending)
                        results.append((answer.status_code, state(connection)))
                    finally:
                        savepoint.rollback()
                plain, laden = results
                if plain[0] not in (200, 204, 303):
                    continue
                sent.add(endpoint)
                differing = [table for table in plain[1] if plain[1][table] != laden[1][table]]
                if plain[0] != laden[0] or differing:
                    detail = [set(plain[1][table]) ^ set(laden[1][table]) for table in differing]
                    wrong.append(f"{name} {endpoint}: {plain[0]}, then {laden[0]}; {differing} {str(detail)[:400]}")
    assert not wrong, "\n".join(wrong)
    assert len(sent) >= len(keyed(app)) * 0.6, (
        f"too few writes could be reached from their pages: {sorted(keyed(app) - sent)}"
    )
