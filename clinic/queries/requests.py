"""Requests about who looks after whom: one's own, and those that wait for one's decision."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Select, and_, false, or_, select
from sqlalchemy.orm import joinedload

from clinic import clock
from clinic.extensions import db
from clinic.models import Patient, Request, RequestKind, RequestStatus, Role, User
from clinic.queries.paging import Order, Page, page_of
from clinic.queries.scope import may_see

MOST_WAITING = 200
NEWEST = Order((Request.id,), descending=True)


def requests_of(viewer: User, *, after: int | None = None, before: int | None = None) -> Page[Request]:
    """Fifty of the requests the viewer has made, newest first. Their patients are not loaded: see `patients_seen`."""
    mine = _with_people(select(Request).where(Request.asked_by_id == viewer.id))
    return page_of(mine, NEWEST, after=after, before=before)


def patients_seen(viewer: User, requests: Collection[Request]) -> dict[int, Patient]:
    """Of the patients these requests are about, those the viewer may see, by id. One query."""
    # Asked also when there is nobody to ask about: that no question is asked would tell.
    ids = {request.patient_id for request in requests if request.patient_id is not None}
    found = db.session.scalars(select(Patient).where(Patient.id.in_(ids), may_see(viewer, Patient.id)).limit(len(ids)))
    return {patient.id: patient for patient in found}


def own_request_for(viewer: User, request_id: int) -> Request | None:
    """One request the viewer has made."""
    return db.session.execute(
        _with_people(select(Request).where(Request.id == request_id, Request.asked_by_id == viewer.id))
    ).scalar_one_or_none()


def decidable_request_for(viewer: User, request_id: int) -> Request | None:
    """One request, open or decided, that is the viewer's to decide, with its patient and alerts (None: no patient of this code)."""
    return db.session.execute(
        _with_patient(select(Request).where(Request.id == request_id, _decides(viewer)))
    ).scalar_one_or_none()


def waiting_requests(viewer: User) -> list[Request]:
    """The open requests that wait for the viewer's decision, longest first, with people, patients and alerts; `MOST_WAITING` at most.

    Not those they asked for themself: another supervisor decides these.
    """
    waiting = _with_patient(_waiting(viewer)).order_by(Request.asked_at, Request.id).limit(MOST_WAITING)
    return list(db.session.scalars(waiting))


def waiting_ids(viewer: User) -> Select[int]:
    """A select of their ids, to count them among all else that waits for the viewer."""
    return _waiting(viewer).with_only_columns(Request.id)


def open_requests_about(viewer: User, patient: Patient) -> list[Request]:
    """The open requests about a patient the viewer sees, for those who ask and decide; not what students have asked for."""
    if viewer.role not in (Role.RECEPTIONIST, Role.SUPERVISOR):
        return []
    return list(
        db.session.scalars(
            _with_people(
                select(Request).where(
                    Request.patient_id == patient.id,
                    Request.status == RequestStatus.PENDING,
                    Request.kind != RequestKind.ASK,
                )
            )
            .order_by(Request.asked_at, Request.id)
            .limit(50)
        )
    )


def _waiting(viewer: User) -> Select[Request]:
    return select(Request).where(
        Request.status == RequestStatus.PENDING,
        Request.expires_at > clock.now(),
        Request.asked_by_id != viewer.id,
        _decides(viewer),
    )


def _decides(viewer: User) -> ColumnElement[bool]:
    """As `operations.requests.decides`: the one who is named, or a supervisor of the student's department."""
    if viewer.role is not Role.SUPERVISOR:
        return false()
    of_department = and_(Request.decider_id.is_(None), Request.department_id == viewer.department_id)
    return or_(Request.decider_id == viewer.id, of_department)


def _with_people(requests: Select[Request]) -> Select[Request]:
    return requests.options(
        joinedload(Request.clinician).joinedload(User.department),
        joinedload(Request.giver),
        joinedload(Request.asked_by),
        joinedload(Request.decided_by),
    )


def _with_patient(requests: Select[Request]) -> Select[Request]:
    return _with_people(requests).options(joinedload(Request.patient).selectinload(Patient.alerts))
