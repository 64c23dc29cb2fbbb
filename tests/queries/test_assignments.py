"""Who looks after whom: each list holds what its viewer may see, in a total order, in as many queries for many rows as for few."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.models import (
    Assignment,
    AssignmentKind,
    Notice,
    Patient,
    Request,
    RequestKind,
    RequestStatus,
    Role,
    Unowned,
    User,
)
from clinic.operations.handover import items_of
from clinic.queries.assignments import (
    answers_for,
    assignees_for,
    assignment_for,
    clinicians,
    former_team,
    handovers_of,
    last_ends,
    loads_of,
    members_of,
    other_students,
    proposed,
    receivers_for,
    running_for,
    running_of,
    student_for,
    student_page,
    students_of,
    supervisors_of,
    taken_by,
    unowned_count,
    unowned_patients,
)
from clinic.queries.patients import care_team
from clinic.queries.requests import (
    decidable_request_for,
    open_requests_about,
    patients_seen,
    requests_of,
    waiting_requests,
)
from tests.crowded import add_patients
from tests.queries_counted import counted

PRIMARY = AssignmentKind.PRIMARY


def names(people):
    return [person.name for person in people]


def test_what_has_ended_is_of_nobody(world, session):
    """Perera was kamal's once, and is leela's now."""
    kamal, leela, perera = world.user("kamal"), world.user("leela"), world.patients["perera"]
    assert running_for(perera, kamal.id) == []
    assert [each.kind for each in running_for(perera, leela.id)] == [PRIMARY]
    assert taken_by([kamal, leela]) == {
        kamal.id: {(world.patients["fernando"], PRIMARY)},
        leela.id: {(perera, PRIMARY)},
    }


def test_whom_a_supervisor_has_to_choose_from(world, session):
    silva = world.user("silva")
    assert names(students_of(silva)) == ["Kamal Dias", "Leela Nair"]
    assert names(supervisors_of(silva)) == ["Dr Sunil Silva"]
    assert names(assignees_for(silva)) == names(receivers_for(silva)) == ["Kamal Dias", "Leela Nair", "Dr Sunil Silva"]
    assert names(other_students(silva, world.people["kamal"])) == ["Leela Nair", "Omar Haddad"]
    assert names(clinicians(silva)) == ["Dr Emi Sato", "Dr Sunil Silva", "Kamal Dias", "Leela Nair", "Omar Haddad"]
    world.user("leela").active = False
    session.flush()
    assert names(students_of(silva)) == ["Kamal Dias"]
    assert names(clinicians(silva)) == ["Dr Emi Sato", "Dr Sunil Silva", "Kamal Dias", "Omar Haddad"]


@pytest.mark.parametrize("name", ["ruwan", "nimal", "adel", "kamal"])
def test_nobody_else_has_students(world, session, name):
    viewer = world.user(name)
    assert students_of(viewer) == supervisors_of(viewer) == assignees_for(viewer) == []
    assert student_for(viewer, world.people["kamal"]) is None
    assert unowned_patients(viewer).rows == []
    assert waiting_requests(viewer) == []
    assert not answers_for(viewer, world.user("kamal"))


def test_one_student_of_ones_department(world, session):
    assert student_for(world.user("silva"), world.people["kamal"]).name == "Kamal Dias"
    for name in ("omar", "silva", "ruwan"):
        assert student_for(world.user("silva"), world.people[name]) is None


def test_an_assignment_of_a_patient_one_may_see(world, session):
    (of_wu,) = running_of(world.user("sato"), world.people["omar"])
    assert assignment_for(world.user("sato"), of_wu.id).patient.name == "吴美玲"
    assert assignment_for(world.user("silva"), of_wu.id) is None
    assert running_of(world.user("silva"), world.people["omar"]) == []


def test_the_team_and_who_was_in_it(world, session):
    perera, silva = world.patient("perera"), world.user("silva")
    (member,) = members_of(silva, care_team(perera))
    assert (member.assignment.user.name, member.may_end, member.may_hand_over) == ("Leela Nair", True, True)
    for name, may in (("sato", (False, False)), ("ruwan", (False, False)), ("leela", (False, True))):
        (member,) = members_of(world.user(name), care_team(perera))
        assert (member.may_end, member.may_hand_over) == may
    (former,) = former_team(perera)
    assert (former.user.name, former.end_reason) == ("Kamal Dias", "Transferred")
    assert set(last_ends([world.people["kamal"], world.people["leela"]])) == {world.people["kamal"]}


def test_an_assignment_is_running_from_its_first_instant_to_before_its_last(world, session):
    (assignment,) = running_of(world.user("silva"), world.people["kamal"])
    assignment.starts_at = start = clock.now()
    assignment.ends_at = end = start + timedelta(seconds=1)
    session.flush()
    for at, runs in ((start, True), (end - timedelta(microseconds=1), True), (end, False)):
        with clock.frozen(at):
            found = running_of(world.user("ruwan"), world.people["kamal"])
            assert ([one.id for one in found] == [assignment.id]) is runs
    with clock.frozen(start - timedelta(microseconds=1)):
        assert running_of(world.user("ruwan"), world.people["kamal"]) == []


def fill(world, session, count, year):
    """So many patients, students, ended assignments, requests and notices more."""
    at, silva, kamal = clock.now(), world.people["silva"], world.people["kamal"]
    ids = add_patients(world, count)
    for number, patient_id in enumerate(ids):
        common = {"starts_at": at - timedelta(days=9), "created_by_id": silva, "kind": PRIMARY}
        session.add_all(
            [
                Assignment(patient_id=patient_id, user_id=kamal, **common),
                Assignment(
                    patient_id=world.patients["fernando"],
                    user_id=world.people["leela"],
                    ends_at=at - timedelta(days=1),
                    end_reason="Done",
                    **common,
                ),
                User(
                    email=f"s{year}-{number}@clinic.test",
                    name=f"Student {year} {number:04d}",
                    role=Role.STUDENT,
                    department_id=world.departments["restorative"],
                    year=3,
                    password_hash="!",
                    created_at=at,
                ),
                Unowned(
                    patient_id=patient_id,
                    department_id=world.departments["restorative"],
                    from_id=kamal,
                    since=at,
                ),
                Notice(user_id=kamal, kind="x", sentence="x", at=at),
            ]
        )
        for status, kind in (
            (RequestStatus.PENDING, RequestKind.ASSIGN),
            (RequestStatus.APPROVED, RequestKind.TRANSFER),
        ):
            session.add(
                Request(
                    kind=kind,
                    status=status,
                    patient_id=world.patients["fernando"] if kind is RequestKind.TRANSFER else patient_id,
                    code=f"P-{year}-{number:05d}",
                    clinician_id=world.people["leela"],
                    from_id=kamal if kind is RequestKind.TRANSFER else None,
                    assignment_kind=PRIMARY,
                    department_id=world.departments["restorative"],
                    asked_by_id=world.people["ruwan"],
                    asked_at=at,
                    expires_at=at + timedelta(days=9),
                    decided_at=at if status is RequestStatus.APPROVED else None,
                    open_key=f"{year}:{number}" if status is RequestStatus.PENDING else None,
                )
            )
    session.flush()
    for patient in session.scalars(select(Patient).where(Patient.id.in_(ids))):
        patient.code = f"P-{year}-{patient.id:05d}"  # theirs is taken by the next filling
    session.flush()


def everything(world):
    silva, ruwan, kamal = world.user("silva"), world.user("ruwan"), world.user("kamal")
    fernando = world.patient("fernando")
    return {
        "students": lambda: loads_of(student_page(silva).rows),
        "receivers": lambda: loads_of(receivers_for(silva)),
        "clinicians": lambda: [person.department for person in clinicians(ruwan)],
        "patients of one": lambda: [one.patient.name for one in running_of(silva, kamal.id)],
        "unowned": lambda: [(one.patient.active_alerts, one.giver.name) for one in unowned_patients(silva).rows],
        "how many unowned": lambda: unowned_count(silva),
        "former team": lambda: [one.user.department for one in former_team(fernando)],
        "handovers": lambda: [one.giver.name for one in handovers_of(silva, fernando)],
        "proposals": lambda: proposed(
            running_of(silva, kamal.id), receivers_for(silva), taken_by(receivers_for(silva))
        ),
        "what hangs on them": lambda: items_of([one.patient_id for one in running_of(silva, kamal.id)], kamal),
        "own requests": lambda: patients_seen(ruwan, requests_of(ruwan).rows),
        "waiting": lambda: [one.patient and one.patient.active_alerts for one in waiting_requests(silva)],
        "about a patient": lambda: [one.clinician.department for one in open_requests_about(silva, fernando)],
        "one to decide": lambda: decidable_request_for(silva, 1),
    }


def test_as_many_queries_for_a_thousand_rows_as_for_ten(world, session):
    counts = []
    for count, year in ((10, 2001), (990, 2002)):
        fill(world, session, count, year)
        found = {}
        for name, ask in everything(world).items():
            session.expire_all()
            [world.user(one).department_id for one in ("silva", "ruwan", "kamal")]
            world.patient("fernando").name  # noqa: B018
            with counted() as statements:
                ask()
            found[name] = len(statements)
        counts.append(found)
    assert counts[0] == counts[1]


def test_another_departments_number_does_not_tell_where_it_stands(world, session):
    for patient, department in (("fernando", "restorative"), ("wu", "orthodontics")):
        session.add(
            Unowned(
                patient_id=world.patients[patient],
                department_id=world.departments[department],
                from_id=world.people["kamal"],
                since=clock.now(),
            )
        )
    session.flush()
    pages = [unowned_patients(world.user("silva"), after=after) for after in (None, world.patients["wu"], 10**9)]
    assert [[one.patient_id for one in page.rows] for page in pages] == [[world.patients["fernando"]]] * 3


def test_lists_are_bounded_and_paged_without_gap_or_repeat(world, session):
    fill(world, session, 130, 2001)
    silva, ruwan = world.user("silva"), world.user("ruwan")
    seen, after = [], None
    while True:
        page = unowned_patients(silva, after=after)
        assert len(page.rows) <= 50
        seen += [one.patient_id for one in page.rows]
        if (after := page.after) is None:
            break
    assert len(seen) == len(set(seen)) == 130 == unowned_count(silva)
    asked, after = [], None
    while True:
        page = requests_of(ruwan, after=after)
        assert len(page.rows) <= 50
        asked += [one.id for one in page.rows]
        if (after := page.after) is None:
            break
    assert asked == sorted(asked, reverse=True)
    assert len(asked) == 260
    assert len(waiting_requests(silva)) == 130
    assert len(former_team(world.patient("fernando"))) == 50
    assert len(handovers_of(silva, world.patient("fernando"))) == 20
