"""Changing settings: checked, traced, in force at once, and never over somebody else's change."""

import json
import threading

import pytest
from sqlalchemy import select

from clinic import create_app, settings
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import AuditEvent, Setting
from clinic.operations.settings import change_setting, change_settings
from tests.conftest import fresh_mariadb, make_config
from tests.world import build_world

QUEUE = ("late_after_minutes", "no_show_calls", "undo_minutes")


def seen(*names):
    return settings.digest({name: settings.read(name) for name in names})


def change(world, **values):
    return change_settings(values, seen=seen(*values), actor=world.user("adel"))


def test_a_change_is_stored_traced_and_in_force(session, world):
    assert change(world, late_after_minutes=15, no_show_calls=3) == ["late_after_minutes"]
    assert settings.read("late_after_minutes") == 15
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == "setting.change")).one()
    assert event.sentence == "Changed “Late after” from 10 minutes to 15 minutes"
    assert (event.subject, json.loads(event.before), json.loads(event.after)) == (
        "setting:late_after_minutes",
        {"late_after_minutes": 10},
        {"late_after_minutes": 15},
    )
    assert {f"queue:{number}" for number in world.departments.values()} <= set(session.info["nudges"])


def test_what_is_as_it_was_leaves_no_trace(session, world):
    assert change(world, late_after_minutes=10) == []
    assert session.get(Setting, "late_after_minutes") is None
    assert not session.scalars(select(AuditEvent)).all()


def test_a_stale_page_is_told_who_changed_it(session, world):
    stale = seen(*QUEUE)
    change(world, late_after_minutes=15)
    wanted = {"late_after_minutes": 20, "no_show_calls": 3, "undo_minutes": 10}
    with pytest.raises(Conflict, match="Adel Rahman changed these settings on") as conflict:
        change_settings(wanted, seen=stale, actor=world.user("adel"))
    assert conflict.value.theirs["late_after_minutes"] == 15
    assert conflict.value.mine == wanted
    assert settings.read("late_after_minutes") == 15


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("late_after_minutes", "10"),
        ("late_after_minutes", True),
        ("late_after_minutes", 241),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("display_languages", []),
        ("totp_roles", ["king"]),
        ("stage_thresholds", {"waiting": [1, 2]}),
        ("clinic_name", ""),
    ],
)
def test_a_value_of_another_kind_is_refused(session, world, name, value):
    with pytest.raises(DomainError):
        change_setting(name, value, actor=world.user("adel"))
    assert session.get(Setting, name) is None


def test_a_change_that_is_rolled_back_is_not_in_force(session, world):
    change(world, late_after_minutes=15)
    assert settings.read("late_after_minutes") == 15
    session.rollback()
    assert settings.read("late_after_minutes") == 10


@pytest.mark.parametrize("engine_name", ["mariadb"], indirect=True)
def test_of_many_who_saw_the_same_page_one_is_stored(worker, engine_name):
    app = create_app(make_config(fresh_mariadb("chairside_settings")))
    with app.app_context():
        db.create_all()
        world = build_world()
        page = settings.digest(dict.fromkeys(["undo_minutes"], 10))
    began, answers = threading.Barrier(8), []

    def save(minutes):
        with app.app_context():
            actor = world.user("adel")
            began.wait()
            try:
                change_settings({"undo_minutes": minutes}, seen=page, actor=actor)
                db.session.commit()
                answers.append(minutes)
            except Conflict:
                db.session.rollback()

    threads = [threading.Thread(target=save, args=(minutes,)) for minutes in range(11, 19)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with app.app_context():
        settings.forget()
        assert [settings.read("undo_minutes")] == answers
        assert len(db.session.scalars(select(AuditEvent.id)).all()) == 1
        db.session.remove()
        db.engine.dispose()
