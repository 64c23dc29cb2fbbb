"""Telling one person one sentence, which waits for them until they have read it, or answered where it asks something."""

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock, live
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.formatting import number_of, when
from clinic.models import Notice, User
from clinic.queries.glass import UNEXPLAINED

# Kinds of notice that ask something, each with its question. Read once answered, and not before.
ASKS = {UNEXPLAINED: "Why did you open this record?"}


def tell(
    person_id: int, sentence: str, *, kind: str, url: str = "", patient_id: int | None = None, once: str | None = None
) -> None:
    """Leave a notice for a person. The same `once` is told one time only, however often it is asked. `url` is a page of ours."""
    if url and (not url.startswith("/") or url.startswith("//")):
        raise ValueError(f"a notice leads to a page of ours, not to {url}")
    if once is not None and db.session.execute(select(Notice.id).where(Notice.once == once)).first():
        return
    notice = {
        "user_id": person_id,
        "patient_id": patient_id,
        "kind": kind,
        "sentence": sentence[:500],
        "url": url,
        "once": once,
        "at": clock.now(),
    }
    try:
        # In no savepoint: a deadlock must come out as one, so that the act is redone.
        db.session.execute(insert(Notice.__table__).values(notice))  # type: ignore[arg-type]
    except IntegrityError:
        if once is None:
            raise
        return  # told by somebody else at the same moment
    live.nudge(f"person:{person_id}")


def mark_read(notice_id: int, *, actor: User) -> Notice:
    """The person has read it. Another's notice is left alone (NoResultFound)."""
    notice = _locked(notice_id, actor)
    if _asks(notice):
        raise DomainError("This notice asks you something. It counts as read once you have answered it.")
    if notice.read_at is None:
        notice.read_at = clock.now()
        _told(notice, "notice.read", f"{actor.name} read: {notice.sentence}", actor=actor)
    return notice


def mark_all_read(*, actor: User) -> int:
    """The person has read all that was told them, except what still asks for an answer; answers how many that were."""
    unread = update(Notice).where(Notice.user_id == actor.id, Notice.read_at.is_(None), Notice.kind.not_in(ASKS))
    count = db.session.execute(unread.values(read_at=clock.now()).execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
    if count:
        audit.record("notice.read_all", f"{actor.name} marked {number_of(count, 'notice')} as read", actor=actor)
        live.nudge(f"person:{actor.id}")
    return count


def answer(notice_id: int, *, words: str, actor: User) -> Notice:
    """Answer what a notice asks, once and for good. Raises Conflict when it was answered before."""
    notice = _locked(notice_id, actor)
    if notice.kind not in ASKS:
        raise DomainError("This notice asks nothing; there is nothing to answer.")
    if notice.answer is not None and notice.read_at is not None:
        raise Conflict(
            f"You answered this on {when(notice.read_at)}: “{notice.answer}”. An answer is kept as it was given."
        )
    notice.answer, notice.read_at = words, clock.now()
    _told(notice, "notice.answer", f"{actor.name} answered: {notice.sentence}", actor=actor, reason=words)
    return notice


def _told(notice: Notice, act: str, sentence: str, *, actor: User, reason: str | None = None) -> None:
    audit.record(act, sentence, actor=actor, subject=notice, patient=notice.patient_id, reason=reason)
    live.nudge(f"person:{actor.id}")
    db.session.flush()


def _asks(notice: Notice) -> bool:
    return notice.kind in ASKS and notice.answer is None


def _locked(notice_id: int, actor: User) -> Notice:
    return db.session.execute(
        select(Notice)
        .where(Notice.id == notice_id, Notice.user_id == actor.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()
