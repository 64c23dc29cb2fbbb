"""Every column of every model sent along with every form changes nothing that the form itself does not (safety.md A4)."""

import pytest

from clinic import settings
from clinic.models import Base

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


def extra(world) -> dict[str, str]:
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


@pytest.mark.timeout(600)
def test_every_column_with_every_form(crawl):
    judged, wrong = set(), []
    laden = extra(crawl.world)
    for write in crawl.writes():
        if (write.who, write.endpoint) in judged:
            continue
        results = []
        for others in ({}, {name: value for name, value in laden.items() if name not in write.own}):
            settings.forget()
            with crawl.rolled_back():
                answer = write.send(others)
                results.append((answer.status_code, state(crawl.connection)))
                if not others and not crawl.note(write, answer):
                    break
        else:
            judged.add((write.who, write.endpoint))
            (status, plain), (status_laden, after) = results
            differing = {
                table: set(plain[table]) ^ set(after[table]) for table in plain if plain[table] != after[table]
            }
            if status != status_laden or differing:
                wrong.append(f"{write.who} {write.endpoint}: {status}, then {status_laden}; {str(differing)[:400]}")
    assert not wrong, "\n".join(wrong)
    assert not crawl.unreached(), crawl.unreached()
