"""Notes in the random days of test_gate_machine.py: signed, decided, written anew, added to and struck by everybody, and what of it is
forbidden, read from the rows alone."""

import hashlib
import json
from collections import defaultdict
from typing import Any

from sqlalchemy import select

from clinic.extensions import db
from clinic.models import Note, NoteSigning, NoteType, Role, User


class NoteWalk:
    """The acts and the rules; the walk itself brings browsers, luck and `post`."""

    app: Any
    world: Any
    luck: Any
    people: dict[int, User]
    signed: dict[int, tuple[Any, ...]]  # every signing as it was first seen, with its decision once there is one

    # --- acts ---------------------------------------------------------------------------------------------------------

    def note(self) -> str:
        """A note of the visit by whoever may, or may not, write it; at times a supervisor's review."""
        patient = self.patient()
        kind = self.one(("progress", "treatment", "progress", "supervisor_review"))
        data = {"type": kind, "text": f"Note {self.luck.random()}", "visit_id": self.visit_id(patient)}
        who = self.one((self.student_or_any(patient), self.student_or_any(patient), self.supervisor_or_any(patient)))
        return self.post(who, f"/patients/{self.world.patients[patient]}/notes/new", data)

    def note_any(self) -> str:
        """Any act on any note by anybody, mostly as it stands."""
        patient = self.patient()
        with self.app.app_context():
            found = select(Note).where(Note.patient_id == self.world.patients[patient])
            notes = db.session.scalars(found if self.luck.random() < 0.95 else select(Note)).all()
            db.session.expunge_all()
        if not notes:
            return "nothing"
        note = self.one(notes)
        act = self.one(
            (
                "approve",
                "approve",
                "return",
                "return",
                "again",
                "again",
                "addendum",
                "in-error",
                "agree-error",
                "refuse-error",
            )
        )
        data = {
            "version": self.stale(note.version), "reason": self.one(("Which tooth?", "Of another patient", "")), "type": str(note.type),
            "text": f"Anew {self.luck.random()}", "status": "approved", "author_id": self.world.people["silva"],
        }  # fmt: skip
        if act in ("approve", "return"):
            who = self.supervisor_or_any(patient)
            if self.luck.random() < 0.1:
                return self.post(who, "/approvals/approve", {"items": f"note:{note.id}:{data['version']}"})
            return self.post(who, f"/approvals/note/{note.id}/{act}", data)
        who = self.one((self.student_or_any(patient), self.supervisor_or_any(patient)))
        return self.post(who, f"/patients/{self.world.patients[patient]}/notes/{note.id}/{act}", data)

    # --- what is forbidden ----------------------------------------------------------------------------------------------

    def wrong_notes(self) -> list[str]:
        signings: dict[int, list[NoteSigning]] = defaultdict(list)
        now = {}
        for row in db.session.scalars(select(NoteSigning).order_by(NoteSigning.note_id, NoteSigning.number)):
            signings[row.note_id].append(row)
            now[row.id] = (
                row.note_id,
                row.number,
                row.signed,
                row.sha256,
                row.signed_by_id,
                row.decision,
                row.decided_by_id,
                row.reason,
            )
        wrong = []
        for number, said in self.signed.items():
            same = now.get(number) == said if said[5] is not None else now.get(number, ())[:5] == said[:5]
            if not same:
                wrong.append(f"signing {number}: was changed or taken away")
        self.signed = now
        for note in db.session.scalars(select(Note)):
            wrong += self.wrong_note(note, signings[note.id])
        return wrong

    def wrong_note(self, note: Note, signings: list[NoteSigning]) -> list[str]:
        author, here, wrong = self.people[note.author_id], f"note {note.id} ({note.status})", []
        if [row.number for row in signings] != list(range(1, len(signings) + 1)) or not signings:
            return [f"{here}: signings {[row.number for row in signings]}"]
        *former, last = signings
        decisions = {
            "signed": (None,),
            "approved": ("approved",),
            "returned": ("returned",),
            "in_error": (None, "approved", "returned"),
        }
        if last.decision not in decisions[str(note.status)] or any(row.decision != "returned" for row in former):
            wrong.append(f"{here}: decisions {[str(row.decision) for row in signings]}")
        if json.loads(last.signed)["said"]["text"] != note.text:
            wrong.append(f"{here}: says other than what was signed last")
        if note.type is NoteType.SUPERVISOR_REVIEW and author.role is not Role.SUPERVISOR:
            wrong.append(f"{here}: a supervisor's review by {author.name}")
        if (note.department_id is None) is not (author.role is Role.SUPERVISOR) or author.role not in (
            Role.STUDENT,
            Role.SUPERVISOR,
        ):
            wrong.append(f"{here}: of {author.name} for {note.department_id}")
        for row in signings:
            by = self.people.get(row.decided_by_id or 0)
            if row.signed_by_id != note.author_id or hashlib.sha256(row.signed.encode()).hexdigest() != row.sha256:
                wrong.append(f"{here}: signing {row.number} is not its author's, or not as it was signed")
            if row.decision is not None and (
                by is None
                or by.role is not Role.SUPERVISOR
                or by.department_id != note.department_id
                or by.id == note.author_id
            ):
                wrong.append(f"{here}: decided by {by.name if by else 'nobody'}")
            if row.decision == "returned" and not row.reason:
                wrong.append(f"{here}: returned without a reason")
        said, agreed = note.error_said_by_id, note.error_agreed_by_id
        if note.status == "in_error" and (not said or not agreed or said == agreed or not note.error_reason):
            wrong.append(f"{here}: struck by {said} and {agreed}")
        concerned = [each for each in (said, agreed) if each]
        if any(each != note.author_id and self.people[each].role is not Role.SUPERVISOR for each in concerned):
            wrong.append(f"{here}: struck by somebody whom it does not concern")
        return wrong
