"""An administrator never shuts the door behind themself, not even with a colleague left."""

import pytest

from clinic.errors import DomainError
from clinic.models import Role, User
from clinic.operations.people import change_person, deactivate


@pytest.fixture
def two_admins(world, session):
    world.user("rita").role = Role.ADMIN
    session.flush()
    return world


def change_role(person: User, role: Role, actor: User) -> User:
    return change_person(
        person.id,
        version=person.version,
        name=person.name,
        email=person.email,
        role=role,
        department_id=person.department_id,
        year=person.year,
        actor=actor,
    )


def test_nobody_deactivates_themself(two_admins):
    adel = two_admins.user("adel")
    with pytest.raises(DomainError, match="cannot deactivate yourself. Another administrator can"):
        deactivate(adel.id, actor=adel)
    assert adel.active


def test_nobody_gives_up_being_administrator_by_themself(two_admins):
    adel = two_admins.user("adel")
    with pytest.raises(DomainError, match="yourself. Another administrator can"):
        change_role(adel, Role.NURSE, adel)
    assert adel.role is Role.ADMIN


def test_a_colleague_may_and_the_last_one_stays(two_admins):
    adel, rita = two_admins.user("adel"), two_admins.user("rita")
    assert not deactivate(rita.id, actor=adel).active
    with pytest.raises(DomainError, match="last active administrator"):
        deactivate(adel.id, actor=rita)
