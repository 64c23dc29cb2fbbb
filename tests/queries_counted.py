"""`with counted() as statements:` collects the SQL a block sends, to hold the number of queries constant as rows grow."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements sent inside the block, in order, without book-keeping: savepoints, and what is sent by the clock and not by the
    rows (settings are read anew every two seconds, a person's activity is noted every five)."""
    statements: list[str] = []
    here = get_ident()  # a live server of another test may be reading its outbox

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        by_the_clock = "FROM setting" in statement or statement.startswith("UPDATE auth_session SET active_at")
        if (
            get_ident() == here
            and not by_the_clock
            and not statement.upper().startswith(("SAVEPOINT", "RELEASE", "ROLLBACK TO"))
        ):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)
