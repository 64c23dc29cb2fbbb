"""What waits for whom, over all kinds of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from clinic import clock
from clinic.approvals import inbox
from clinic.approvals.inbox import inbox_of, item_for, number_waiting
from clinic.models import AssignmentKind
from clinic.operations.approvals import note_opened
from clinic.queries.approvals import opened_versions
from tests.asked import many_ask, reception_asks, student_asks
from tests.queries_counted import counted


@pytest.fixture
def two_kinds(session, world, monkeypatch):
    """A second kind, whose one item is an emergency of now."""
    reception_asks(world)

    def items(viewer):
        return [
            replace(item, kind="start", is_urgent=True, since=clock.now()) for item in request.items(viewer) if item.id
        ]

    request = inbox.KINDS["request"]
    start = replace(request, name="start", items=items)
    monkeypatch.setattr(inbox, "KINDS", {"request": request, "start": start})


def test_each_supervisor_has_their_own_inbox(session, world):
    ours, theirs = reception_asks(world), reception_asks(world, "omar", "wu", of=AssignmentKind.TREATMENT)
    named = reception_asks(world, "sato", "perera")
    for name, ids in (
        ("silva", [ours.id]),
        ("sato", [theirs.id, named.id]),
        ("kamal", []),
        ("ruwan", []),
        ("adel", []),
    ):
        viewer = world.user(name)
        assert [item.id for group in inbox_of(viewer).groups for item in group.items] == ids, name
        assert number_waiting(viewer) == len(ids)


def test_an_item_of_another_cannot_be_found(session, world):
    request = reception_asks(world)
    assert item_for(world.user("silva"), "request", request.id).key == f"request:{request.id}"
    for name in ("sato", "kamal", "leela", "ruwan", "adel"):
        assert item_for(world.user(name), "request", request.id) is None
    assert item_for(world.user("silva"), "note", request.id) is None


def test_what_expired_waits_no_more(session, world):
    request = reception_asks(world)
    request.expires_at = clock.now() - timedelta(minutes=1)
    session.flush()
    assert not inbox_of(world.user("silva")).groups
    assert number_waiting(world.user("silva")) == 0


def test_emergencies_of_any_kind_come_first_and_kinds_stand_together(two_kinds, world):
    (group,) = inbox_of(world.user("silva")).groups
    assert [item.kind for item in group.items] == ["start", "request"]
    assert number_waiting(world.user("silva")) == 2
    assert group.unopened == 2


def test_the_number_is_one_query_over_all_kinds(two_kinds, world):
    viewer = world.user("silva")
    with counted() as statements:
        number_waiting(viewer)
    assert len(statements) == 1


def test_the_key_of_a_group_changes_with_what_is_in_it(session, world):
    first = reception_asks(world)
    viewer = world.user("silva")
    alone = inbox_of(viewer).groups[0]
    assert alone.once == inbox_of(viewer).groups[0].once
    student_asks(world)
    together = inbox_of(viewer).groups[0]
    assert alone.once != together.once
    first.reason = "Moved"
    session.flush()
    assert inbox_of(viewer).groups[0].once != together.once


def test_what_was_opened_is_remembered_by_person_and_version(session, world):
    silva, sato = world.user("silva"), world.user("sato")
    for _ in range(2):
        note_opened("request:7", 1, "Something", patient_id=None, actor=silva)
    assert opened_versions(silva, ["request:7", "request:8"]) == {("request:7", 1)}
    assert opened_versions(sato, ["request:7"]) == set()
    assert opened_versions(silva, []) == set()


def test_ten_and_a_thousand_cost_the_same(session, world):
    many_ask(world, 10)
    with counted() as few:
        assert sum(len(group.items) for group in inbox_of(world.user("silva")).groups) == 10
    many_ask(world, 990)
    session.expire_all()
    with counted() as many:
        found = inbox_of(world.user("silva"))
    assert sum(len(group.items) for group in found.groups) == inbox.SHOWN
    assert found.more == 800
    assert len(many) <= len(few) + 1
