"""What a person is told of their own account."""

from clinic.models import RecoveryCode
from clinic.queries.people import recovery_codes_left


def test_only_ones_own_recovery_codes_are_counted(world, session):
    silva, sato = world.user("silva"), world.user("sato")
    session.add_all(RecoveryCode(user_id=silva.id, code_hash=f"{number}") for number in range(3))
    session.flush()
    assert (recovery_codes_left(silva), recovery_codes_left(sato)) == (3, 0)
