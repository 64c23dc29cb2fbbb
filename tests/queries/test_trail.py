"""What the trail is asked before something is told again."""

from clinic import audit
from clinic.queries.trail import read_lately


def test_what_somebody_else_did_lately_is_no_reason_to_leave_it_out(world, session):
    leela, kamal = world.user("leela"), world.user("kamal")
    audit.record("patient.search", "Searched", actor=leela)
    assert read_lately(leela, "patient.search")
    assert not read_lately(kamal, "patient.search")
    assert not read_lately(leela, "patient.open")
