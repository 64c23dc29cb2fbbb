"""Breaking the glass: one patient's record read without being given the patient, for a reason and an hour, and judged afterwards.

A broken glass only shows (queries/scope.py): nothing of the patient can be changed through it.
"""

from datetime import date, timedelta

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import aliased

from clinic import audit, clock, mail, settings
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.formatting import clock_time, when
from clinic.models import Assignment, BrokenGlass, GlassReason, Judgement, Patient, Role, User
from clinic.operations import throttle
from clinic.operations.locks import locked
from clinic.operations.notices import tell
from clinic.operations.sign_in import locked_user
from clinic.queries.scope import is_given, is_open_glass, is_running
from clinic.text import ascii_digits, one_line

LEAST_WORDS = 10  # letters of the reason in the person's own words
IN_WORDS = {Judgement.JUSTIFIED: "justified", Judgement.NOT_JUSTIFIED: "not justified"}


class WrongPair(DomainError):
    """Code and birth date do not belong together; the same sentence whether there is such a code or not."""


def count_pair(*, actor: User) -> None:
    """Count a try to name a patient; commit before judging it. Raises TooManyTries."""
    throttle.count(throttle.bucket("pair", actor.id))


def record_wrong_pair(code: str, *, actor: User) -> None:
    """Write down that nobody has this code and the birth date given with it."""
    sentence = f"Tried to break the glass: “{code[:40]}” and the birth date given do not belong together"
    audit.record("glass.refused", sentence, actor=actor)


def break_glass(*, code: str, birth_date: date, reason: GlassReason, words: str, actor: User) -> BrokenGlass:
    """Open the record of the patient with exactly this code and birth date, to be read by the actor for `glass_minutes`.

    The caller has asked for the actor's password. Supervisors are told in the same transaction. While the actor's glass over this
    patient is open, that one is answered. Raises WrongPair, and DomainError when the reason says nothing or no glass is needed.
    """
    words = one_line(words)
    if len(words) < LEAST_WORDS:
        raise DomainError(f"Say in at least {LEAST_WORDS} letters what you need the record for.")
    patient = _patient_with(code, birth_date)
    if patient is None:
        raise WrongPair(
            "Code and birth date do not belong together, or there is no such patient. Check both on the patient's card."
        )
    actor = locked_user(actor.id)  # sent twice at once, it is opened once
    if db.session.scalar(select(is_given(actor, Patient.id)).where(Patient.id == patient.id)):
        raise DomainError(f"You need not break the glass: {patient.code} is among your patients. Search for it.")
    already = db.session.execute(
        select(BrokenGlass)
        .where(BrokenGlass.user_id == actor.id, BrokenGlass.patient_id == patient.id, is_open_glass())
        .with_for_update()  # as committed by now, whatever the isolation
    ).scalar_one_or_none()
    if already:
        return already
    throttle.forgive(throttle.bucket("pair", actor.id))  # here only: each forgiveness tells a supervisor
    at = clock.now()
    glass = BrokenGlass(
        user_id=actor.id,
        patient_id=patient.id,
        reason=reason,
        words=words[:500],
        opened_at=at,
        expires_at=at + timedelta(minutes=settings.read("glass_minutes")),
    )
    db.session.add(glass)
    db.session.flush()
    audit.record(
        "glass.break",
        f"Broke the glass over {patient.name}, {patient.code}, until {clock_time(glass.expires_at)}: {reason.label}",
        actor=actor,
        subject=glass,
        patient=patient,
        reason=glass.words,
    )
    _tell_supervisors(glass, patient, actor)
    return glass


def close_glass(glass: BrokenGlass, *, actor: User) -> BrokenGlass:
    """Give the record back before the time is up. The actor's own; what is closed or expired already stays as it is."""
    glass = locked(BrokenGlass, glass.id)
    if glass.user_id != actor.id:
        raise DomainError("Only who broke the glass can close it. Judge it on the review list.")
    at = clock.now()
    if glass.is_open(at):
        glass.closed_at = at
        patient = db.session.get_one(Patient, glass.patient_id)
        audit.record(
            "glass.close",
            f"Closed the record of {patient.name}, {patient.code}, opened by breaking the glass",
            actor=actor,
            subject=glass,
            patient=patient,
        )
        db.session.flush()
    return glass


def close_glasses_of(person: User, *, actor: User) -> None:
    """Whoever leaves or gets another role looks through no glass any more, not even when they come back within its time."""
    mine = select(BrokenGlass).where(BrokenGlass.user_id == person.id, is_open_glass()).order_by(BrokenGlass.id)
    for glass in db.session.scalars(mine.with_for_update().execution_options(populate_existing=True)).all():
        patient = db.session.get_one(Patient, glass.patient_id)
        glass.closed_at = clock.now()
        audit.record(
            "glass.close",
            f"Closed the record of {patient.code}, which {person.name} had opened by breaking the glass",
            actor=actor,
            subject=glass,
            patient=patient,
        )
    db.session.flush()


