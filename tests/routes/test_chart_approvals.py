"""A version of a chart in the approvals inbox: what is shown is exactly what came since the last approved one."""

from html import unescape

import pytest
from sqlalchemy import select

from clinic.extensions import db
from clinic.models import Notice, SignOff, SignOffStatus
from clinic.operations.sign_off import approve_chart, send_chart
from tests.charting import chart_line


@pytest.fixture
def sent(context, world):
    """Kamal's first charting was approved; what came after waits."""
    kamal, fernando = world.user("kamal"), world.patient("fernando")
    chart_line(fernando, "36 mo car4; 46 o comp plan", actor=kamal)
    first = send_chart(fernando, words="", seen=1, actor=kamal)
    approve_chart(first.id, version=first.version, actor=world.user("silva"))
    chart_line(fernando, "16 o car3", actor=kamal)
    chart_line(fernando, '26 note "</li><script>alert(1)</script>"', actor=kamal)
    waiting = send_chart(fernando, words="Please look at 16", seen=3, actor=kamal)
    db.session.commit()
    return waiting


def item(sent) -> str:
    return f"/approvals/chart-version/{sent.id}"


def shown(browser, sent) -> str:
    page = browser.get(item(sent)).text
    return unescape(page.partition('id="approvals-shown"')[2].partition("<figure")[0])


def test_it_waits_in_the_inbox_of_the_department(sent, browser_of):
    page = unescape(browser_of("silva").get("/approvals").text)
    assert "Version 2 of the chart of Nimali Fernando, P-2026-00001, is approved" in page
    assert "Version 2 of the chart" not in unescape(browser_of("sato").get("/approvals").text)


def test_it_shows_exactly_what_came_since(sent, browser_of):
    said = shown(browser_of("silva"), sent)
    assert "Since version 1, approved by Dr Sunil Silva" in said
    assert "Please look at 16" in said
    assert "Added: 16, occlusal: caries, ICDAS 3" in said
    assert said.count("data-mark=") == 2
    assert "36" not in said.partition("<ul")[2]  # was approved before
    page = browser_of("silva").get(item(sent)).text
    assert "<script>alert" not in page
    assert 'id="tooth-16"' in page  # the picture


def test_later_strokes_are_no_part_of_it_and_said(sent, browser_of, world):
    chart_line(world.patient("fernando"), "17 miss", actor=world.user("kamal"))
    db.session.commit()
    said = shown(browser_of("silva"), sent)
    assert "The chart has changed since this was sent" in said
    assert "17" not in said.partition("<ul")[2]


def test_it_is_approved_and_whoever_sent_it_is_told(sent, browser_of, world):
    answer = browser_of("silva").post(f"{item(sent)}/approve", {"version": sent.version})
    assert answer.status_code == 303
    db.session.expire_all()
    assert db.session.get_one(SignOff, sent.id).status is SignOffStatus.APPROVED
    told = db.session.scalars(select(Notice.sentence).where(Notice.user_id == world.people["kamal"])).all()
    assert told[-1] == "Dr Sunil Silva approved version 2 of the chart of P-2026-00001."


def test_it_is_returned_with_a_reason_only(sent, browser_of, world):
    silva = browser_of("silva")
    assert silva.post(f"{item(sent)}/return", {"version": sent.version, "reason": ""}).status_code == 422
    answer = silva.post(f"{item(sent)}/return", {"version": sent.version, "reason": "16 is sound"})
    assert answer.status_code == 303
    told = db.session.scalars(select(Notice.sentence).where(Notice.user_id == world.people["kamal"])).all()
    assert told[-1].endswith("returned version 2 of the chart of P-2026-00001: 16 is sound")


def test_of_two_answers_the_second_is_told_of_the_first(sent, browser_of):
    silva = browser_of("silva")
    silva.post(f"{item(sent)}/return", {"version": sent.version, "reason": "16 is sound"})
    answer = silva.post(f"{item(sent)}/approve", {"version": sent.version})
    assert answer.status_code == 409
    assert "Dr Sunil Silva returned this on" in unescape(answer.text)


@pytest.mark.parametrize("who", ["sato", "kamal", "leela", "ruwan", "adel"])
def test_it_is_nobody_elses(sent, browser_of, who):
    browser = browser_of(who)
    expected = 404 if who == "sato" else 403
    assert browser.get(item(sent)).status_code == expected
    assert browser.post(f"{item(sent)}/approve", {"version": sent.version}).status_code == expected
    db.session.expire_all()
    assert db.session.get_one(SignOff, sent.id).status is SignOffStatus.PENDING


def test_ones_own_work_is_shown_but_not_decided(sent, browser_of, world):
    """Silva charted in between: another supervisor decides."""
    kamal, silva, fernando = world.user("kamal"), world.user("silva"), world.patient("fernando")
    browser_of("silva").post(f"{item(sent)}/return", {"version": sent.version, "reason": "I correct it"})
    db.session.expire_all()
    chart_line(fernando, "17 miss", actor=silva)
    again = send_chart(fernando, words="", seen=4, actor=kamal)
    db.session.commit()
    page = unescape(browser_of("silva").get(item(again)).text)
    assert "You performed or charted a part of this yourself" in page
    assert "approval-approve" not in page
    answer = browser_of("silva").post(f"{item(again)}/approve", {"version": again.version})
    assert answer.status_code == 422
