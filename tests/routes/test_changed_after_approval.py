"""Whatever is changed of a visit after a supervisor approved it: screen, list and paper say so at once; the former print stays the same."""

import hashlib
import re

import pytest

from clinic.chart.kinds import Status
from clinic.extensions import db
from clinic.models import Category, Note, Stage
from clinic.operations.documents import Said
from clinic.operations.materials import record_use
from clinic.operations.notes import add_addendum
from clinic.operations.sign_off import approve_chart, send_chart
from clinic.printing import client as printer
from clinic.queries.chart import stroke_of
from tests.charting import chart_line
from tests.filed import file_document
from tests.gated import dismissed, gates_on, seated, started
from tests.noted import note_by
from tests.operations.test_gates import do

CHANGED = "changed after approval, first by Kamal Dias"


@pytest.fixture
def printed(monkeypatch, shelf):
    """A printer that answers the document's digest, and remembers each document."""
    asked: list[str] = []

    def print_pdf(html):
        asked.append(html)
        return b"%PDF-1.7\n" + hashlib.sha256(html.encode()).hexdigest().encode()

    monkeypatch.setattr(printer, "print_pdf", print_pdf)
    return asked


@pytest.fixture
def approved(app, world):
    """A visit with a filling, a note, a picture and material, dismissed; the chart as it then stood is approved too."""
    with app.app_context():
        kamal, silva = world.user("kamal"), world.user("silva")
        gates_on()
        seated(world, stage=Stage.IN_CHAIR)
        started(world)
        do(world, Status.COMPLETED)
        visit = world.visits["fernando"]
        note_by(world, visit_id=visit)
        file_document(world, said=Said(Category.PHOTOGRAPH, visit_id=visit))
        record_use(world.visit("fernando"), material="Amalgam", quantity=1, unit="capsule", actor=kamal)
        dismissed(world)
        patient = world.patient("fernando")
        sent = send_chart(patient, words="", seen=stroke_of(patient.id), actor=kamal)
        approve_chart(sent.id, version=sent.version, actor=silva)
        db.session.commit()
    return f"/visits/{visit}"


def _stroke(world):
    chart_line(world.patient("fernando"), "17 o car", actor=world.user("kamal"), reason="Seen later")


def _addendum(world):
    written, visit = db.session.query(Note).one().id, world.visits["fernando"]
    add_addendum(written, text="The patient called: no pain.", visit_id=visit, actor=world.user("kamal"))


def _picture(world):
    file_document(world, name="later.png", said=Said(Category.PHOTOGRAPH, visit_id=world.visits["fernando"]))


def _material(world):
    record_use(world.visit("fernando"), material="Matrix band", quantity=1, unit="piece", actor=world.user("kamal"))


@pytest.mark.parametrize("change", [_stroke, _addendum, _picture, _material], ids=lambda change: change.__name__[1:])
def test_screen_list_and_paper_say_so_and_the_former_print_stays(
    app, world, browser_of, approved, printed, shelf, change
):
    kamal, silva = browser_of("kamal"), browser_of("silva")
    of = f"/patients/{world.patients['fernando']}"
    number = _newest(kamal.get(f"{of}/chart/versions").text)
    former = kamal.get(f"{of}/chart/versions/{number}.pdf").data
    content = kamal.get(f"{of}/chart/versions/{number}.json").data
    assert "Approved by Dr Sunil Silva" in printed[-1]
    assert CHANGED not in printed[-1]
    kamal.get(f"{of}/notes.pdf")
    assert "NOT APPROVED" not in printed[-1]
    assert "Changed after approval" not in kamal.get(approved).text
    assert "/approvals/gate-changed/" not in silva.get("/approvals").text

    with app.app_context():
        change(world)
        db.session.commit()
    assert "Changed after approval by <bdi>Dr Sunil Silva</bdi>" in kamal.get(approved).text
    assert "/approvals/gate-changed/" in silva.get("/approvals").text
    if change is _stroke:
        assert "changed after approval" in kamal.get(f"{of}/chart").text
        assert "changed after approval" in kamal.get(f"{of}/chart/versions").text
        kamal.get(f"{of}/chart/versions/{number}.pdf")
        assert CHANGED in printed[-1]
    if change is _addendum:
        assert "NOT APPROVED YET" in kamal.get(f"{of}/notes").text
        kamal.get(f"{of}/notes.pdf")
        assert "NOT APPROVED: 1 of 2" in printed[-1]
    assert kamal.get(f"{of}/chart/versions/{number}.json").data == content
    assert any(kept.endswith(former) for kept in shelf.objects.values()), "the former print is kept as it was"


def _newest(page):
    """The number of the newest version on the page of versions."""
    return max(int(number) for number in re.findall(r"/chart/versions/(\d+)\.pdf", page))
