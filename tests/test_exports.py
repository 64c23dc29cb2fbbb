"""A patient's whole record as one zip, by `flask export-patient`: what is in it, what is not, and how it ends."""

import hashlib
import json
import zipfile
from datetime import datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from sqlalchemy import update

from clinic import clock, outgoing, storage
from clinic.chart.versions import digest
from clinic.exports import record, zipped
from clinic.exports.names import name_of
from clinic.extensions import db
from clinic.incoming import Incoming
from clinic.models import (
    AuditEvent,
    Base,
    BrokenGlass,
    ChartVersion,
    Document,
    DocumentStatus,
    Gate,
    GateItem,
    GateKind,
    GateStatus,
    GlassReason,
    Patient,
    SupervisorCall,
    TaskStatus,
    ToothMatch,
    User,
)
from clinic.operations.documents import begin_document, delete_document, fail_document, quarantine_document
from clinic.operations.notices import tell
from clinic.operations.tooth_places import mark_tooth
from clinic.operations.visits import add_walk_in
from clinic.queries import exports
from tests.cased import case_of, task_of
from tests.charted import charted
from tests.filed import PDF, file_document, png
from tests.histories import take_history
from tests.noted import note_by
from tests.planned import KEEP, accepted
from tests.stores import kept_in
from tests.trail import written_when_asked_for

STORED = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("storage")]
CODE = "P-2026-00001"
WHY = "Asked for by the patient, letter of 2 March"


@pytest.fixture(params=["mariadb", "sqlite"])
def engine_name(request):
    return request.param


@pytest.fixture
def kept(app, weed):
    with kept_in(app, weed), app.app_context():
        yield weed


@pytest.fixture
def run(context):
    def ran(*words):
        result = context.test_cli_runner().invoke(args=list(map(str, words)))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return ran


@pytest.fixture
def export(run, kept, tmp_path):
    """`export()`: the result of the command, and the zip it made, if any."""

    def exported(code=CODE, *, to=tmp_path / "record.zip", reason=WHY):
        return run("export-patient", code, "--to", to, "--reason", reason), Opened(to) if zipfile.is_zipfile(
            to
        ) else None

    return exported


class Opened:
    """An export, read."""

    def __init__(self, path):
        self.path = path
        with zipfile.ZipFile(path) as made:
            self.order = made.namelist()
            self.files = {name: made.read(name) for name in self.order}
        self.manifest = json.loads(self.files["manifest.json"])

    def data(self, kind):
        return json.loads(self.files[f"data/{kind}.json"])

    def rows(self, kind):
        return self.data(kind)["rows"]

    def html(self, name="index.html"):
        return self.files[name].decode()


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.hrefs, self.ids, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        found = dict(attrs)
        self.hrefs += [found["href"]] if found.get("href") else []
        self.ids += [found["id"]] if found.get("id") else []
        assert not {"src", "style", "onclick", "onload"} & found.keys(), attrs


