"""Requests: who may ask, who decides, one open at a time, and what a decision does."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock, settings
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import (
    Assignment,
    AssignmentKind,
    AuditEvent,
    Notice,
    Request,
    RequestKind,
    RequestStatus,
    Setting,
    Unowned,
    VisitStatus,
)
from clinic.operations import requests
from clinic.operations.assignments import assign, end_assignment
from clinic.operations.handover import Destination
from clinic.operations.people import deactivate
from clinic.queries.requests import (
    decidable_request_for,
    open_requests_about,
    own_request_for,
    patients_seen,
    requests_of,
    waiting_requests,
)
from clinic.queries.scope import is_running
from tests.scene import second_supervisor

PRIMARY, ADDITIONAL = AssignmentKind.PRIMARY, AssignmentKind.ADDITIONAL


@pytest.fixture(autouse=True)
def _fresh_settings():
    yield
    settings.forget()


def ask(world, person="leela", patient="fernando", kind=RequestKind.ASSIGN, by="ruwan", of=ADDITIONAL):
    return requests.ask_assignment(
        kind=kind,
        patient_id=world.patients[patient],
        clinician_id=world.people[person],
        assignment_kind=of,
        reason="Lives nearby",
        actor=world.user(by),
    )


def ask_for(world, code, by="leela", of=PRIMARY):
    return requests.ask_for_patient(code=code, assignment_kind=of, need="Endodontics, molar", actor=world.user(by))


def transfer(world, giver="kamal", receiver="leela", patient="fernando", by="kamal", to=None, note="Crown 36 next"):
    destinations = to if to is not None else {f"visit:{world.visits[patient]}": Destination("receiver")}
    return requests.ask_transfer(
        patient_id=world.patients[patient],
        from_id=world.people[giver],
        to_id=world.people[receiver],
        handover=note,
        destinations=destinations,
        actor=world.user(by),
    )


def has(world, person, patient, kind=None):
    found = db.session.scalars(
        select(Assignment.kind).where(
            Assignment.user_id == world.people[person], Assignment.patient_id == world.patients[patient], is_running()
        )
    ).all()
    return kind in found if kind else bool(found)


def told(world, person):
    return db.session.scalars(
        select(Notice.sentence).where(Notice.user_id == world.people[person]).order_by(Notice.id)
    ).all()


def limit_of_none():
    value = json.dumps({kind.value: {"3": 0, "4": 0} for kind in AssignmentKind})
    db.session.merge(Setting(name="load_limits", value=value))
    db.session.flush()
    settings.forget()


# --- reception asks ---------------------------------------------------------------------------------------------------


def test_reception_asks_and_the_students_supervisor_decides(world, session):
    request = ask(world)
    assert (request.status, request.version) == (RequestStatus.PENDING, 1)
    assert (request.department_id, request.decider_id) == (world.departments["restorative"], None)
    assert [row.id for row in waiting_requests(world.user("silva"))] == [request.id]
    assert len(waiting_requests(world.user("silva"))) == 1
    assert waiting_requests(world.user("sato")) == []
    requests.approve_request(request.id, version=1, actor=world.user("silva"))
    assert has(world, "leela", "fernando", ADDITIONAL)
    assert (request.status, request.open_key) == (RequestStatus.APPROVED, None)
    assert (request.decided_by_id, len(waiting_requests(world.user("silva")))) == (world.people["silva"], 0)
    assert told(world, "ruwan") == [
        "Dr Sunil Silva approved your request: Leela Nair has Nimali Fernando, P-2026-00001, as additional now."
    ]
    assert told(world, "leela") == ["Nimali Fernando, P-2026-00001, is yours now as additional."]


def test_a_named_clinician_decides_about_themself_alone(world, session):
    prado = second_supervisor(world)
    request = ask(world, "silva", of=AssignmentKind.OVERSIGHT)
    assert (request.department_id, request.decider_id) == (None, world.people["silva"])
    assert decidable_request_for(prado, request.id) is None
    with pytest.raises(NotAllowed, match="not yours to decide"):
        requests.approve_request(request.id, version=1, actor=prado)
    requests.approve_request(request.id, version=1, actor=world.user("silva"))
    assert has(world, "silva", "fernando", AssignmentKind.OVERSIGHT)


def test_reception_asks_to_remove(world, session):
    request = ask(world, "kamal", kind=RequestKind.REMOVE, of=PRIMARY)
    requests.approve_request(request.id, version=1, actor=world.user("silva"))
    assert not has(world, "kamal", "fernando")
    assert session.get(Unowned, world.patients["fernando"]) is not None
    assert told(world, "kamal") == ["P-2026-00001 is no longer yours; Dr Sunil Silva approved that."]


@pytest.mark.parametrize(
    ("person", "kind", "of", "says"),
    [
        ("kamal", RequestKind.ASSIGN, PRIMARY, "Kamal Dias already has Nimali Fernando as primary"),
        ("leela", RequestKind.REMOVE, PRIMARY, "Leela Nair does not have Nimali Fernando as primary"),
        ("nimal", RequestKind.ASSIGN, PRIMARY, "Nimal Costa treats no patients here now"),
        ("leela", RequestKind.TRANSFER, PRIMARY, "Choose whether to assign or to remove"),
    ],
)
def test_what_cannot_be_asked(world, session, person, kind, of, says):
    with pytest.raises(DomainError, match=says):
        ask(world, person, kind=kind, of=of)
    assert session.scalar(select(func.count(Request.id))) == 0


def test_one_open_request_per_patient_person_and_action(world, session):
    first = ask(world)
    with pytest.raises(Conflict, match="Ruwan Senanayake asked for this on .*; it is not decided yet"):
        ask(world, by="rita", of=PRIMARY)
    with pytest.raises(Conflict, match="You asked for this on"):
        ask(world)
    ask(world, "kamal")
    ask(world, "leela", patient="wu")
    requests.withdraw_request(first.id, version=1, actor=world.user("ruwan"))
    ask(world, by="rita")


# --- a student asks ---------------------------------------------------------------------------------------------------


def test_a_student_asks_by_code_and_gets_the_patient(world, session):
    request = ask_for(world, " p-2026-1 ")
    assert (request.code, request.patient_id) == ("P-2026-00001", world.patients["fernando"])
    requests.approve_request(request.id, version=1, actor=world.user("silva"))
    assert has(world, "leela", "fernando", PRIMARY)
    assert told(world, "leela") == [
        "Dr Sunil Silva approved your request: Nimali Fernando, P-2026-00001, is yours now as primary."
    ]


def test_a_code_nobody_has_is_asked_for_all_the_same_and_cannot_be_approved(world, session):
    request = ask_for(world, "P-2026-00099")
    assert request.patient_id is None
    with pytest.raises(Conflict, match="You asked for this on"):
        ask_for(world, "2026-99")
    with pytest.raises(DomainError, match="There is no patient with the code P-2026-00099"):
        requests.approve_request(request.id, version=1, actor=world.user("silva"))
    requests.return_request(request.id, version=1, reason="Wrong code?", actor=world.user("silva"))
    assert told(world, "leela") == ["Dr Sunil Silva returned your request for P-2026-00099: Wrong code?"]


@pytest.mark.parametrize("patient", ["nadia", "archie", "wu", None])
def test_returned_or_expired_the_student_is_told_the_same_whoever_has_the_code(world, session, patient):
    code = world.patient(patient).code if patient else "P-2026-00099"
    returned = ask_for(world, code)
    requests.return_request(returned.id, version=1, reason="Not now", actor=world.user("silva"))
    late = ask_for(world, code)
    requests.expire_requests(late.expires_at)
    notices = session.scalars(select(Notice).where(Notice.user_id == world.people["leela"]).order_by(Notice.id)).all()
    assert [(one.sentence, one.url, one.patient_id) for one in notices] == [
        (f"Dr Sunil Silva returned your request for {code}: Not now", "/requests", None),
        (f"Nobody decided your request for {code} in time. Ask again if it is still needed.", "/requests", None),
    ]
    assert patients_seen(world.user("leela"), requests_of(world.user("leela")).rows) == {}


@pytest.mark.parametrize("code", ["", "fernando", "P-26-1", "P-2026-1234567", "P-2026-", "' OR 1=1"])
def test_what_is_no_code(world, session, code):
    with pytest.raises(DomainError, match="looks like P-2026-00412"):
        ask_for(world, code)


def test_a_student_does_not_ask_for_whom_they_have(world, session):
    with pytest.raises(DomainError, match="You already have P-2026-00001 as primary"):
        ask_for(world, "P-2026-00001", by="kamal")
    ask_for(world, "P-2026-00001", by="kamal", of=ADDITIONAL)


def test_a_student_does_not_ask_for_everybody(world, session):
    """Whether there is a patient of the code or not."""
    for number in range(requests.MOST_ASKED):
        last = ask_for(world, f"P-2025-{number + 1}")
    for code in ("P-2026-00004", "P-2026-00777"):
        with pytest.raises(DomainError, match="20 requests of yours wait already"):
            ask_for(world, code)
    requests.withdraw_request(last.id, version=last.version, actor=world.user("leela"))
    ask_for(world, "P-2026-00004")


@pytest.mark.parametrize("by", ["silva", "ruwan", "adel"])
def test_only_students_ask_for_patients(world, session, by):
    with pytest.raises(NotAllowed):
        ask_for(world, "P-2026-00001", by=by)


def test_a_student_needs_a_need(world, session):
    with pytest.raises(DomainError, match="Write what you need the patient for"):
        requests.ask_for_patient(code="P-2026-1", assignment_kind=PRIMARY, need=" ", actor=world.user("leela"))


# --- deciding ---------------------------------------------------------------------------------------------------------


def test_nobody_decides_what_they_asked_for(world, session):
    prado = second_supervisor(world)
    transferred = transfer(world, by="silva")
    silva = world.user("silva")
    assert waiting_requests(silva) == []
    for decide in (
        lambda: requests.approve_request(transferred.id, version=1, actor=silva),
        lambda: requests.return_request(transferred.id, version=1, reason="No", actor=silva),
    ):
        with pytest.raises(DomainError, match="You asked for this yourself. Another supervisor of the department"):
            decide()
    assert [row.id for row in waiting_requests(prado)] == [transferred.id]
    requests.approve_request(transferred.id, version=1, actor=prado)
    assert has(world, "leela", "fernando")


@pytest.mark.parametrize("by", ["sato", "kamal", "leela", "ruwan", "adel", "nimal"])
def test_who_does_not_decide(world, session, by):
    request = ask(world)
    actor = world.user(by)
    assert decidable_request_for(actor, request.id) is None
    with pytest.raises(NotAllowed):
        requests.approve_request(request.id, version=1, actor=actor)
    with pytest.raises(NotAllowed):
        requests.return_request(request.id, version=1, reason="No", actor=actor)
    assert request.status is RequestStatus.PENDING


def test_a_decision_is_made_once(world, session):
    request = ask(world)
    silva = world.user("silva")
    requests.return_request(request.id, version=1, reason="She lives far away", actor=silva)
    with pytest.raises(Conflict, match="Dr Sunil Silva returned this request on"):
        requests.approve_request(request.id, version=1, actor=silva)
    with pytest.raises(Conflict, match="Dr Sunil Silva returned this request on"):
        requests.approve_request(request.id, version=2, actor=silva)
    with pytest.raises(Conflict):
        requests.withdraw_request(request.id, version=2, actor=world.user("ruwan"))
    assert not has(world, "leela", "fernando")


def test_a_return_needs_a_reason(world, session):
    request = ask(world)
    with pytest.raises(DomainError, match="Write why you return it"):
        requests.return_request(request.id, version=1, reason=" ", actor=world.user("silva"))


def test_only_whoever_asked_withdraws(world, session):
    request = ask(world)
    assert own_request_for(world.user("rita"), request.id) is None
    with pytest.raises(NotAllowed):
        requests.withdraw_request(request.id, version=1, actor=world.user("rita"))
    requests.withdraw_request(request.id, version=1, actor=world.user("ruwan"))
    assert request.status is RequestStatus.WITHDRAWN


def test_requests_expire(world, session):
    request, other = ask(world), ask(world, "kamal")
    requests.return_request(other.id, version=1, reason="No", actor=world.user("silva"))
    assert request.expires_at - request.asked_at == timedelta(days=14)
    assert requests.expire_requests(request.expires_at - timedelta(seconds=1)) == 0
    with clock.frozen(request.expires_at):
        assert waiting_requests(world.user("silva")) == []
        with pytest.raises(Conflict, match="This request expired on"):
            requests.approve_request(request.id, version=1, actor=world.user("silva"))
        assert requests.expire_requests(clock.now()) == 1
        assert requests.expire_requests(clock.now()) == 0
    assert request.status is RequestStatus.EXPIRED
    assert told(world, "ruwan")[-1].startswith("Nobody decided your request for P-2026-00001 in time")


def test_approval_judges_everything_again(world, session):
    silva = world.user("silva")
    request = ask(world)
    limit_of_none()
    with pytest.raises(DomainError, match="a student of the 3rd year has at most 0"):
        requests.approve_request(request.id, version=1, actor=silva)
    world.user("leela").active = False
    with pytest.raises(DomainError, match="Leela Nair treats no patients here now"):
        requests.approve_request(request.id, version=1, actor=silva, reason="Enough")
    world.user("leela").active = True
    world.patient("fernando").archived_at = clock.now()
    with pytest.raises(DomainError, match="archived"):
        requests.approve_request(request.id, version=1, actor=silva, reason="Enough")
    world.patient("fernando").archived_at = None
    world.user("leela").department_id = world.departments["orthodontics"]
    with pytest.raises(DomainError, match="Leela Nair has moved to another department"):
        requests.approve_request(request.id, version=1, actor=silva, reason="Enough")
    world.user("leela").department_id = world.departments["restorative"]
    assign(patient_id=request.patient_id, person_id=request.clinician_id, kind=ADDITIONAL, actor=silva, reason="Enough")
    with pytest.raises(DomainError, match="already has Nimali Fernando as additional"):
        requests.approve_request(request.id, version=1, actor=silva, reason="Enough")
    assert request.status is RequestStatus.PENDING


def test_a_removal_that_has_happened_already_is_not_approved(world, session):
    request = ask(world, "kamal", kind=RequestKind.REMOVE, of=PRIMARY)
    (one,) = session.scalars(select(Assignment).where(Assignment.user_id == world.people["kamal"], is_running()))
    end_assignment(one.id, reason="Ill", actor=world.user("silva"))
    with pytest.raises(DomainError, match="does not have Nimali Fernando any more"):
        requests.approve_request(request.id, version=1, actor=world.user("silva"))


def test_beyond_the_limit_with_a_reason(world, session):
    request = ask(world)
    limit_of_none()
    requests.approve_request(request.id, version=1, actor=world.user("silva"), reason="Nobody else can")
    assert has(world, "leela", "fernando")


def test_requests_of_somebody_who_leaves_are_closed(world, session):
    asked, about = ask_for(world, "P-2026-00001"), ask(world)
    named = ask(world, "silva", of=AssignmentKind.OVERSIGHT)
    deactivate(world.people["leela"], actor=world.user("adel"))
    assert (asked.status, about.status) == (RequestStatus.WITHDRAWN, RequestStatus.RETURNED)
    deactivate(world.people["silva"], actor=world.user("adel"))
    assert named.status is RequestStatus.RETURNED
    assert told(world, "ruwan") == [
        "Your request for P-2026-00001 was returned: Leela Nair: Deactivated",
        "Your request for P-2026-00001 was returned: Dr Sunil Silva: Deactivated",
    ]


def test_open_requests_about_a_patient_are_seen_by_the_desk_and_supervisors(world, session):
    asked, _by_student = ask(world), ask_for(world, "P-2026-00001")
    fernando = world.patient("fernando")
    for name, seen in (("ruwan", [asked.id]), ("silva", [asked.id]), ("kamal", []), ("nimal", []), ("adel", [])):
        assert [row.id for row in open_requests_about(world.user(name), fernando)] == seen


def test_each_act_is_in_the_trail(world, session):
    request = ask(world)
    requests.approve_request(request.id, version=1, actor=world.user("silva"))
    events = session.scalars(select(AuditEvent).where(AuditEvent.act.like("request.%")).order_by(AuditEvent.id)).all()
    assert [(event.act, event.sentence) for event in events] == [
        ("request.ask", "Asked: give P-2026-00001 to Leela Nair as additional"),
        ("request.approve", "Approve: give P-2026-00001 to Leela Nair as additional"),
    ]
    assert {event.patient_id for event in events} == {world.patients["fernando"]}


# --- transfers --------------------------------------------------------------------------------------------------------


def test_a_transfer_moves_the_patient_with_their_visits_and_the_note(world, session):
    request = transfer(world)
    requests.approve_request(request.id, version=1, actor=world.user("silva"))
    assert has(world, "leela", "fernando", PRIMARY)
    assert not has(world, "kamal", "fernando")
    assert world.visit("fernando").student_id == world.people["leela"]
    assert session.scalars(select(Unowned)).all() == []
    assert request.handover == "Crown 36 next"
    assert told(world, "kamal") == ["Dr Sunil Silva approved your request: P-2026-00001 went to Leela Nair."]
    assert told(world, "leela") == ["Nimali Fernando, P-2026-00001, is yours now as primary. Read the handover note."]


def test_the_receivers_supervisor_decides(world, session):
    request = transfer(world, receiver="omar", by="silva")
    assert request.department_id == world.departments["orthodontics"]
    with pytest.raises(NotAllowed):
        requests.approve_request(request.id, version=1, actor=second_supervisor(world))
    requests.approve_request(request.id, version=1, actor=world.user("sato"))
    assert has(world, "omar", "fernando")


@pytest.mark.parametrize("by", ["leela", "sato", "ruwan", "adel"])
def test_who_does_not_ask_for_a_transfer(world, session, by):
    with pytest.raises(NotAllowed, match="Kamal Dias or a supervisor of theirs asks for this"):
        transfer(world, by=by)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"note": " \n"}, "Write a handover note"),
        ({"note": "x" * 5001}, "At most 5000 characters"),
        ({"to": {}}, "Say what becomes of each. Without a destination: Visit on"),
        ({"receiver": "kamal"}, "Choose another student"),
        ({"receiver": "silva"}, "Choose another student"),
        ({"patient": "wu"}, "Kamal Dias does not have this patient"),
    ],
)
def test_what_a_transfer_needs(world, session, changes, says):
    with pytest.raises(DomainError, match=says):
        transfer(world, **changes)


def test_every_destination_has_its_effect(world, session):
    visit = world.visit("fernando")
    for to, reason, status, student in (
        ("open", "", VisitStatus.SCHEDULED, None),
        ("cancel", "", VisitStatus.CANCEL_REQUESTED, "kamal"),
        ("stays", "Kamal finishes it", VisitStatus.SCHEDULED, "kamal"),
    ):
        with db.session.begin_nested() as savepoint:
            request = transfer(world, to={f"visit:{visit.id}": Destination(to, reason)})
            requests.approve_request(request.id, version=1, actor=world.user("silva"))
            found = world.visit("fernando")
            assert (found.status, found.student_id) == (status, world.people[student] if student else None)
            savepoint.rollback()


@pytest.mark.parametrize(
    ("destination", "says"),
    [
        (Destination("nowhere"), "Choose again what becomes of this: Visit on"),
        (Destination("stays"), "Write why this stays: Visit on"),
    ],
)
def test_a_destination_must_be_one(world, session, destination, says):
    with pytest.raises(DomainError, match=says):
        transfer(world, to={f"visit:{world.visits['fernando']}": destination})


def test_what_came_up_since_needs_a_destination_too(world, session):
    request = transfer(world)
    late = requests.ask_for_patient(
        code="P-2026-1", assignment_kind=ADDITIONAL, need="Crown", actor=world.user("kamal")
    )
    with pytest.raises(DomainError, match="Without a destination: Kamal Dias asked for this patient as additional"):
        requests.approve_request(request.id, version=1, actor=world.user("silva"))
    requests.withdraw_request(late.id, version=1, actor=world.user("kamal"))
    requests.approve_request(request.id, version=1, actor=world.user("silva"))


def test_one_open_transfer_per_giver_and_patient(world, session):
    transfer(world)
    with pytest.raises(Conflict, match="Kamal Dias asked for this on"):
        transfer(world, receiver="omar", by="silva")
