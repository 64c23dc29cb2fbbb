"""Exporting a patient's whole record: documents, prints of the chart, data, pages to read, and a manifest, into one zip as it is read.

Rows are read page by page and documents part by part; nothing is held of the database while the store, the printer or whoever takes
the zip is waited for. It is an act at the machine itself, not of a signed-in person, and is told to the trail when it begins and ends.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from itertools import chain as one_after_another
from typing import Any

from flask import current_app, stream_template

from clinic import audit, clock, database, kept, outgoing, settings, storage
from clinic.chart import teeth
from clinic.chart.versions import NotAsCut, as_cut
from clinic.chart.words import table_of
from clinic.documents.kinds import SUFFIXES
from clinic.errors import DomainError, Unavailable
from clinic.exports.names import name_of
from clinic.exports.zipped import Tell, Writable, Zipped
from clinic.extensions import db
from clinic.formatting import bytes_of, day, number_of, short_day, when, words
from clinic.models import AuditEvent, ChartEntry, ChartVersion, Document, DocumentStatus, Filling, Patient
from clinic.operations import chain
from clinic.operations.documents import WRONG, quarantine_document
from clinic.prints import Print, pdf_of
from clinic.queries import chart as charts
from clinic.queries import exports
from clinic.queries.documents import stored_of
from clinic.queries.exports import KINDS, Kind
from clinic.queries.standing import Standing, standing_of
from clinic.status import VERSION

PACKED = frozenset({"image/jpeg", "image/png", "image/webp", "image/heic", "image/heif", "application/pdf"})
REFUSALS = 3  # of the printer, after which it is asked no more
MOST_NAMED = 20
LABELS = {
    "at": "When",
    "dated": "From",
    "in_words": "What",
    "user": "Person",
    "supersedes_id": "In the place of entry",
    "why": "Cut because",
    "id": "Number",
    "left_out": "Left out because",
    "actor": "Who",
    "sentence": "What",
    "uploaded_by": "Added by",
    "emergency_name": "In an emergency",
    "emergency_relation": "Who that is",
    "base": "Teeth there were",
}
Row = dict[str, Any]
PrintOf = Callable[[ChartVersion, Standing], Print]


@dataclass(frozen=True)
class LeftOut:
    """Something of the record that is not in the export. `is_fault`: it should be, and a good export has it."""

    what: str
    why: str
    is_fault: bool


@dataclass(frozen=True)
class Instead:
    """A file that stands for another one which could not be made."""

    wanted: str
    file: str
    why: str


@dataclass(frozen=True)
class Exported:
    """What came of an export. `digest`: SHA-256 of the manifest, hex."""

    code: str
    files: int
    size: int
    digest: str
    left_out: list[LeftOut]
    instead: list[Instead]

    @property
    def faults(self) -> list[LeftOut]:
        return [each for each in self.left_out if each.is_fault]

    @property
    def sentence(self) -> str:
        said = f"The record of {self.code} is exported: {number_of(self.files, 'file')}, {bytes_of(self.size)}."
        if self.instead:
            said += f" {number_of(len(self.instead), 'print')} of the chart as HTML, for the printer is away."
        if self.faults:
            said += f" NOT in it, though it should be: {_listed(self.faults)}."
        if expected := [each for each in self.left_out if not each.is_fault]:
            said += f" Left out: {_listed(expected)}."
        return f"{said} The manifest's SHA-256 is {self.digest}."


@dataclass(frozen=True)
class Cell:
    """What a readable page says in one place; `href`: the file of the export to which it leads."""

    text: str
    href: str = ""


@dataclass
class Part:
    """One kind as it was written: how many rows, and its readable page, if it has any."""

    kind: Kind
    count: int
    data: str
    page: str


def export(code: str, *, reason: str, by: str, print_of: PrintOf, stream: Writable, tell: Tell) -> Exported:
    """Write the whole record of a patient to a stream, as a zip; commits as it goes. `by`: who does it, in words.

    Raises DomainError when there is no such patient, StorageError when the store does not answer, and what stream and database raise;
    what was written by then is no whole zip.
    """
    patient = exports.patient_of(code)
    if patient is None:
        raise DomainError(f"There is no patient with the code {code.strip()[:40]}.")
    storage.check()
    told = partial(audit.record, actor=None, subject=patient, patient=patient, reason=reason)
    whom = f"the record of {patient.name}, {patient.code}"
    told("export.begin", f"Began to export {whom}, as {by}")
    db.session.commit()
    try:
        made = _Record(patient, reason=reason, by=by, print_of=print_of).written_to(stream, tell)
    except BaseException as broke:
        database.let_go()
        with suppress(Exception):  # that it began is told; what ended it matters more
            told("export.break", f"Broke off exporting {whom}: {type(broke).__name__}")
            db.session.commit()
        raise
    came_to = {"manifest_sha256": made.digest, "files": made.files, "bytes": made.size, "left_out": len(made.left_out)}
    what = f"Exported {whom}" + (f", without {number_of(len(made.faults), 'part')} of it" if made.faults else "")
    told("export.end", f"{what}, as {by}", after=came_to)
    db.session.commit()
    return made


@dataclass
class _Record:
    patient: Patient
    reason: str
    by: str
    print_of: PrintOf
    left_out: list[LeftOut] = field(default_factory=list)
    instead: list[Instead] = field(default_factory=list)
    documents: dict[int, Row] = field(default_factory=dict)  # by id, what the export did with each
    versions: dict[int, Row] = field(default_factory=dict)  # by number
    parts: list[Part] = field(default_factory=list)
    refusals: int = 0
    zip: Zipped = field(init=False)

    def written_to(self, stream: Writable, tell: Tell) -> Exported:
        begun = clock.now()
        local = clock.local(begun)
        stamp = (local.year, local.month, local.day, local.hour, local.minute, local.second)
        with Zipped(stream, stamp, tell) as self.zip:
            self._write_documents()
            self._write_versions()
            for kind in KINDS:
                self._write_data(kind)
            self.zip.add_text("index.html", self._index(begun))
            manifest = self.zip.finish(
                {
                    "clinic": settings.read("clinic_name"),
                    "patient": {"code": self.patient.code, "name": self.patient.name},
                    "begun_at": begun.isoformat(),
                    "ended_at": clock.now().isoformat(),
                    "by": self.by,
                    "reason": self.reason,
                    "made_with": {"program": "Chairside", "version": VERSION, "commit": current_app.config["CHAIRSIDE"].commit},
                    "left_out": [{"what": e.what, "why": e.why, "expected": not e.is_fault} for e in self.left_out],
                    "instead": [{"wanted": e.wanted, "file": e.file, "why": e.why} for e in self.instead],
                }
            )  # fmt: skip
        return Exported(
            self.patient.code, len(self.zip.files), self.zip.size, manifest.sha256, self.left_out, self.instead
        )

    # --- files ---

    def _write_documents(self) -> None:
        after = 0
        while found := exports.documents_after(self.patient.id, after):
            db.session.commit()  # nothing is held of the database while the store is read
            for document, is_former in found:
                self.documents[document.id] = self._written(document, is_former)
            after = found[-1][0].id

    def _written(self, document: Document, is_former: bool) -> Row:
        """Write a document's file; answers what the export did with it."""
        why = _not_to_be_read(document)
        what = f"document number {document.id}"
        if why:
            if document.status is not DocumentStatus.FAILED:  # that never was a document
                self.left_out.append(LeftOut(what, why, is_fault=False))
            return {"file": None, "is_former": is_former, "left_out": why}
        folder = "deleted/" if document.status is DocumentStatus.DELETED else "former/" if is_former else ""
        name = f"documents/{folder}{name_of(document.id, document.name, SUFFIXES.get(document.media_type, ()))}"
        try:
            with closing(outgoing.pieces_of(stored_of(document))) as pieces:  # type: ignore[type-var]
                self.zip.add(name, pieces, size=document.size, is_packed=document.media_type in PACKED)
        except (storage.Damaged, storage.Missing) as damage:
            is_missing = isinstance(damage, storage.Missing)
            why = "Its bytes are not in the object store." if is_missing else WRONG
            self.left_out.append(LeftOut(what, why, is_fault=True))
            if not is_missing:  # of what is missing the reconciler judges whether it is another bucket
                quarantine_document(document.id, why=WRONG)
                db.session.commit()
            return {"file": None, "is_former": is_former, "left_out": why}
        return {"file": name, "is_former": is_former, "left_out": None}

    def _write_versions(self) -> None:
        number = 0
        while version := charts.version_after(self.patient.id, number):
            number = version.number
            self.versions[number] = self._version_written(version)

    def _version_written(self, version: ChartVersion) -> Row:
        """Write a version's own bytes and its print; answers what the export did with it."""
        name = f"chart/version-{version.number:03}"
        try:
            body = as_cut(version)
            standing = standing_of(version)
            db.session.commit()
            document = self.print_of(version, standing)
            ending, content = self._printed(document, name)
        except (NotAsCut, ValueError, KeyError):
            db.session.commit()
            why = "It does not read as it was cut."
            self.left_out.append(LeftOut(f"version {version.number} of the chart", why, is_fault=True))
            return {"print": None, "file": None, "standing": None, "left_out": why}
        self.zip.add(f"{name}.json", [body], size=len(body))
        self.zip.add(f"{name}.{ending}", [content], size=len(content), is_packed=ending == "pdf")
        return {
            "print": f"{name}.{ending}",
            "file": f"{name}.json",
            "standing": standing.text,
            "left_out": None,
        }

    def _printed(self, document: Print, name: str) -> tuple[str, bytes]:
        """The print as PDF; while there is no printer, what would be printed, as HTML."""
        if self.refusals < REFUSALS:
            try:
                return "pdf", pdf_of(document)
            except Unavailable as away:
                self.refusals += 1
                why = away.sentence
        elif (pdf := kept.find(document.key)) is not None:
            return "pdf", pdf
        else:
            why = "The printer does not answer."
        html = document.html().encode()
        self.instead.append(Instead(f"{name}.pdf", f"{name}.html", why))
        return "html", html

    # --- data ---

    def _write_data(self, kind: Kind) -> None:
        counted = _Counted(self._rows(kind))
        fields = exports.fields_of(kind) | ADDED.get(kind.name, {})
        head = {"schema": 1, "kind": kind.name, "about": kind.about, "patient": self.patient.code, "fields": fields}
        data = self.zip.add_text(f"data/{kind.name}.json", _json(head, counted)).name
        page = f"pages/{kind.name}.html" if counted.count else ""
        if page:
            context = self._frame(up="../") | {
                "kind": kind, "columns": _columns(kind), "rows": self._cells(kind, up="../"), "data": f"../{data}",
            }  # fmt: skip
            self.zip.add_text(page, stream_template("exports/rows.html", **context))
        self.parts.append(Part(kind, counted.count, data, page))

    def _rows(self, kind: Kind) -> Iterator[Row]:
        kinds = charts.catalogue() if kind.model is ChartEntry else {}
        forms = exports.forms_filled(self.patient.id) if kind.model is Filling else {}
        # What came while documents were written belongs to the next export, and so it does among the rows of documents.
        upto = max(self.documents, default=0) if kind.model is Document else None
        archived = self._archived() if kind.model is AuditEvent else ()
        for page in one_after_another(archived, exports.pages_of(kind, self.patient.id, upto=upto)):
            db.session.commit()
            for row in page:
                if kind.model is Document:
                    row |= self.documents.get(row["id"], {"file": None, "is_former": False, "left_out": None})
                elif kind.model is ChartVersion:
                    nothing = {"print": None, "file": None, "standing": None, "left_out": "It was cut meanwhile."}
                    row |= self.versions.get(row["number"], nothing)
                elif kind.model is ChartEntry:
                    with suppress(ValueError, KeyError, AttributeError):
                        row["in_words"] = exports.in_words(row, kinds)
                elif kind.model is Filling:
                    with suppress(ValueError, KeyError, AttributeError):
                        row["in_words"] = exports.filled_in_words(row, forms)
                yield row

    def _archived(self) -> Iterator[list[Row]]:
        """Events that are no longer at hand. What cannot be read is named once, though they are read for data and page."""
        for found in chain.archived_about(self.patient.id):
            if isinstance(found, DomainError):
                fault = LeftOut("archived events of the trail", found.sentence, is_fault=True)
                self.left_out += [fault] if fault not in self.left_out else []
            else:
                names = exports.names_of(event["actor_id"] for event in found if event["actor_id"])
                yield [event | {"actor": names.get(event["actor_id"])} for event in found]

    # --- to read ---

    def _cells(self, kind: Kind, up: str = "") -> Iterator[list[Cell]]:
        fields = exports.fields_of(kind) | ADDED.get(kind.name, {})
        for row in self._rows(kind):
            yield [_cell(fields.get(name, "text"), name, row, up) for name in kind.shown]

    def _index(self, begun: datetime) -> Iterator[str]:
        by_name = {kind.name: kind for kind in KINDS}
        counts = {part.kind.name: part.count for part in self.parts}
        tables = [
            (by_name[name], _columns(by_name[name]), self._cells(by_name[name]))
            for name in ("alerts", "documents", "chart-versions", "visits", "assignments")
            if counts[name]
        ]
        person = zip(_columns(by_name["patient"]), next(self._cells(by_name["patient"])), strict=True)
        return stream_template(
            "exports/index.html",
            **self._frame(),
            person=[(label, cell) for label, cell in person if cell.text],
            tables=tables,
            mouth=self._mouth(),
            parts=self.parts,
            left_out=self.left_out,
            instead=self.instead,
            begun=begun,
            by=self.by,
            reason=self.reason,
            version=VERSION,
        )

    def _frame(self, up: str = "") -> dict[str, Any]:
        return {"patient": self.patient, "clinic": settings.read("clinic_name"), "zone": str(clock.zone()), "up": up}

    def _mouth(self) -> list[tuple[str, str, list[str]]]:
        """The chart as it stands, in words: tooth, its name, what is said of it. Empty when nothing is."""
        try:
            rows = table_of(charts.mouth_of(self.patient.id))
        except (ValueError, KeyError, AttributeError):
            self.left_out.append(LeftOut("the chart as it stands, in words", "It cannot be shown.", is_fault=True))
            rows = []
        db.session.commit()
        said = [(row.teeth, row.name, [_capital(each.words) for each in row.said]) for row in rows if row.said]
        absent = [
            (row.teeth, row.name, [_capital(row.presence)])
            for row in rows
            if not row.said and row.key and row.presence not in ("", "present")
        ]
        return [*said, *absent]