@pytest.fixture
def full(world, kept):
    """A patient about whom every table tells something."""
    with written_when_asked_for():
        charted(world)
        fernando, kamal, silva = world.patient("fernando"), world.user("kamal"), world.user("silva")
        at = clock.now()
        visit = world.visit("fernando")
        call = SupervisorCall(
            visit_id=visit.id, patient_id=fernando.id, department_id=visit.department_id, student_id=kamal.id,
            reason="help", note="Bleeds", created_at=at,
        )  # fmt: skip
        glass = BrokenGlass(
            user_id=world.people["sato"], patient_id=fernando.id, reason=GlassReason.COVER, words="Stood in",
            opened_at=at, expires_at=at + timedelta(hours=1),
        )  # fmt: skip
        gate = Gate(
            patient_id=fernando.id, visit_id=visit.id, kind=GateKind.START, number=1, shown='{"items":[]}', sha256="0" * 64,
            department_id=visit.department_id, prepared_by_id=kamal.id, prepared_at=at, status=GateStatus.APPROVED,
            decided_by_id=silva.id, decided_at=at,
        )  # fmt: skip
        db.session.add_all([call, glass, gate])
        db.session.flush()
        item = GateItem(gate_id=gate.id, subject="entry:1", sha256="0" * 64, words="28: extraction, planned")
        db.session.add(item)
        db.session.flush()
        db.session.add(
            ToothMatch(
                gate_item_id=item.id,
                entered="28",
                found='{"plan":["28"]}',
                agrees=True,
                entered_by_id=silva.id,
                entered_at=at,
            )
        )
        add_walk_in(
            patient=fernando,
            department=world.department("restorative"),
            reason="Pain",
            priority=3,
            actor=world.user("ruwan"),
        )
        take_history(fernando, kamal)
        note_by(world)
        task_of(world, case_of(world), TaskStatus.REVIEWED)
        accepted(world, letter="B", options=(KEEP, ("Leave it as it is", ())))
        tell(silva.id, "Look at the chart of Fernando", kind="chart.sent", patient_id=fernando.id)
        db.session.commit()
    return fernando


class TestEveryTable:
    """What refers to a patient is exported, or somebody said why it is not."""

    def reaching(self):
        tables, found = Base.metadata.tables, {"patient"}
        while more := {
            name
            for name, table in tables.items()
            if name not in found
            and ("patient_id" in table.c or any(key.column.table.name in found for key in table.foreign_keys))
        }:
            found |= more
        return found

    @pytest.fixture
    def engine_name(self):
        return "mariadb"

    def test_none_is_forgotten(self):
        exported = {kind.model.__tablename__ for kind in exports.KINDS}
        left_out = {model.__tablename__ for model in exports.LEFT_OUT}
        forgotten = self.reaching() - exported - left_out
        assert not forgotten, f"add {forgotten} to KINDS of clinic/queries/exports.py, or to LEFT_OUT with the reason"
        assert not exported & left_out
        assert all(len(reason) > 20 for reason in exports.LEFT_OUT.values())
        assert {"audit_event", "booking", "queue_entry"} <= self.reaching()

    @pytest.mark.parametrize("kind", exports.KINDS, ids=lambda kind: kind.name)
    def test_its_page_shows_fields_that_there_are(self, context, kind):
        fields = exports.fields_of(kind) | record.ADDED.get(kind.name, {})
        assert set(kind.shown) <= fields.keys()
        columns = [column.name for column in exports._columns(kind.table)]
        names = [
            exports._name_of(column) for column in exports._columns(kind.table) if exports._target(column) is not None
        ]
        assert len({*columns, *names}) == len(columns) + len(names)

    def test_no_secret_has_a_column(self):
        told = {name for kind in exports.KINDS for name in exports.fields_of(kind)}
        assert not [name for name in told if any(word in name for word in ("hash", "token", "secret", "totp", "pin"))]


def test_a_file_is_former_though_the_one_that_replaced_it_was_deleted(world, session):
    first = file_document(world, body=png(3, 3))
    second = file_document(world, body=png(4, 4), replaces=first.id)
    third = file_document(world, body=png(5, 5), replaces=second.id)
    alone = file_document(world, body=png(6, 6))
    delete_document(second.id, version=second.version, reason="Blurred", actor=world.user("kamal"))
    found = {document.id: former for document, former in exports.documents_after(world.patients["fernando"], 0)}
    assert found == {first.id: True, second.id: True, third.id: False, alone.id: False}


