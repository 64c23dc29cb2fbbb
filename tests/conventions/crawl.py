"""Every form that writes, on every page a person can come to: what the sweeps over all forms send.

Whoever adds a route does nothing here as long as a link leads to its page, its fields are filled in or named in `TYPED`, and the
crowded world holds a row that the act is possible on. Else `Crawl.unreached` says which of the three is missing.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html import unescape

from flask import Flask
from sqlalchemy import Connection
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from clinic import access, clock
from clinic.chart.kinds import Scope
from clinic.extensions import db
from clinic.models import (
    Assignment,
    AssignmentKind,
    BrokenGlass,
    Display,
    GlassReason,
    NoteType,
    Patient,
    Role,
    Setting,
    Stage,
    TaskStatus,
    Visit,
    VisitStatus,
)
from clinic.operations import cases
from clinic.operations.chairs import add_chair, retire_chair
from clinic.operations.departments import close_department, open_department
from clinic.operations.documents import ask_purge, delete_document
from clinic.operations.evaluations import evaluate, publish_evaluation_form, retire_evaluation_form
from clinic.operations.note_templates import add_template, retire_template
from clinic.operations.notes import return_note, say_in_error
from clinic.operations.notices import tell
from clinic.operations.own_kinds import add_own_kind, retire_own_kind
from clinic.operations.people import create_person, deactivate
from clinic.operations.visits import schedule_visit
from tests.asked import student_asks
from tests.cased import task_of
from tests.conventions.matrix import UNSAFE, address, deepen, ids_of, routes
from tests.crowded import add_arrived, add_patients
from tests.filed import file_document, png
from tests.forms import PageForm, forms_of
from tests.noted import note_by
from tests.person import Person
from tests.planned import SIGNATURE, approved, plan_of, sent
from tests.scene import second_supervisor
from tests.world import PEOPLE, World

# Who opens the pages: one of each role.
WHO = ("ruwan", "nimal", "adel", "kamal", "silva")
# About whom the addresses with ids are tried, beside those that links lead to.
SUBJECTS = ("fernando", "perera", "nadia", "archie")
# What a person would type into a field that is empty when the page opens, by the field's name; then what only one form means by it.
TYPED = {
    "name": "Chandra Gunawardena",
    "birth_date": "3 Apr 1979",
    "sex": "female",
    "email": "chandra@clinic.test",
    "reason": "Asked at the desk",
    "note": "Please look",
    "label": "Codeine",
    "date": "2030-01-15",
    "day": "2030-01-15",
    "time": "10:15",
    "role": "nurse",
    "minutes": "60",
    "words": "I stood in for a colleague",
    "need": "Molar endodontics",
    "handover": "The crown comes next",
    "text": "Composite placed in 36, no pain.",
}
TYPED_IN = {
    "POST /settings/departments": {"letter": "Z"},
    "POST /chart-kinds/new": {"word": "topical"},
    "POST /displays/pair": {"code": "ABC123"},
    "POST /patients/<int:patient_id>/chart/strokes": {"line": "37 o car3"},
    "POST /patients/<int:patient_id>/chart/entries/<int:chart_entry_id>/correct": {"detail_icdas": "4"},
    "POST /patients/<int:patient_id>/documents/<int:document_id>/teeth": {"x": "41", "y": "62"},
    "POST /visits/<int:visit_id>/materials": {"material": "Composite A2", "unit": "capsule"},
    "POST /patients/<int:patient_id>/problems": {"said": "Grinds at night", "teeth": ""},
    "POST /requirements/new": {"kinds": "crown", "wanted": "4", "begins": "2026-01-05", "due": "2026-06-30"},
    "POST /patients/<int:patient_id>/cases": {"title": "Bridge 14 to 16"},
    "POST /patients/<int:patient_id>/cases/<int:case_id>/tasks": {"title": "Impression", "due_on": "15 Jan 2027"},
    "POST /evaluation-forms/new": {"title": "Endodontics", "steps": "a\nb\nc\nd\ne", "criteria": "Isolation"},
    "POST /visits/<int:visit_id>/evaluation/correct": {"comment": "Of another student"},
    "POST /patients/<int:patient_id>/plans/<int:plan_id>/options/<int:option_id>/items/new": {"line": "47 o composite"},
    "POST /patients/<int:patient_id>/plans/<int:plan_id>/accept": {"signature": SIGNATURE},
    "POST /diagnoses": {"code": "P-99", "system": "own"},
    "POST /requests/new": {"code": "P-2026-00098"},
    "POST /assignments/students/<int:student_id>/leaving": {"confirm": PEOPLE["kamal"][0]},
}
# Writes that no form on a page can show to work, each with its reason. Empty is right.
EXCEPT: dict[str, str] = {
    "POST /visits/<int:visit_id>/start": "two identifiers are ticked, where this walk sends one: tests/routes/test_gates.py",
    # What it answers is an address of the object store, of which a second time nothing is left: tests/routes/test_document_links.py.
    "POST /patients/<int:patient_id>/documents/<int:document_id>/link": "needs an object store; the link is kept nowhere",
    # The patient's own, which refuses whoever is signed in: tests/routes/test_history.py.
    "POST /tablet/<string:token>": "nobody who is signed in comes to it",
}
# Of one kind of address (the same rule, the same names in its query) so many are opened, so that a crawl ends.
MOST_ALIKE = 12
LINK = re.compile(r'\b(?:href|hx-get)="(/[^"#]*)')
SENTENCE = re.compile(r'<p class="(?:message|refusal)"[^>]*>(.+?)</p>|<div class="fault">(.+?)</p>', re.DOTALL)
WENT_THROUGH = (200, 204, 303)


def furnish(world: World) -> list[str]:
    """Add to the world, at noon, what `deepen` lacks for every act to be possible on something, and commit.

    Answers the addresses of pages that no link leads to from the pages a person opens anyway.
    """
    deepen(world)
    at, adel = clock.now(), world.user("adel")
    marked, expected, leaving, treated, unmarked, *others = add_patients(world, 7)
    schedule_visit(
        patient=db.session.get_one(Patient, expected),
        department=world.department("restorative"),
        starts_at=at,
        minutes=30,
        chair=None,
        student=None,
        supervisor=None,
        reason="Check-up",
        actor=world.user("ruwan"),
    )
    add_arrived(world, leaving, Stage.CHECKOUT, ticket="A-900")
    add_arrived(world, treated, Stage.IN_TREATMENT, ticket="A-901")
    db.session.add(
        Assignment(
            patient_id=treated,
            user_id=world.people["kamal"],
            kind=AssignmentKind.PRIMARY,
            starts_at=at,
            created_by_id=world.people["silva"],
        )
    )
    second_supervisor(world)
    student_asks(world, "leela", "P-2026-00001")  # beside what reception asked: two of one student and one patient
    tell(world.people["kamal"], "Your request was returned", kind="request.returned", url="/my-queue")
    unexplained = "You opened a record and nobody knows why"
    tell(world.people["kamal"], unexplained, kind="record.unexplained", patient_id=world.patients["fernando"])
    world.user("rita").totp_confirmed_at = at
    former = create_person(
        name="Dilani Peiris",
        email="dilani@clinic.test",
        role=Role.NURSE,
        department_id=None,
        year=None,
        password_hash="!",
        actor=adel,
    )
    deactivate(former.id, actor=adel)
    for name, letter in (("Oral surgery", "Q"), ("Old wing", "R")):  # nobody is left in them: they can be closed
        last = open_department(name=name, letter=letter, chairs=1, actor=adel)
    close_department(last.id, version=last.version, actor=adel)
    retired = add_chair(world.departments["restorative"], name="A0", actor=adel)
    retire_chair(retired.id, version=retired.version, actor=adel)
    add_own_kind(
        name="Sutures", word="sutures", scope=Scope.SPAN, is_treatment=True, rule="bar", pattern="dashed", actor=adel
    )
    former_kind = add_own_kind(
        name="Old", word="oldkind", scope=Scope.WHOLE, is_treatment=False, rule="crown", actor=adel
    )
    retire_own_kind(former_kind.id, version=former_kind.version, actor=adel)
    deleted = file_document(world, body=png(3, 3), name="old.png")
    delete_document(deleted.id, version=deleted.version, reason="Of another patient", actor=world.user("kamal"))
    unwanted = file_document(world, body=png(4, 4), name="unwanted.png")
    delete_document(unwanted.id, version=unwanted.version, reason="Of another patient", actor=world.user("kamal"))
    ask_purge(unwanted.id, version=unwanted.version, reason="Of another patient", actor=world.user("kamal"))
    back = note_by(world)
    return_note(back.id, version=back.version, reason="Which tooth?", actor=world.user("silva"))
    wrong = note_by(world)
    say_in_error(wrong.id, version=wrong.version, reason="Of another patient", actor=world.user("kamal"))
    _cases(world, [treated, *others])
    for make in (approved, sent, plan_of):
        make(world)
    former_template = add_template(name="Old form", type=NoteType.PROGRESS, text="Seen.", actor=adel)
    retire_template(former_template.id, version=former_template.version, actor=adel)
    for title in ("Surgery", "Old one"):
        scale = "a\nb\nc\nd\ne"
        last_form = publish_evaluation_form(code=None, title=title, steps=scale, criteria="Asepsis", seen=0, actor=adel)
    retire_evaluation_form(last_form.code, version=1, is_retired=True, actor=adel)
    evaluated = _visit_that_is_over(world, marked)
    _visit_that_is_over(world, unmarked)
    evaluate(
        evaluated,
        form_code="surgery",
        form_number=1,
        marks={"asepsis": 3},
        comment="",
        version=0,
        actor=world.user("silva"),
    )
    db.session.add(Setting(name="late_after_minutes", value="15"))  # not as usual: it can be made so again
    db.session.add(
        BrokenGlass(
            user_id=adel.id,
            patient_id=world.patients["nadia"],
            reason=GlassReason.COMPLAINT,
            words="The patient asks for a copy",
            opened_at=at,
            expires_at=at + timedelta(minutes=60),
        )
    )
    db.session.add(Display(token_hash="e" * 64, name="Waiting room", created_at=at, paired_at=at))
    db.session.commit()
    graduating = f"student={world.people['kamal']}&reason=Graduated&last_day={clock.today()}"
    return [
        f"/people/{former.id}",
        f"/assignments/leaving/receivers?{graduating}",
        f"/visits/{evaluated.id}/evaluation",
    ]


def _visit_that_is_over(world: World, patient_id: int) -> Visit:
    """Of Kamal's, an hour ago."""
    at, kamal, silva = clock.now(), world.people["kamal"], world.people["silva"]
    visit = Visit(
        patient_id=patient_id,
        department_id=world.departments["restorative"],
        starts_at=at - timedelta(hours=1),
        student_id=kamal,
        supervisor_id=silva,
        status=VisitStatus.COMPLETED,
        arrived_at=at - timedelta(hours=1),
        completed_at=at,
        created_at=at,
        created_by_id=silva,
    )
    kind = AssignmentKind.PRIMARY
    given = Assignment(patient_id=patient_id, user_id=kamal, kind=kind, starts_at=at, created_by_id=silva)
    db.session.add_all([visit, given])
    db.session.flush()
    return visit


