"""The right tooth of what cannot be undone: which teeth the plan, the chart, the radiographs and the consents name, as all of it is now."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clinic.chart import teeth
from clinic.chart.entry import teeth_of
from clinic.chart.mouth import Mouth
from clinic.models import Document, Gate
from clinic.queries import chart as charts
from clinic.queries.gates import GUARDED, pictures_and_consents, shown_of
from clinic.queries.tooth_places import teeth_marked

NEEDS_NO_TOOTH = "implant"
PAPERS = {"radiograph": "radiographs", "consent": "consents"}  # a source to where a start keeps those that were chosen


@dataclass(frozen=True)
class Sources:
    """Which teeth each source names, of one item that cannot be undone. `doubts`: what does not agree with the plan, in words that tell
    no tooth; `documents`: the ids of those that were read."""

    plan: list[str]
    named: Mapping[str, list[str]]
    doubts: list[str]
    documents: list[int]

    @property
    def agree(self) -> bool:
        return not self.doubts

    def plain(self) -> dict[str, Any]:
        """As it is kept with what the supervisor entered."""
        return {"plan": self.plan, **self.named, "doubts": self.doubts, "documents": self.documents}


def sources_of(gate: Gate) -> dict[str, Sources]:
    """The sources of each guarded item of a start, by its subject: the plan as it was prepared; the chart, the documents that the
    student chose, and the newest others of the patient, as they are now. A handful of queries; none when nothing in it is guarded."""
    shown = shown_of(gate)
    guarded = [item for item in shown["items"] if item["kind"] in GUARDED]
    if not guarded:
        return {}
    mouth = charts.mouth_of(gate.patient_id)
    held = dict(zip(PAPERS, pictures_and_consents(gate.patient_id), strict=True))
    now = {source: plain_documents(documents) for source, documents in held.items()}
    treated = {key for item in shown["items"] for key in _keys(item)}
    return {f"entry:{item['thread']}": _of_item(item, shown, mouth, now, treated) for item in guarded}


def plain_documents(documents: Sequence[Document]) -> list[dict[str, Any]]:
    """What a start keeps of documents: the teeth that are said of each or marked on it, in the order of the chart. One query."""
    marked = teeth_marked([document.id for document in documents])
    return [
        {
            "id": document.id,
            "name": document.name,
            "what": str(document.projection or document.category),
            "teeth": " ".join(teeth.in_order([*{*document.teeth.split(), *marked.get(document.id, ())}])),
            "taken_on": document.taken_on.isoformat() if document.taken_on else "",
            "sha256": document.sha256,
        }
        for document in documents
    ]


def _of_item(
    item: Mapping[str, Any],
    shown: Mapping[str, Any],
    mouth: Mouth,
    now: Mapping[str, list[dict[str, Any]]],
    treated: Collection[str],
) -> Sources:
    plan = _keys(item)
    charted = [key for entry in mouth.entries if entry.thread == item["thread"] for key in entry.keys]
    doubts = []
    if sorted(charted) != sorted(plan) or (item["kind"] != NEEDS_NO_TOOTH and _is_gone(mouth, plan)):
        doubts.append("the chart has no such tooth there now")
    named, read = {"chart": charted}, []
    for source, kept in PAPERS.items():
        chosen = {document["id"]: document for document in shown[kept]}
        there = {document["id"]: document for document in now[source]}
        counted = [each for each in there.values() if each["id"] in chosen or _named([each]) & {*plan}]
        named[source] = teeth.in_order([*_named(counted)])
        read += [each["id"] for each in counted]
        if not {*plan} <= {*named[source]}:
            doubts.append(f"no {source} names the tooth")
        if any(there.get(number) != was for number, was in chosen.items()):
            doubts.append(f"a {source} that was chosen was taken away since, or is said to show something else")
        if any(_named([each]) and not _named([each]) & {*treated} for each in counted):
            doubts.append(f"a {source} that was chosen names another tooth")
    return Sources(plan, named, doubts, sorted(read))


def _keys(item: Mapping[str, Any]) -> list[str]:
    """The teeth of what is planned, without their roles."""
    return [key for key, _role in teeth_of(item["teeth"])]


def _named(documents: Iterable[Mapping[str, Any]]) -> set[str]:
    return {key for document in documents for key in document["teeth"].split()}


def _is_gone(mouth: Mouth, keys: Collection[str]) -> bool:
    return any(mouth.presence(key).is_gone for key in keys)