@pytest.mark.parametrize("kind", exports.KINDS, ids=lambda kind: kind.name)
def test_rows_come_page_by_page_and_are_of_one_patient(world, session, kind, monkeypatch):
    monkeypatch.setattr(exports, "PAGE", 2)
    patients = [world.patients[name] for name in ("fernando", "perera")]
    if kind.model is Patient:
        assert [row["id"] for page in exports.pages_of(kind, patients[0]) for row in page] == patients[:1]
        return
    found = {each: [row for page in exports.pages_of(kind, each) for row in page] for each in patients}
    assert all(row.get("patient_id", each) == each for each, rows in found.items() for row in rows)
    if kind.name == "assignments":
        assert [row["user"] for row in found[patients[1]]] == ["Kamal Dias", "Leela Nair"]


class TestWhole:
    pytestmark = STORED

    def test_it_is_there_and_holds_everything(self, export, full, world, tmp_path):
        picture = file_document(world, body=png(3, 3), name="36 vorher.png", into_store=True)
        newer = file_document(world, body=png(4, 4), name="36.png", replaces=picture.id, into_store=True)
        letter = file_document(world, body=PDF, name="نادية.pdf", into_store=True)
        delete_document(letter.id, version=letter.version, reason="Another patient's", actor=world.user("kamal"))
        other = file_document(world, "perera", "leela", body=png(5, 5), into_store=True)
        for document in (newer, other):
            mark_tooth(document.id, tooth="36", x=410, y=620, seen=0, actor=world.user("kamal"))
        db.session.commit()
        result, made = export()
        assert result.exit_code == 0, result.output
        names = {
            picture.id: f"documents/former/{picture.id:08} 36 vorher.png",
            newer.id: f"documents/{newer.id:08} 36.png",
            letter.id: f"documents/deleted/{letter.id:08} نادية.pdf",
        }
        assert made.files[names[picture.id]] == png(3, 3)
        assert made.files[names[newer.id]] == png(4, 4)
        assert made.files[names[letter.id]] == PDF
        documents = {row["id"]: row for row in made.rows("documents")}
        assert {number: row["file"] for number, row in documents.items()} == names
        assert documents[letter.id]["name"] == "نادية.pdf"
        assert documents[letter.id]["status"] == "deleted"
        assert documents[picture.id]["is_former"]
        assert not documents[newer.id]["is_former"]
        assert other.id not in documents
        marked = [(row["document_id"], row["tooth"], row["x"], row["marked_by"]) for row in made.rows("tooth-places")]
        assert marked == [(newer.id, "36", 410, "Kamal Dias")]
        assert made.order[-2:] == ["index.html", "manifest.json"]
        assert made.manifest["left_out"] == []
        assert [path.name for path in tmp_path.iterdir()] == ["record.zip"]
        assert made.path.stat().st_mode & 0o777 == 0o600

    def test_the_manifest_says_what_is_in_it_who_made_it_and_when(self, export, full):
        before = clock.now()
        result, made = export()
        told = made.manifest
        assert {each["name"] for each in told["files"]} | {"manifest.json"} == set(made.order)
        for each in told["files"]:
            body = made.files[each["name"]]
            assert (each["size"], each["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
        assert (told["format"], told["schema"], told["reason"]) == ("chairside-export", 1, WHY)
        assert told["patient"] == {"code": CODE, "name": "Nimali Fernando"}
        assert told["made_with"]["program"] == "Chairside"
        assert told["by"].startswith("the account ")
        begun, ended = (datetime.fromisoformat(told[name]) for name in ("begun_at", "ended_at"))
        assert begun.utcoffset() == timedelta(0)
        assert before <= begun <= ended <= clock.now()
        assert hashlib.sha256(made.files["manifest.json"]).hexdigest() in result.output

    def test_data_of_every_kind_with_names_and_instants_in_utc(self, export, full, world):
        made = export()[1]
        for kind in exports.KINDS:
            data = made.data(kind.name)
            assert (data["schema"], data["kind"], data["patient"]) == (1, kind.name, CODE)
            for row in data["rows"]:
                assert row.keys() == data["fields"].keys(), kind.name
                for name, said in data["fields"].items():
                    if said.startswith("instant") and row[name]:
                        assert datetime.fromisoformat(row[name]).utcoffset() == timedelta(0)
        empty = {kind.name for kind in exports.KINDS if not made.rows(kind.name)}
        visit = {"problems", "evidence", "materials"}
        assert empty == {"unowned", "requests", "documents", "tooth-places"} | visit
        assert made.rows("glass")[0]["user"] == "Dr Emi Sato"
        assert made.rows("calls")[0]["student"] == "Kamal Dias"
        assert made.rows("alerts")[0]["label"] == "Penicillin"
        history = made.rows("fillings")[0]
        assert history["answers"]["complaint"] == "Nothing hurts"
        assert history["in_words"].startswith(
            "Medical and dental history. What brings you here, in your own words: Nothing"
        )
        assert made.rows("queue")[0]["department"] == "Restorative"
        assert {row["name"] for row in made.rows("patient")} == {"Nimali Fernando"}
        assert made.rows("cases")[0]["student"] == "Kamal Dias"
        assert made.rows("case-tasks")[0]["review"] == "Good margins"
        assert [row["act"] for row in made.rows("case-log")] == ["opened", "assigned", "begun", "completed", "reviewed"]
        assert made.rows("case-log")[1]["said"]["facts"]["title"] == "Preparation"
        entries = made.rows("chart-entries")
        assert isinstance(entries[0]["details"], dict)
        assert "caries" in entries[0]["in_words"]
        assert len(entries) == 16
        acts = [row["act"] for row in made.rows("trail")]
        assert acts[-1] == "export.begin"
        assert "chart.stroke" in acts or any(act.startswith("chart.") for act in acts)

    def test_versions_are_there_by_their_own_bytes_and_as_what_is_printed(self, export, full, world):
        result, made = export()
        versions = made.rows("chart-versions")
        assert [row["number"] for row in versions] == [1, 2]
        before = ""
        for row in versions:
            body = made.files[row["file"]]
            assert digest(before, body) == row["sha256"]
            before = row["sha256"]
            page = made.files[row["print"]].decode()
            assert row["print"].endswith(".html")
            assert f"version {row['number']}" in page
            assert "<svg" in page
        assert versions[0]["standing"].startswith("APPROVED")
        assert [each["wanted"] for each in made.manifest["instead"]] == [
            "chart/version-001.pdf",
            "chart/version-002.pdf",
        ]
        assert "No printer is set up" in made.manifest["instead"][0]["why"]
        assert "2 prints of the chart as HTML" in result.output
        assert result.exit_code == 0

    def test_with_a_printer_the_versions_are_pdf(self, export, full, monkeypatch):
        monkeypatch.setattr("clinic.prints.printer.print_pdf", lambda html: b"%PDF-1.7 " + str(len(html)).encode())
        monkeypatch.setattr("clinic.kept.keep", lambda *_: None)
        made = export()[1]
        assert made.files["chart/version-002.pdf"].startswith(b"%PDF-1.7 ")
        assert made.manifest["instead"] == []

    def test_a_printer_that_is_away_is_not_asked_for_ever(self, export, full, world, monkeypatch):
        monkeypatch.setattr(record, "REFUSALS", 1)
        asked = []

        def away(html):
            asked.append(html)
            raise record.Unavailable("The printer does not answer.")

        monkeypatch.setattr("clinic.prints.printer.print_pdf", away)
        made = export()[1]
        assert len(asked) == 1
        assert len(made.manifest["instead"]) == 2

    def test_every_page_leads_where_something_is_and_runs_nothing(self, export, full, world):
        file_document(world, body=png(3, 3), name="<script>alert(1)</script>%2e#?.png", into_store=True)
        db.session.execute(update(Patient).where(Patient.id == full.id).values(address="<img src=x onerror=alert(1)>"))
        db.session.commit()
        made = export()[1]
        pages = [name for name in made.order if name.endswith(".html") and not name.startswith("chart/")]
        assert {f"pages/{kind.name}.html" for kind in exports.KINDS if made.rows(kind.name)} <= set(pages)
        reached = set()
        for name in pages:
            found = Links(made.html(name))
            assert not {"script", "img", "iframe", "form", "object", "link", "base"} & set(found.tags)
            assert len(found.ids) == len(set(found.ids))
            assert found.tags.count("h1") == 1
            for href in found.hrefs:
                if href.startswith("#"):
                    assert href[1:] in found.ids
                    continue
                target = unquote(href.removeprefix("../"))
                assert target in made.files, href
                reached.add(target)
        assert set(made.order) - reached - {"index.html"} <= {row["file"] for row in made.rows("chart-versions")}
        index = made.html()
        assert "default-src 'none'" in index
        assert "Penicillin" in index
        assert "&lt;img src=x" in index
        assert "caries, ICDAS 4" in index
        assert "Everything that the clinic holds is in this export." in index

    def test_the_trail_tells_of_it(self, export, full):
        made = export()[1]
        told = db.session.query(AuditEvent).filter(AuditEvent.act.like("export.%")).order_by(AuditEvent.id).all()
        assert [event.act for event in told] == ["export.begin", "export.end"]
        assert {event.patient_id for event in told} == {full.id}
        assert {event.reason for event in told} == {WHY}
        assert all("flask export-patient, the account " in event.device for event in told)
        after = json.loads(told[1].after)
        assert after["manifest_sha256"] == hashlib.sha256(made.files["manifest.json"]).hexdigest()
        assert after["files"] == len(made.order)
        assert after["bytes"] == made.path.stat().st_size

    def test_to_standard_output(self, run, kept, full, tmp_path):
        result = run("export-patient", CODE, "--to", "-", "--reason", WHY)
        assert result.exit_code == 0
        (tmp_path / "x.zip").write_bytes(result.stdout_bytes.split(b"The record of")[0])
        assert zipped.check(tmp_path / "x.zip").is_good

    def test_check_export_says_so_and_names_what_differs(self, export, run, full, world):
        file_document(world, body=png(3, 3), into_store=True)
        db.session.commit()
        made = export()[1]
        found = hashlib.sha256(made.files["manifest.json"]).hexdigest()
        result = run("check-export", made.path, "--manifest", found)
        assert result.exit_code == 0
        assert "is as it was exported" in result.output
        assert run("check-export", made.path, "--manifest", "0" * 64).exit_code == 1
        body = made.path.read_bytes()
        at = body.index(b"documents/")
        made.path.write_bytes(body[: at + 60] + bytes([body[at + 60] ^ 1]) + body[at + 61 :])
        result = run("check-export", made.path)
        assert result.exit_code == 1
        assert "documents/" in result.output
        assert "is not as it was exported: 1 fault" in result.output

    def test_a_patient_without_anything(self, export, world):
        result, made = export("p-2026-00005 ")
        assert result.exit_code == 0, result.output
        assert made.rows("patient")[0]["name"] == "Archie Bell"
        assert "Archie Bell" in made.html()


class TestNotAllOfIt:
    pytestmark = STORED

    @pytest.mark.parametrize("large", [False, True])
    @pytest.mark.parametrize("how", ["flipped", "cut", "longer", "gone"])
    def test_a_damaged_document_is_named_and_the_rest_is_there(self, export, full, world, how, large):
        body = png(5, 5) + (bytes(storage.PART + 7) if large else b"")
        bad, good = file_document(world, body=body, into_store=True), file_document(world, body=PDF, into_store=True)
        db.session.commit()
        storage.delete(bad.key)
        changed = {"flipped": body[:-1] + b"\1", "cut": body[:-1], "longer": body + b"x", "gone": None}[how]
        if changed:
            with Incoming(bad.key, most=10**9) as incoming:
                incoming.write(changed)
                incoming.finish()
        result, made = export()
        assert result.exit_code == 3
        assert f"NOT in it, though it should be: document number {bad.id}" in result.output
        assert [each["what"] for each in made.manifest["left_out"]] == [f"document number {bad.id}"]
        assert made.manifest["left_out"][0]["expected"] is False
        assert zipped.check(made.path).is_good
        rows = {row["id"]: row for row in made.rows("documents")}
        assert rows[bad.id]["file"] is None
        assert rows[bad.id]["left_out"]
        assert made.files[rows[good.id]["file"]] == PDF
        assert f"document number {bad.id}" in made.html()
        db.session.expire_all()
        status = DocumentStatus.AVAILABLE if how == "gone" else DocumentStatus.QUARANTINED
        assert db.session.get(Document, bad.id).status is status
        told = db.session.query(AuditEvent).filter_by(act="export.end").one()
        assert "without 1 part of it" in told.sentence

    def test_what_nobody_may_read_is_listed_with_why(self, export, full, world):
        harmful = file_document(world, body=png(2, 2), name="x.png", into_store=True)
        quarantine_document(harmful.id, why="The scanner found Eicar in it.")
        coming = begin_document(full, once="a" * 64, actor=world.user("kamal"))
        failed = begin_document(full, once="b" * 64, actor=world.user("kamal"))
        fail_document(failed.id, why="It was cut off.")
        db.session.commit()
        result, made = export()
        assert result.exit_code == 0
        left_out = {each["what"]: each["why"] for each in made.manifest["left_out"]}
        assert left_out == {
            f"document number {harmful.id}": "It is in quarantine. The scanner found Eicar in it.",
            f"document number {coming.id}": "Its bytes were still on their way.",
        }
        assert not [name for name in made.order if name.startswith("documents/")]
        rows = {row["id"]: row for row in made.rows("documents")}
        assert rows[failed.id]["left_out"] == "It never arrived. It was cut off."
        assert "Left out: document number" in result.output

    def test_a_version_that_is_not_as_it_was_cut(self, export, full, world):
        db.session.execute(
            update(ChartVersion).where(ChartVersion.patient_id == full.id, ChartVersion.number == 1).values(body=b"{}")
        )
        db.session.commit()
        result, made = export()
        assert result.exit_code == 3
        assert [row["file"] for row in made.rows("chart-versions")] == [None, "chart/version-002.json"]
        assert made.manifest["left_out"][0]["what"] == "version 1 of the chart"

    def test_what_was_archived_of_the_trail_is_there_or_named(self, export, full, monkeypatch):
        event = {"id": 1, "at": "2001-01-01T00:00:00+00:00", "actor_id": None, "patient_id": full.id, "sentence": "Old"}
        told = dict.fromkeys(record.chain.COLUMNS) | event
        broken = record.DomainError("The archived events 1 to 2 were changed in the object store.")
        monkeypatch.setattr(record.chain, "archived_about", lambda _patient: iter([[told], broken]))
        result, made = export()
        assert result.exit_code == 3
        assert made.rows("trail")[0] == told | {"actor": None}
        assert "were changed in the object store" in result.output
        assert len(made.manifest["left_out"]) == 1

    def test_names_that_attack_stay_in_the_data(self, export, full, world):
        hostile = [
            "../../x.png",
            "CON",
            "a\\b.png",
            "\u202egnp.exe",
            "x" * 140 + ".png",
            "吴" * 60 + ".png",
            "a.html",
            "A.html",
        ]
        ids = {}
        for number, name in enumerate(hostile):
            document = file_document(world, body=png(2, 2, grey=number), into_store=True)
            document.name = name  # as no upload would call it
            ids[document.id] = name
        db.session.commit()
        result, made = export()
        assert result.exit_code == 0, result.output
        rows = {row["id"]: row for row in made.rows("documents")}
        assert {number: rows[number]["name"] for number in ids} == ids
        for number, name in ids.items():
            assert rows[number]["file"] == f"documents/{name_of(number, name, ('.png',))}"
        assert all(".." not in name and "\\" not in name for name in made.order)


class TestNothing:
    pytestmark = STORED

    def untouched(self, tmp_path):
        return list(tmp_path.iterdir()) == []

    def test_no_such_patient(self, export, world, tmp_path):
        result, made = export("P-1999-00001")
        assert (result.exit_code, made) == (1, None)
        assert "There is no patient with the code P-1999-00001. Nothing was exported." in result.output
        assert self.untouched(tmp_path)

    def test_it_asks_for_the_reason(self, run, export, world, tmp_path):
        assert run("export-patient", CODE, "--to", tmp_path / "x.zip").exit_code == 2
        assert "--reason" in run("export-patient", CODE, "--to", tmp_path / "x.zip").output
        assert export(reason=" \n ")[0].exit_code == 2
        assert self.untouched(tmp_path)

    def test_what_is_there_stays(self, export, world, tmp_path):
        (tmp_path / "record.zip").write_bytes(b"mine")
        result, _ = export()
        assert result.exit_code == 1
        assert "is there already" in result.output
        assert (tmp_path / "record.zip").read_bytes() == b"mine"
        (tmp_path / "record.zip").unlink()
        (tmp_path / "record.zip.part").write_bytes(b"theirs")
        assert "another export is writing it" in export()[0].output
        assert (tmp_path / "record.zip.part").read_bytes() == b"theirs"

    def test_nowhere_to_write(self, export, world, tmp_path):
        result, _ = export(to=tmp_path / "no" / "such" / "folder.zip")
        assert result.exit_code == 1
        assert "No such file or directory. Nothing was exported." in result.output

    def test_the_store_is_away(self, export, world, tmp_path, monkeypatch):
        def away():
            raise storage.StorageError("The object store does not answer.")

        monkeypatch.setattr(storage, "check", away)
        result, made = export()
        assert (result.exit_code, made) == (1, None)
        assert "The object store does not answer. Nothing was exported." in result.output
        assert self.untouched(tmp_path)

    @pytest.mark.parametrize(
        "error",
        [storage.StorageError("The object store does not answer."), OSError(28, "No space left"), KeyboardInterrupt()],
    )
    def test_it_broke_off_half_way(self, export, full, world, tmp_path, monkeypatch, error):
        file_document(world, body=png(2, 2), into_store=True)
        db.session.commit()

        def cut(stored):
            yield b"x" * 70_000
            raise error

        monkeypatch.setattr(outgoing, "pieces_of", cut)
        result, made = export()
        assert (result.exit_code, made) == (1, None)
        assert self.untouched(tmp_path)
        told = [event.act for event in db.session.query(AuditEvent).filter(AuditEvent.act.like("export.%"))]
        assert told == ["export.begin", "export.break"]
        if not isinstance(error, KeyboardInterrupt):
            assert "Nothing was exported." in result.output

    def test_what_cannot_be_told_is_not_done(self, export, full, tmp_path, monkeypatch):
        def untold(*_, **__):
            raise record.DomainError("The end of the trail is missing.")

        monkeypatch.setattr(record.audit, "record", untold)
        result, made = export()
        assert (result.exit_code, made) == (1, None)
        assert self.untouched(tmp_path)

    def test_check_export_of_nothing(self, run, tmp_path):
        result = run("check-export", tmp_path / "none.zip")
        assert result.exit_code == 1
        assert "No such file" in result.output
        (tmp_path / "half.zip").write_bytes(b"PK\3\4half")
        result = run("check-export", tmp_path / "half.zip")
        assert result.exit_code == 1
        assert "no zip that can be read" in result.output


def test_the_name_of_a_user_is_the_one_of_today(world, session):
    assert exports.names_of([world.people["silva"], 10**9]) == {world.people["silva"]: "Dr Sunil Silva"}
    assert session.get(User, world.people["silva"]).name == "Dr Sunil Silva"