def _cases(world: World, patients: list[int]) -> None:
    """Cases of Kamal whose next step is one of the whole case: of two patients, and one that goes to Leela as well."""
    kamal, silva = world.user("kamal"), world.user("silva")
    for number in patients:
        for name in ("kamal", "leela"):
            whose = {"user_id": world.people[name], "kind": AssignmentKind.ADDITIONAL, "created_by_id": silva.id}
            db.session.add(Assignment(patient_id=number, starts_at=clock.now(), **whose))
    db.session.flush()
    for number, last in zip(patients, (None, cases.return_case, cases.verify_case), strict=True):
        patient = db.session.get_one(Patient, number)
        case = cases.open_case(patient, student_id=kamal.id, title=f"Case {number}", actor=silva)
        task_of(world, case, TaskStatus.REVIEWED)
        if last is not None:
            cases.submit_case(case.id, version=case.version, actor=kamal)
            last(case.id, version=case.version, reason="Once more", actor=silva)


@dataclass(frozen=True)
class Write:
    """A form that writes, as one person finds it on a page."""

    who: str
    url: str
    endpoint: str
    form: PageForm
    person: Person
    own: frozenset[str]  # the names of all fields that this person's forms to this endpoint have

    def send(self, others: dict[str, str] | None = None) -> TestResponse:
        """Fill it in as a person would and send it, with `others` in it as well."""
        here = TYPED_IN.get(self.endpoint, {})
        typed = TYPED | here
        fields = {name: value or typed.get(name, "") for name, value in self.form.fields.items()}
        fields |= {name: here[name] for name in here.keys() & self.form.names - fields.keys()}  # boxes that are ticked
        fields["csrf_token"] = self.person.csrf_token()
        return self.person.browser().post(self.form.action, data=(others or {}) | fields)


