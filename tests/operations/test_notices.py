"""Telling somebody something once."""

import pytest
from sqlalchemy import select

from clinic.extensions import db
from clinic.models import Notice
from clinic.operations.notices import tell


def sentences(session, person_id):
    return list(session.scalars(select(Notice.sentence).where(Notice.user_id == person_id).order_by(Notice.id)))


def test_the_same_thing_is_told_once(session, world):
    kamal = world.people["kamal"]
    for sentence in ("First", "Again"):
        tell(kamal, sentence, kind="record.unexplained", once="unexplained:7")
    tell(kamal, "Another", kind="record.unexplained", once="unexplained:8")
    assert sentences(session, kamal) == ["First", "Another"]


def test_it_is_heard_by_the_person(session, world):
    tell(world.people["kamal"], "Listen", kind="request.returned")
    assert f"person:{world.people['kamal']}" in db.session().info["nudges"]


@pytest.mark.parametrize("url", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)"])
def test_it_leads_to_no_other_place(session, world, url):
    with pytest.raises(ValueError, match="page of ours"):
        tell(world.people["kamal"], "Look", kind="request.returned", url=url)
