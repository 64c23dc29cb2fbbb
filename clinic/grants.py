"""What the application's own database account may do: change everything but the trail, what was written in charts, and where teeth were
marked on pictures. The SQL is made from the models, so that it cannot grow old; it is given by the account that migrations use
(docs/operations.md)."""

import re
from collections.abc import Iterator
from contextlib import suppress

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from clinic.extensions import db
from clinic.models import (
    Acceptance,
    AuditArchive,
    AuditEvent,
    AuditHead,
    Base,
    Case,
    CaseLog,
    CaseTask,
    ChartEntry,
    ChartVersion,
    Document,
    Estimate,
    Evaluation,
    EvaluationForm,
    Evidence,
    Extension,
    Filling,
    Gate,
    GateItem,
    HistoryForm,
    HistoryReview,
    Mark,
    Marking,
    MaterialUse,
    Note,
    NoteSigning,
    Plan,
    Problem,
    ToothMatch,
    ToothPlace,
)

USUAL = "SELECT, INSERT, UPDATE, DELETE"
LESS = {
    AuditEvent.__tablename__: "SELECT, INSERT",
    AuditHead.__tablename__: "SELECT, UPDATE",
    AuditArchive.__tablename__: "SELECT",
    ChartEntry.__tablename__: "SELECT, INSERT",  # an edit is a further entry
    ChartVersion.__tablename__: "SELECT, INSERT",
    ToothPlace.__tablename__: "SELECT, INSERT",  # moved or taken away is a further row
    **{
        model.__tablename__: "SELECT, INSERT"
        for model in (
            Filling,
            HistoryForm,
            HistoryReview,
            ToothMatch,
            Extension,
            Evidence,
            CaseLog,
            Marking,
            Mark,
            Acceptance,
        )
    },
    Document.__tablename__: "SELECT, INSERT, UPDATE",  # its row stays when its bytes are purged
    **{
        model.__tablename__: "SELECT, INSERT, UPDATE"
        for model in (
            Note,
            NoteSigning,
            Gate,
            GateItem,
            Problem,
            Case,
            CaseTask,
            Evaluation,
            EvaluationForm,
            Plan,
            Estimate,
            MaterialUse,
        )
    },
    "alembic_version": "SELECT",  # the status page says when it is not the newest
}
# What nobody may change, with this account or past the application.
KEPT = {AuditEvent.__tablename__, ChartEntry.__tablename__, ChartVersion.__tablename__, ToothPlace.__tablename__}
NO_SUCH_GRANT = frozenset({1141, 1147})
NO_SUCH_TABLE = 1146  # `alembic_version`, where the tables were not made by migrations


def statements(account: str, host: str, *, database: str | None = None) -> Iterator[str]:
    """The SQL that gives an account what the application needs, table by table, and takes away what was more."""
    database = database or db.engine.url.database
    who = f"{_quoted(account, chr(39))}@{_quoted(host, chr(39))}"
    for table in sorted({*Base.metadata.tables, *LESS}):
        yield f"GRANT {LESS.get(table, USUAL)} ON {_quoted(database)}.{_quoted(table)} TO {who}"
    # Last, so that there is no moment in which the running application lacks something.
    yield f"REVOKE ALL PRIVILEGES ON {_quoted(database)}.* FROM {who}"
    for table, allowed in LESS.items():
        rest = ", ".join(right for right in USUAL.split(", ") if right not in allowed)
        yield f"REVOKE {rest} ON {_quoted(database)}.{_quoted(table)} FROM {who}"


def give(account: str, host: str) -> None:
    """Run the statements; there may be nothing to take away. Raises what the database raises."""
    with db.engine.connect() as connection:
        for statement in statements(account, host):
            try:
                connection.exec_driver_sql(statement.replace("%", "%%"))
            except DBAPIError as error:
                nothing_to_take = statement.startswith("REVOKE") and _code(error) in NO_SUCH_GRANT
                if not nothing_to_take and _code(error) != NO_SUCH_TABLE:
                    raise


def excess() -> set[str]:
    """What the account of this application may do to the trail and to charts beyond reading and adding; empty is as it should be.

    A single machine's SQLite has no accounts: nothing is said of it.
    """
    if db.engine.dialect.name not in ("mysql", "mariadb"):
        return set()
    database, found = db.engine.url.database or "", set[str]()
    for line in db.session.execute(text("SHOW GRANTS")).scalars():
        granted = re.match(r"GRANT (?P<rights>.+?) ON (?:TABLE )?(?P<schema>\*|`.+?`)\.(?P<table>\*|`.+?`) TO ", line)
        if granted is None:
            continue
        schema, table = (granted[name].strip("`").replace("\\_", "_") for name in ("schema", "table"))
        if (schema in ("*", database) or "%" in schema) and table in ("*", *KEPT):
            found |= {right.strip() for right in re.sub(r"\(.*?\)", "", granted["rights"]).split(",")}
    harmless = {"USAGE", "SELECT", "INSERT", "SHOW VIEW", "EXECUTE", "LOCK TABLES"}
    return found - harmless


def _quoted(name: str | None, mark: str = "`") -> str:
    return mark + (name or "").replace("\\", "\\\\" if mark == "'" else "\\").replace(mark, mark * 2) + mark


def _code(error: DBAPIError) -> int | None:
    with suppress(AttributeError, IndexError):
        return error.orig.args[0]  # type: ignore[union-attr]
    return None