@dataclass
class Crawl:
    """Goes through the pages of the clinic as `WHO`, in the test's one connection, and leaves nothing behind."""

    app: Flask
    world: World
    sent: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)  # the last refusal of each write
    _known: set[object] = field(default_factory=set)

    def __post_init__(self) -> None:
        assert {PEOPLE[name][1] for name in WHO} == set(Role), "tests/conventions/crawl.py: WHO has one of each role"
        with self.app.app_context():
            self.unlinked = furnish(self.world)
            self.ids = [ids_of(self.world, subject) for subject in SUBJECTS]
            self.connection: Connection = db.session().get_bind()  # type: ignore[assignment]
            self.keyed = {
                f"{verb} {rule.rule}"
                for rule, verb in routes(self.app)
                if verb in UNSAFE and access.access_of(rule.endpoint).needs_key  # type: ignore[union-attr]
            }

    def writes(self) -> Iterator[Write]:
        """Every keyed form, once for each person who finds it; then what only appears once a form was sent, for what `note` has not
        seen by then. Whatever is done until the next one is asked for is rolled back.
        """
        found: list[Write] = []
        for who in WHO:
            Person(self.app, self.world.people[who])  # signed in elsewhere as well
            person = Person(self.app, self.world.people[who])
            found += [write for url, page in self._pages(person) for write in self._forms(who, person, url, page)]
        for write in _with_own(found):
            with self.rolled_back():
                yield write
        for write in found:
            if self.keyed <= self.sent | EXCEPT.keys():
                return
            with self.rolled_back():
                yield from self._forms_after(write)

    def note(self, write: Write, answer: TestResponse) -> bool:
        """Whether the form went through as found; remembered for `unreached`."""
        if answer.status_code in WENT_THROUGH:
            self.sent.add(write.endpoint)
            return True
        said = [
            re.sub(r"(?:<[^>]+>|\s)+", " ", unescape("".join(each))).strip() for each in SENTENCE.findall(answer.text)
        ]
        self.refused[write.endpoint] = f"{write.who} on {write.url}: {answer.status_code}, {' '.join(said)}"
        return False

    def unreached(self) -> str:
        """A line for every write that was not sent with success, saying what to do; empty when all were."""
        lines = []
        for endpoint in sorted(self.keyed - self.sent - EXCEPT.keys()):
            if endpoint in self.refused:
                lines.append(
                    f"{endpoint}: its form is always refused, last for {self.refused[endpoint]!r}. Say in TYPED what a person "
                    "types into it, or add to `furnish` a row on which it is possible."
                )
            else:
                lines.append(
                    f"{endpoint}: no page that {', '.join(WHO)} come to has a form for it. Link to its page, let `furnish` answer "
                    "the page's address, or add to `furnish` the row that makes the form appear."
                )
        lines += [f"{endpoint}: is reached; take it out of EXCEPT." for endpoint in sorted(EXCEPT.keys() & self.sent)]
        lines += [f"{endpoint}: is no write; take it out of EXCEPT." for endpoint in sorted(EXCEPT.keys() - self.keyed)]
        return "\n".join(lines and ["tests/conventions/crawl.py reaches not every write:", *lines])

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        savepoint = self.connection.begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()

    def _pages(self, person: Person) -> Iterator[tuple[str, str]]:
        """Every page and fragment the person can open: by the rules of addresses, then by what those link to."""
        rules = [rule for rule, verb in routes(self.app) if verb == "GET"]
        found = {url for ids in self.ids for rule in rules if (url := address(rule, ids))}
        wanted, seen, alike = [*sorted(found), *self.unlinked], set[str](), Counter[object]()
        for url in wanted:
            kind = self._kind(url)
            if url in seen or kind is None or alike[kind] == MOST_ALIKE:
                continue
            seen.add(url)
            alike[kind] += 1
            with self.rolled_back():
                page = person.browser().get(url)
            if page.mimetype == "text/html" and page.status_code == 200:
                yield url, page.text
                wanted += dict.fromkeys(unescape(link) for link in LINK.findall(page.text))

    def _kind(self, url: str) -> object:
        """What addresses of one kind have in common; None for what is no page."""
        path, _, query = url.partition("?")
        rule = self._rule(path, "GET")
        if rule is None or rule.endpoint == "static" or rule.endpoint.endswith(".stream"):
            return None
        return rule.rule, frozenset(pair.partition("=")[0] for pair in query.split("&"))

    def _forms(self, who: str, person: Person, url: str, page: str) -> Iterator[Write]:
        """The keyed forms of a page that this person has not come across yet."""
        for form in forms_of(page):
            rule = self._rule(form.action.partition("?")[0], "POST")
            endpoint = f"POST {rule.rule}" if rule else ""
            said = frozenset(pair for pair in form.fields.items() if pair[0] not in ("csrf_token", "once"))
            if form.method == "post" and endpoint in self.keyed and (who, form.action, said) not in self._known:
                self._known.add((who, form.action, said))
                yield Write(who, url, endpoint, form, person, form.names)

    def _forms_after(self, write: Write) -> Iterator[Write]:
        """The forms of what nothing could be sent to yet, on the page that sending this one answers or leads to: the toast's undo is
        one, the last step of three another."""
        page = write.send()
        if page.status_code == 303:
            page = write.person.browser().get(page.headers["Location"])
        if page.mimetype == "text/html" and page.status_code == 200:
            for after in self._forms(write.who, write.person, f"{write.url}, sent", page.text):
                if after.endpoint not in self.sent:
                    with self.rolled_back():
                        yield after

    def _rule(self, path: str, verb: str) -> Rule | None:
        try:
            return self.app.url_map.bind("localhost").match(path, method=verb, return_rule=True)[0]
        except HTTPException:
            return None


def _with_own(writes: list[Write]) -> list[Write]:
    """The same writes; each knows the fields of every form to its endpoint, as a short form and a long one may lead there."""
    own: dict[str, frozenset[str]] = {}
    for write in writes:
        own[write.endpoint] = own.get(write.endpoint, frozenset()) | write.own
    return [replace(write, own=own[write.endpoint]) for write in writes]