def judge(glass_id: int, *, version: int, judgement: Judgement, words: str, actor: User) -> BrokenGlass:
    """Say whether a record was rightly opened, and tell who opened it. What was not justified is closed at once.

    Raises Conflict when somebody judged or closed it meanwhile, DomainError for one's own and without words.
    """
    glass = locked(BrokenGlass, glass_id)
    breaker, patient = db.session.get_one(User, glass.user_id), db.session.get_one(Patient, glass.patient_id)
    if glass.user_id == actor.id:
        raise DomainError("Nobody judges their own. Another supervisor or an administrator does.")
    words = one_line(words)
    if not words:
        raise DomainError("Say in a few words why.")
    if glass.judgement is not None:
        raise _judged_already(glass, words)
    if glass.version != version:
        at = clock_time(glass.closed_at or clock.now())
        raise Conflict(f"{breaker.name} closed this record at {at}. Look again at what was opened, then judge.")
    glass.judgement, glass.judged_by_id, glass.judged_at = judgement, actor.id, clock.now()
    glass.judge_words = words[:500]
    if judgement is Judgement.NOT_JUSTIFIED and glass.is_open(glass.judged_at):
        glass.closed_at = glass.judged_at
    db.session.flush()
    audit.record(
        "glass.judge",
        f"Judged {IN_WORDS[judgement]}: {breaker.name} opened {patient.code} on {when(glass.opened_at)}",
        actor=actor,
        subject=glass,
        patient=patient,
        reason=glass.judge_words,
    )
    tell(
        breaker.id,
        f"{actor.name} judged it {IN_WORDS[judgement]} that you opened {patient.code} on {when(glass.opened_at)}: "
        f"“{glass.judge_words}”",
        kind="glass.judged",
        url="/break-glass",
        patient_id=patient.id,
    )
    return glass


def _patient_with(code: str, birth_date: date) -> Patient | None:
    """One query whatever is wrong, so that its time tells nothing."""
    exact = ascii_digits(code).strip().upper()
    return db.session.execute(
        select(Patient).where(Patient.code == exact, Patient.birth_date == birth_date)
    ).scalar_one_or_none()


def _judged_already(glass: BrokenGlass, mine: str) -> Conflict:
    judge_of = db.session.get_one(User, glass.judged_by_id)
    assert glass.judgement
    assert glass.judged_at
    return Conflict(
        f"{judge_of.name} judged this {IN_WORDS[glass.judgement]} at {clock_time(glass.judged_at)}: “{glass.judge_words}”. "
        "A judgement stands.",
        theirs={"words": glass.judge_words},
        mine={"words": mine},
    )


def _tell_supervisors(glass: BrokenGlass, patient: Patient, actor: User) -> None:
    """A notice to each, and a letter where mail is set up; neither names more of the patient than the code."""
    sentence = f"{actor.name} broke the glass over {patient.code} ({glass.reason.label}): “{glass.words}”"
    for person in _who_is_told(patient, actor):
        tell(person.id, sentence, kind="glass.broken", url="/break-glass/review", patient_id=patient.id)
        mail.post_when_committed(
            person.email,
            "A record was opened by breaking the glass",
            f"{sentence}\n\nOpened on {when(glass.opened_at)}, to be read until {clock_time(glass.expires_at)}.\n"
            "Sign in to Chairside and judge it on the review list of broken glasses.\n",
        )


def _who_is_told(patient: Patient, actor: User) -> list[User]:
    """Supervisors of the departments whose students have the patient, those who have the patient themselves, and those of the actor's
    own department; when there are none, the administrators. Never the actor. Each may judge it (queries/glass.py)."""
    cared, carer = aliased(Assignment), aliased(User)
    running = and_(cared.patient_id == patient.id, is_running(cared))
    students = select(carer.department_id).join(cared, cared.user_id == carer.id)
    departments = students.where(running, carer.role == Role.STUDENT)
    themselves = exists().where(running, cared.user_id == User.id)
    own = User.department_id == actor.department_id if actor.department_id else User.department_id.in_(())
    active = select(User).where(User.active, User.id != actor.id).order_by(User.id).limit(500)
    overseers = active.where(User.role == Role.SUPERVISOR, or_(User.department_id.in_(departments), themselves, own))
    return list(db.session.execute(overseers).scalars()) or list(
        db.session.execute(active.where(User.role == Role.ADMIN)).scalars()
    )
