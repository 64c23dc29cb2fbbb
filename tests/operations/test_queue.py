"""Moves of the queue, one lifecycle from the door to the door."""

from clinic.models import Stage, VisitStatus
from clinic.operations import queue, visits
from clinic.queries.queue import board_for, my_queue_for, next_in_line


def test_a_visit_goes_through_the_queue(session, world):
    ruwan, kamal, silva = world.user("ruwan"), world.user("kamal"), world.user("silva")
    entry = visits.check_in(world.visit("fernando"), actor=ruwan)
    assert next_in_line(ruwan, entry.department_id).entry_id == entry.id
    entry = queue.call_to_chair(entry.id, version=entry.version, chair_id=world.chairs["A2"], actor=kamal)
    for stage, actor in (
        (Stage.IN_CHAIR, kamal),
        (Stage.IN_TREATMENT, kamal),
        (Stage.AWAITING_SUPERVISOR, kamal),
        (Stage.IN_TREATMENT, kamal),
        (Stage.AWAITING_DISMISSAL, kamal),
        (Stage.CHECKOUT, silva),
        (Stage.DONE, ruwan),
    ):
        entry = queue.move(entry.id, to=stage, version=entry.version, actor=actor)
        assert entry.stage is stage
        assert (entry.chair_id is None) == (stage in (Stage.CHECKOUT, Stage.DONE))
    assert world.visit("fernando").status is VisitStatus.COMPLETED
    board = board_for(ruwan, entry.department_id)
    assert [row.entry_id for row in board.done] == [entry.id]
    entry = queue.undo_last_move(entry.id, version=entry.version, actor=ruwan)
    assert entry.stage is Stage.CHECKOUT
    assert world.visit("fernando").status is VisitStatus.ARRIVED
    assert [row.stage for row in my_queue_for(kamal).in_service] == [Stage.CHECKOUT]
