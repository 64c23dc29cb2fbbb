"""Versions of charts that were sent for approval: those that wait for a supervisor, and one of them."""

from sqlalchemy import ColumnElement, Select, and_, false, select
from sqlalchemy.orm import contains_eager, joinedload

from clinic.extensions import db
from clinic.models import ChartVersion, Patient, Role, SignOff, SignOffStatus, User
from clinic.queries.scope import is_given, may_see

MOST_WAITING = 200


def decidable_sign_off_for(viewer: User, sign_off_id: int) -> SignOff | None:
    """One that is the viewer's to decide, or was, with its version and the version's body."""
    decides = and_(_of_department(viewer), may_see(viewer, SignOff.patient_id))
    return db.session.execute(_whole(select(SignOff).where(SignOff.id == sign_off_id, decides))).scalar_one_or_none()


def waiting_sign_offs(viewer: User) -> list[SignOff]:
    """What waits for the viewer, longest first, with people, patients and alerts; `MOST_WAITING` at most. Two queries.

    Not what they sent themself: another supervisor decides that.
    """
    waiting = _whole(_waiting(viewer), body=False).order_by(SignOff.asked_at, SignOff.id).limit(MOST_WAITING)
    return list(db.session.execute(waiting).scalars())


def waiting_ids(viewer: User) -> Select[int]:
    """A select of their ids, to count them among all else that waits for the viewer."""
    return _waiting(viewer).with_only_columns(SignOff.id)


def own_sign_off_for(viewer: User, patient_id: int, sign_off_id: int) -> SignOff | None:
    """One that the viewer sent, of a patient they may see."""
    return db.session.execute(
        select(SignOff).where(
            SignOff.id == sign_off_id,
            SignOff.patient_id == patient_id,
            SignOff.asked_by_id == viewer.id,
            may_see(viewer, SignOff.patient_id),
        )
    ).scalar_one_or_none()


def _waiting(viewer: User) -> Select[SignOff]:
    return select(SignOff).where(
        SignOff.status == SignOffStatus.PENDING,
        SignOff.asked_by_id != viewer.id,
        _of_department(viewer),
        is_given(viewer, SignOff.patient_id),
    )


def _of_department(viewer: User) -> ColumnElement[bool]:
    """As `operations.sign_off` judges it: a supervisor of the department to which it was sent."""
    if viewer.role is not Role.SUPERVISOR or viewer.department_id is None:
        return false()
    return SignOff.department_id == viewer.department_id


def _whole(sign_offs: Select[SignOff], *, body: bool = True) -> Select[SignOff]:
    version = contains_eager(SignOff.chart_version)
    return sign_offs.join(SignOff.chart_version).options(
        version if body else version.defer(ChartVersion.body),
        joinedload(SignOff.patient).selectinload(Patient.alerts),
        joinedload(SignOff.asked_by),
        joinedload(SignOff.decided_by),
    )