# Fields of data that are no columns.
ADDED: Mapping[str, dict[str, str]] = {
    "documents": {
        "file": "text, the file in this export, or null",
        "is_former": "true or false: a newer file has taken its place",
        "left_out": "text, why there is no file, or null",
    },
    "chart-versions": {
        "print": "text, the file in this export that is its print, or null",
        "file": "text, the file in this export that is its bytes, or null",
        "standing": "text, how it stands with the supervisors, or null",
        "left_out": "text, why there is no file, or null",
    },
    "chart-entries": {"in_words": "text, the entry in words"},
    "fillings": {"in_words": "text, the form and its answers in words"},
}


def _not_to_be_read(document: Document) -> str:
    """Why a document's bytes are not in an export; empty when they are."""
    if document.status is DocumentStatus.PENDING:
        return "Its bytes were still on their way."
    if document.status is DocumentStatus.FAILED:
        return f"It never arrived. {document.why}".strip()
    if document.status is DocumentStatus.QUARANTINED:
        return f"It is in quarantine. {document.why}".strip()
    if document.status is DocumentStatus.PURGED:
        on = f" on {short_day(clock.local(document.purged_at))}" if document.purged_at else ""
        return f"It was purged{on}. {document.purge_reason}".strip()
    return ""


@dataclass
class _Counted:
    """Rows, counted while they pass."""

    rows: Iterable[Row]
    count: int = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            self.count += 1
            yield row


