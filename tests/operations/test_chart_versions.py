"""Versions and sign-offs: when one is cut, what a change of it would show, who approves what, and what a later change says."""

from datetime import timedelta

import pytest
from flask import current_app
from sqlalchemy import select, update

from clinic import clock
from clinic.chart.versions import about_from, difference, digest, mouth_from, replay
from clinic.cli import verify_charts
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.models import AuditEvent, ChartVersion, Notice, SignOffStatus, Stage, VersionReason, VisitStatus
from clinic.operations.chart import chart_stroke, restore_version
from clinic.operations.chart_versions import cut_left_open, cut_version, finish_first_charting, verify_versions
from clinic.operations.handover import STAYS, Destination, Hands, carry_out, items_of
from clinic.operations.queue import call_to_chair, move
from clinic.operations.sign_off import approve_chart, return_chart, send_chart, withdraw_chart
from clinic.operations.visits import check_in
from clinic.queries.chart import chart_for, version_by_code, version_for, versions_of
from tests.operations.test_chart import caries, missing


@pytest.fixture
def kamal(world, session):
    return world.user("kamal")


@pytest.fixture
def silva(world, session):
    return world.user("silva")


@pytest.fixture
def fernando(world, session):
    return world.patient("fernando")


def test_the_first_version_is_the_initial_odontogram(fernando, kamal, session):
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
    named = cut_version(fernando, why=VersionReason.NAMED, name="Before the crown", actor=kamal)
    assert [(version.number, version.why) for version in versions_of(kamal, fernando.id).rows] == [
        (2, VersionReason.NAMED),
        (1, VersionReason.FIRST),
    ]
    first = version_for(kamal, fernando.id, 1)
    assert named.before_sha256 == first.sha256 == digest("", first.body)
    assert about_from(first.body)["patient"] == "Nimali Fernando"
    assert mouth_from(first.body) == chart_for(kamal, fernando.id).mouth
    assert cut_version(fernando, why=VersionReason.SENT, actor=kamal) is None  # nothing changed since
    with pytest.raises(Conflict, match="initial odontogram was cut"):
        finish_first_charting(fernando, actor=kamal)
    assert version_by_code(kamal, named.check_code.lower().replace("-", " ")).id == named.id


def test_a_healthy_mouth_has_an_initial_odontogram_too(fernando, kamal):
    version = finish_first_charting(fernando, actor=kamal)
    assert version.number == 1
    assert mouth_from(version.body).entries == ()
    assert not chart_for(kamal, fernando.id).initial


def test_a_visit_that_completes_cuts_what_was_charted_in_it(fernando, kamal, world):
    nimal = world.user("nimal")
    entry = check_in(world.visit("fernando"), actor=world.user("ruwan"))
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
    entry = call_to_chair(entry.id, version=entry.version, chair_id=world.chairs["A1"], actor=nimal)
    for stage in (Stage.IN_CHAIR, Stage.IN_TREATMENT, Stage.AWAITING_DISMISSAL, Stage.CHECKOUT, Stage.DONE):
        entry = move(entry.id, to=stage, version=entry.version, actor=nimal)
    assert world.visit("fernando").status is VisitStatus.COMPLETED
    (version,) = versions_of(kamal, fernando.id).rows
    assert (version.why, version.visit_id, version.author.name) == (
        VersionReason.FIRST,
        world.visits["fernando"],
        "Kamal Dias",
    )


def test_a_first_charting_left_open_is_cut_by_the_job(fernando, kamal, session):
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
    assert cut_left_open(clock.now() - timedelta(hours=1)) == 0
    assert cut_left_open(clock.now() + timedelta(seconds=1)) == 1
    assert cut_left_open(clock.now() + timedelta(seconds=1)) == 0
    assert versions_of(kamal, fernando.id).rows[0].author_id == kamal.id


def test_going_back_loses_nothing(fernando, kamal, session):
    chart_stroke(fernando, entries=[caries("36"), missing("48")], seen=0, actor=kamal)
    first = finish_first_charting(fernando, actor=kamal)
    then = mouth_from(first.body)
    chart_stroke(fernando, entries=[caries("46")], seen=1, actor=kamal)
    restore_version(fernando, number=1, seen=2, reason="Charted on the wrong patient", actor=kamal)
    charted = chart_for(kamal, fernando.id)
    assert charted.stroke == 3
    assert charted.mouth == then
    with pytest.raises(DomainError, match="stands as in version 1 already"):
        restore_version(fernando, number=1, seen=3, reason="Once more", actor=kamal)
    changes = difference(then, charted.mouth)
    assert replay(then, changes) == charted.mouth


def test_versions_are_read_anew(fernando, kamal, session):
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
    cut_version(fernando, why=VersionReason.NAMED, name="One", actor=kamal)
    assert verify_versions().sentence == "2 versions of 1 chart are whole."
    body = session.scalar(select(ChartVersion.body).where(ChartVersion.number == 1))
    session.execute(
        update(ChartVersion).where(ChartVersion.number == 1).values(body=body.replace(b'"icdas":"4"', b'"icdas":"5"'))
    )
    session.expire_all()
    verdict = verify_versions()
    assert not verdict.is_good
    assert verdict.sentence == f"Version 1 of patient {fernando.id}: it does not read as it was cut."
    result = current_app.test_cli_runner().invoke(verify_charts)
    assert result.exit_code == 1
    assert verdict.sentence in result.output


