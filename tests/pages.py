"""Every page a person can GET, found from the URL map: whoever adds a route is covered without doing anything.

Ids come from the database: the first row whose page answers this person. Pages are told from fragments by their `<html`.
"""

from collections.abc import Iterator
from itertools import islice

from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from clinic.extensions import db
from clinic.models import Base, QueueEntry
from tests.person import Person

# Routes that are no page of a signed-in person, each with its reason.
EXCEPT = {
    "static": "files",
    "live.stream": "never ends",
    "auth.sign_in": "for nobody signed in; tested by itself",
    "notes.pdf": "paper, which needs a printer",
    "notes.all_pdf": "paper, which needs a printer",
}
# What arguments that are no ids stand for; an `item_id` is that of such a thing.
WORDS = {"kind": "request", "place": "36"}
MOST_ROWS = 200


def pages_of(app: Flask, user_id: int) -> dict[str, str]:
    """The address of one page per endpoint, for the person with this id."""
    person = Person(app, user_id)
    found = {}
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint in EXCEPT:
            continue
        for url in islice(_addresses(app, rule), MOST_ROWS):
            answer = person.get(url)
            assert answer.status_code < 500, f"{url} is broken"
            if answer.status_code == 200 and answer.mimetype == "text/html" and "<html" in answer.text:
                found[rule.endpoint] = url
            if answer.status_code != 404:
                break
    return found


def _addresses(app: Flask, rule: Rule) -> Iterator[str]:
    """Addresses of a rule with real ids; the last id decides, the others come from its row."""
    named = {name: WORDS[name] for name in rule.arguments if name in WORDS}
    wanted = [name for name in ("department_id", "patient_id", *sorted(rule.arguments)) if name in rule.arguments]
    wanted = [name for name in dict.fromkeys(wanted) if name.endswith("_id")]
    if len(wanted) + len(named) < len(rule.arguments):
        return
    with app.app_context(), app.test_request_context():
        adapter = app.create_url_adapter(None) or app.url_map.bind("localhost")
        if not wanted:
            yield adapter.build(rule.endpoint)
            return
        model = _model(wanted[-1].removesuffix("_id"))
        query = select(model).order_by(model.id.desc()).limit(MOST_ROWS)  # type: ignore[attr-defined]
        if model is QueueEntry:
            query = query.where(QueueEntry.ended_at.is_(None))
        rows = [
            {name: getattr(row, name, row.id) for name in wanted[:-1]} | {wanted[-1]: row.id}
            for row in db.session.scalars(query)
        ]
    for values in rows:
        yield adapter.build(rule.endpoint, values | named)


def _model(name: str) -> type[Base]:
    """The model an argument names: `patient`, `entry` (of the queue), `call` (for a supervisor), `alert`."""
    tables = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}
    for table in (
        name,
        {
            "entry": "queue_entry",
            "call": "supervisor_call",
            "session": "auth_session",
            "person": "user",
            "student": "user",
            "glass": "broken_glass",
            "event": "audit_event",
            "case": "student_case",
            "task": "case_task",
            "option": "plan_option",
            "item": WORDS["kind"],
        }.get(name, ""),
    ):
        if table in tables:
            return tables[table]
    raise LookupError(f"tests/pages.py does not know which model {name}_id names")