def _json(head: Row, rows: Iterable[Row]) -> Iterator[str]:
    """A file of data: what it holds, then a row on each line."""
    yield json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "rows": ['
    between = "\n  "
    for row in rows:
        yield between + json.dumps(row, ensure_ascii=False)
        between = ",\n  "
    yield "\n ]\n}\n"


def _columns(kind: Kind) -> list[str]:
    return [LABELS.get(name) or _capital(name.removesuffix("_at").replace("_", " ")) for name in kind.shown]


def _cell(field: str, name: str, row: Row, up: str) -> Cell:
    value = row.get(name)
    if value is None or value == "":
        return Cell("")
    if name in ("file", "print"):
        return Cell(value.rsplit("/", 1)[-1], f"{up}{value}")
    if name == "name" and "is_former" in row:  # a document's
        return Cell(value, f"{up}{row['file']}" if row["file"] else "")
    if name == "status" and row.get("is_former") and value == DocumentStatus.AVAILABLE:
        return Cell("Former file")
    if field.startswith("instant"):
        return Cell(when(datetime.fromisoformat(value)))
    if field.startswith("day"):
        return Cell(day(date.fromisoformat(value)))
    if field.startswith("one of"):
        return Cell(_capital(words(value)))
    if name == "base":
        return Cell(", ".join(teeth.shown(key, "fdi") for key in value.split()))
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    return Cell(str(value))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed(left_out: list[LeftOut]) -> str:
    shown = "; ".join(f"{each.what} ({each.why.rstrip('.')})" for each in left_out[:MOST_NAMED])
    more = len(left_out) - MOST_NAMED
    return shown + (f"; and {more} more, named in the manifest" if more > 0 else "")