# --- approval ---------------------------------------------------------------------------------------------------------


def test_an_approval_is_bound_to_what_was_sent(fernando, kamal, silva, session):
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
    sent = send_chart(fernando, words="First charting", seen=1, actor=kamal)
    assert chart_for(kamal, fernando.id).pending.id == sent.id
    approved = approve_chart(sent.id, version=sent.version, actor=silva)
    assert approved.status is SignOffStatus.APPROVED
    assert approved.sha256 == version_for(kamal, fernando.id, 1).sha256
    told = session.scalars(select(Notice.sentence).where(Notice.user_id == kamal.id)).one()
    assert told == f"Dr Sunil Silva approved version 1 of the chart of {fernando.code}."
    assert not chart_for(kamal, fernando.id).changed_since
    chart_stroke(fernando, entries=[caries("46")], seen=1, actor=kamal)
    charted = chart_for(kamal, fernando.id)
    assert charted.changed_since
    assert charted.changed_by == "Kamal Dias"
    assert charted.approved.chart_version.number == 1
    acts = session.scalars(
        select(AuditEvent.act).where(AuditEvent.patient_id == fernando.id).order_by(AuditEvent.id)
    ).all()
    assert acts == ["chart.stroke", "chart.version", "chart.send", "chart.approve", "chart.stroke"]


def test_who_does_not_approve(fernando, kamal, silva, world):
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
    chart_stroke(fernando, entries=[caries("46")], seen=1, actor=silva)
    sent = send_chart(fernando, words="", seen=2, actor=kamal)
    for person, error, why in (
        (kamal, NotAllowed, "A supervisor of the department"),
        (world.user("sato"), NotAllowed, "A supervisor of the department"),
        (silva, DomainError, "charted a part of this yourself"),
    ):
        with pytest.raises(error, match=why):
            approve_chart(sent.id, version=sent.version, actor=person)


def test_who_has_no_department_has_nobody_to_send_to(fernando, kamal):
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
    kamal.department_id = None
    with pytest.raises(DomainError, match="You have no department whose supervisors"):
        send_chart(fernando, words="", seen=1, actor=kamal)


def test_one_waits_at_a_time_and_can_be_taken_back(fernando, kamal, silva):
    with pytest.raises(DomainError, match="Nothing is charted yet"):
        send_chart(fernando, words="", seen=0, actor=kamal)
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
    sent = send_chart(fernando, words="", seen=1, actor=kamal)
    with pytest.raises(Conflict, match="Kamal Dias sent a version of this chart"):
        send_chart(fernando, words="", seen=1, actor=kamal)
    with pytest.raises(NotAllowed, match="Only whoever sent this"):
        withdraw_chart(sent.id, version=sent.version, actor=silva)
    withdraw_chart(sent.id, version=sent.version, actor=kamal)
    again = send_chart(fernando, words="", seen=1, actor=kamal)
    assert version_for(kamal, fernando.id, 2).id == again.chart_version_id
    with pytest.raises(DomainError, match="Write why you return it"):
        return_chart(again.id, version=again.version, reason=" ", actor=silva)
    return_chart(again.id, version=again.version, reason="Surfaces of 36 are missing", actor=silva)
    with pytest.raises(Conflict, match="Dr Sunil Silva returned this on"):
        approve_chart(again.id, version=again.version, actor=silva)


def test_a_chart_that_changed_is_not_sent_unseen(fernando, kamal, silva):
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
    chart_stroke(fernando, entries=[caries("46")], seen=1, actor=silva)
    with pytest.raises(Conflict, match="Dr Sunil Silva changed this chart meanwhile"):
        send_chart(fernando, words="", seen=1, actor=kamal)


# --- handing over -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["receiver", "end", "stays"])
def test_what_waits_goes_where_it_is_said_when_the_patient_is_handed_over(fernando, kamal, silva, world, session, to):
    leela = world.user("leela")
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
    sent = send_chart(fernando, words="", seen=1, actor=kamal)
    items = {item.key: item for item in items_of([fernando.id], kamal)[fernando.id]}
    assert items[f"sign_off:{sent.id}"].sentence == "Version 1 of the chart waits for approval"
    destinations = {key: Destination(STAYS.to, "Agreed") for key in items}
    destinations[f"sign_off:{sent.id}"] = Destination(to, "Agreed")
    hands = Hands(fernando, kamal, leela, silva)
    carry_out(hands, destinations, reason="End of term")
    session.refresh(sent)
    expected = {
        "receiver": (SignOffStatus.PENDING, leela.id),
        "end": (SignOffStatus.WITHDRAWN, kamal.id),
        "stays": (SignOffStatus.PENDING, kamal.id),
    }
    assert (sent.status, sent.asked_by_id) == expected[to]
    if to == "receiver":
        withdraw_chart(sent.id, version=sent.version, actor=leela)
    elif to == "stays":
        approve_chart(sent.id, version=sent.version, actor=silva)
        notice = session.scalars(select(Notice).where(Notice.user_id == kamal.id).order_by(Notice.id)).all()[-1]
        assert (notice.url, notice.patient_id) == ("", None)  # no longer Kamal's
        assert (
            notice.sentence == "Dr Sunil Silva approved a chart that you sent. You are not given the patient any more."
        )
