"""Telling one person one sentence, which waits for them until they have read it."""

from sqlalchemy import select

from clinic import clock, live
from clinic.extensions import db
from clinic.models import Notice, User


def tell(
    person_id: int, sentence: str, *, kind: str, url: str = "", patient_id: int | None = None, once: str | None = None
) -> None:
    """Leave a notice for a person. The same `once` is told one time only, however often it is asked."""
    if once is not None and db.session.execute(select(Notice.id).where(Notice.once == once)).first():
        return
    db.session.add(
        Notice(
            user_id=person_id,
            patient_id=patient_id,
            kind=kind,
            sentence=sentence[:500],
            url=url,
            once=once,
            at=clock.now(),
        )
    )
    db.session.flush()
    live.nudge(f"person:{person_id}")


def mark_read(notice_id: int, *, actor: User) -> None:
    """The person has read it. Another's notice is left alone."""
    notice = db.session.execute(
        select(Notice).where(Notice.id == notice_id, Notice.user_id == actor.id).with_for_update()
    ).scalar_one()
    if notice.read_at is None:
        notice.read_at = clock.now()
        db.session.flush()
        live.nudge(f"person:{actor.id}")
