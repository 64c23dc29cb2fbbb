"""The trail as tests of one transaction see it: what was noted is written as soon as somebody asks for it, not at a commit."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session

from clinic import audit
from clinic.models import AuditEvent

# What changed something, or tried to: all but what was only looked at.
ACTS = AuditEvent.act.not_like("read.%")


@contextmanager
def written_when_asked_for() -> Iterator[None]:
    """For as long as this lasts, a select of events finds those noted in the same transaction too."""

    def write(state: ORMExecuteState) -> None:
        if state.is_select and "audit_event" in str(state.statement):
            audit.append(state.session)

    event.listen(Session, "do_orm_execute", write)
    try:
        yield
    finally:
        event.remove(Session, "do_orm_execute", write)
