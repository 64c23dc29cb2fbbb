"""Plans of treatment: written, sent to the letter, decided, accepted once, and planned on the chart."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from clinic import clock
from clinic.canonical import digest
from clinic.chart.kinds import Status
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import (
    Acceptance,
    AuditEvent,
    ChartEntry,
    Estimate,
    Notice,
    PlanDecision,
    PlanItem,
    PlanOption,
    PlanStatus,
)
from clinic.operations import plans
from clinic.operations.chart import change_entry
from clinic.operations.plans import OptionSaid
from clinic.operations.problems import note_problem
from clinic.queries.chart import mouth_of, stroke_of
from clinic.queries.plans import (
    decidable_plan_for,
    plan_for,
    plans_of,
    signature_for,
    standing_of,
    turns_of,
    waiting_ids,
    waiting_plans,
)
from tests.charting import chart_line
from tests.filed import PDF, png
from tests.gated import setting
from tests.planned import (
    KEEP,
    SIGNATURE,
    TAKE,
    accepted,
    approved,
    estimate_of,
    item_said,
    items_of,
    options_of,
    plan_of,
    sent,
)
from tests.scene import second_supervisor


def acts():
    found = select(AuditEvent.act).where(AuditEvent.act.startswith("plan.")).order_by(AuditEvent.id)
    return list(db.session.scalars(found))


@pytest.fixture
def draft(world, session):
    return plan_of(world)


def planned(world, name="fernando"):
    """Kind, teeth and status of what the chart holds."""
    return [(each.kind, " ".join(each.keys), str(each.status)) for each in mouth_of(world.patients[name]).entries]


class TestWriting:
    def test_a_plan_has_options_with_items_as_the_chart_says_them_and_sums_nobody_types(self, world, draft):
        whole = plan_for(world.user("kamal"), draft.patient_id, draft.id)
        keep, take = whole.options
        assert [(each.letter, each.name) for each in whole.options] == [("A", KEEP[0]), ("B", TAKE[0])]
        assert [(each.kind, each.teeth, each.price) for each in keep.items] == [
            ("root_canal", "46", 20_000),
            ("crown", "46", 45_000),
        ]
        assert keep.items[1].after_id == keep.items[0].id
        assert (whole.number, whole.currency, whole.status) == (1, "EUR", PlanStatus.DRAFT)
        assert not db.session.scalar(select(func.count()).select_from(ChartEntry))  # nothing of it is on the chart

    def test_a_line_of_several_entries_is_an_item_each(self, world, draft):
        rows = plans.add_items(
            options_of(draft)[0].id, item=item_said("16,26 o composite; 36 mo composite"), actor=world.user("kamal")
        )
        assert [(each.teeth, each.surfaces, each.price) for each in rows] == [
            ("16", "O", 8_000),
            ("26", "O", 8_000),
            ("36", "MO", 8_000),
        ]

    @pytest.mark.parametrize(("said", "sentence"), [
        ({"line": ""}, "Write what is to be done"),
        ({"line": "36 nonsense"}, "“nonsense”"),
        ({"line": "36 mo car4"}, "is found, not done"),
        ({"line": "36 o composite done"}, "A plan holds what is to come"),
        ({"price": -1}, "A price is between"),
        ({"price": 10**12}, "A price is between"),
        ({"minutes": 2001}, "at most 2,000 minutes"),
        ({"visits": 31}, "30 visits"),
        ({"phase": 9}, "Choose the phase"),
        ({"after_id": 10**9}, "not in this option any more"),
        ({"problem_id": 10**9}, "not there any more"),
    ])  # fmt: skip
    def test_what_cannot_be_an_item_is_refused_and_leaves_nothing(self, world, draft, said, sentence):
        option = options_of(draft)[1]
        with pytest.raises(DomainError, match=sentence), db.session.begin_nested():
            plans.add_items(option.id, item=item_said(**said), actor=world.user("kamal"))
        assert len(items_of(option)) == 1

    def test_the_rules_of_the_chart_hold_for_what_is_planned(self, world, session):
        chart_line(world.patient("fernando"), "46 missing", actor=world.user("kamal"), reason="Said so")
        with pytest.raises(DomainError, match="46"):
            plan_of(world)

    def test_items_never_wait_for_each_other(self, world, draft):
        first, second = items_of(options_of(draft)[0])
        with pytest.raises(DomainError, match="would wait for each other"):
            plans.change_item(
                first.id, version=first.version, item=item_said("", after_id=second.id), actor=world.user("kamal")
            )
        with pytest.raises(DomainError, match="not in this option"):
            plans.change_item(
                first.id, version=first.version, item=item_said("", after_id=first.id), actor=world.user("kamal")
            )

    def test_an_item_is_changed_and_taken_out_and_what_came_after_it_moves_up(self, world, draft):
        option, kamal = options_of(draft)[0], world.user("kamal")
        first, second = items_of(option)
        [third] = plans.add_items(option.id, item=item_said("47 o composite", after_id=second.id), actor=kamal)
        plans.change_item(
            second.id, version=second.version, item=item_said("", price=1, after_id=first.id), actor=kamal
        )
        assert (second.kind, second.price) == ("crown", 1)  # nothing typed leaves what is done
        plans.change_item(
            second.id, version=second.version, item=item_said("46 mo onlay", after_id=first.id), actor=kamal
        )
        assert second.kind == "onlay"
        plans.remove_item(second.id, version=second.version, actor=kamal)
        assert [each.id for each in items_of(option)] == [first.id, third.id]
        assert third.after_id == first.id
        plans.remove_option(option.id, version=draft.version, actor=kamal)
        assert [each.letter for each in options_of(draft)] == ["B"]
        assert plans.add_option(draft.id, option=OptionSaid("New"), actor=kamal).letter == "A"

    def test_the_slower_of_two_is_told_both_texts(self, world, draft):
        option, kamal, silva = options_of(draft)[0], world.user("kamal"), world.user("silva")
        seen = option.version
        plans.change_option(option.id, version=seen, option=OptionSaid("Hers", "a", "b"), actor=silva)
        with pytest.raises(Conflict, match="Dr Sunil Silva changed option A meanwhile") as refusal:
            plans.change_option(option.id, version=seen, option=OptionSaid("Mine", "c", "d"), actor=kamal)
        assert (refusal.value.theirs["name"], refusal.value.mine["name"]) == ("Hers", "Mine")
        item = items_of(option)[0]
        seen = item.version
        plans.change_item(item.id, version=seen, item=item_said("", price=1), actor=silva)
        with pytest.raises(Conflict) as refusal:
            plans.change_item(item.id, version=seen, item=item_said("", price=2), actor=kamal)
        assert (refusal.value.theirs["price"], refusal.value.mine["price"]) == ("EUR\u00a00.01", "EUR\u00a00.02")
        with pytest.raises(Conflict):
            plans.remove_item(item.id, version=seen, actor=kamal)

    def test_an_option_is_not_taken_out_with_items_that_nobody_saw_and_the_trail_keeps_what_went(self, world, draft):
        option, kamal = options_of(draft)[1], world.user("kamal")
        seen = draft.version
        plans.add_items(option.id, item=item_said("47 o composite"), actor=world.user("silva"))
        with pytest.raises(Conflict, match="Dr Sunil Silva is writing on this plan.*then take option B out"):
            plans.remove_option(option.id, version=seen, actor=kamal)
        assert len(items_of(option)) == 2
        plans.remove_option(option.id, version=draft.version, actor=kamal)
        told = db.session.scalars(select(AuditEvent.before).where(AuditEvent.act == "plan.remove_option")).one()
        assert [(each["what"], each["price"]) for each in json.loads(told)["items"]] == [
            ("46: extraction", "EUR\u00a050.00"),
            ("47, occlusal: composite filling", "EUR\u00a080.00"),
        ]

    def test_five_options_at_most(self, world, draft):
        for _ in range(3):
            plans.add_option(draft.id, option=OptionSaid("More"), actor=world.user("kamal"))
        with pytest.raises(DomainError, match="at most 5"):
            plans.add_option(draft.id, option=OptionSaid("More"), actor=world.user("kamal"))

    @pytest.mark.parametrize("name", ["omar", "sato", "ruwan", "nimal", "adel"])
    def test_who_is_not_given_the_patient_or_is_no_clinician_writes_and_sees_nothing(self, world, draft, name):
        other = world.user(name)
        with pytest.raises(NotAllowed):
            plans.begin_plan(world.patient("fernando"), name="Mine", actor=other)
        with pytest.raises(NotAllowed):
            plans.add_option(draft.id, option=OptionSaid("Mine"), actor=other)
        with pytest.raises(NotAllowed):
            plans.send_plan(draft.id, version=draft.version, actor=other)
        if name not in ("ruwan", "nimal"):
            assert plan_for(other, draft.patient_id, draft.id) is None
            assert plans_of(other, draft.patient_id).rows == []

    def test_of_an_archived_patient_nothing_is_planned(self, world, session, draft):
        world.patient("fernando").archived_at = clock.now()
        session.flush()
        with pytest.raises(DomainError, match="is archived"):
            plans.send_plan(draft.id, version=draft.version, actor=world.user("kamal"))


class TestSending:
    def test_what_is_sent_is_kept_to_the_letter_with_its_sums(self, world, session):
        kamal = world.user("kamal")
        problem = note_problem(world.patient("fernando"), diagnosis=None, said="Pulpitis", teeth=("46",), actor=kamal)
        draft = plan_of(world)
        item = items_of(options_of(draft)[0])[0]
        plans.change_item(
            item.id,
            version=item.version,
            item=item_said("", price=20_000, minutes=180, visits=3, phase=2, problem_id=problem.id),
            actor=kamal,
        )
        plans.send_plan(draft.id, version=draft.version, actor=kamal)
        estimate = estimate_of(draft)
        assert digest(estimate.shown) == estimate.sha256
        assert json.dumps(json.loads(estimate.shown), sort_keys=True, separators=(",", ":")) == estimate.shown
        about, (keep, take) = estimate.sent.about, estimate.sent.options
        assert (about["code"], about["version"], about["currency"]) == (f"E-{clock.today().year}-00001", 1, "EUR")
        assert vars(keep.sums) == {"price": 65_000, "minutes": 270, "visits": 5}
        assert vars(take.sums) == {"price": 5_000, "minutes": 45, "visits": 1}
        assert keep.items[0].problem == "Pulpitis"
        assert about["writers"] == [kamal.id]
        assert estimate.valid_until == clock.today() + timedelta(days=90)
        assert acts()[-1] == "plan.send"

    def test_numbers_of_estimates_have_no_gaps(self, world, session):
        codes = [estimate_of(sent(world, name=name)).code for name in ("One", "Two", "Three")]
        assert [code[-5:] for code in codes] == ["00001", "00002", "00003"]

    def test_the_patient_has_a_choice(self, world, session):
        kamal = world.user("kamal")
        with pytest.raises(DomainError, match="chooses between options"):
            sent(world, options=(KEEP,))
        empty = plan_of(world, options=(("Leave it", ()), ("Wait", ())))
        with pytest.raises(DomainError, match="Nothing would be done"):
            plans.send_plan(empty.id, version=empty.version, actor=kamal)
        sent(world, options=(KEEP, ("Leave it as it is", ())))

    def test_only_what_was_seen_is_sent_and_then_nobody_writes_on_it(self, world, draft):
        kamal, seen = world.user("kamal"), draft.version
        plans.add_items(options_of(draft)[0].id, item=item_said(), actor=world.user("silva"))
        with pytest.raises(Conflict, match="Dr Sunil Silva is writing on this plan"):
            plans.send_plan(draft.id, version=seen, actor=kamal)
        plans.send_plan(draft.id, version=draft.version, actor=kamal)
        with pytest.raises(Conflict, match="Kamal Dias sent this plan"):
            plans.add_items(options_of(draft)[0].id, item=item_said(), actor=kamal)
        with pytest.raises(Conflict):
            plans.send_plan(draft.id, version=draft.version, actor=kamal)

    def test_a_plan_keeps_the_currency_in_which_it_was_begun(self, world, session):
        setting("currency", "LKR")
        plan = plan_of(world)
        setting("currency", "JPY")
        assert estimate_of(_send(world, plan)).sent.about["currency"] == "LKR"


def _send(world, plan):
    plans.send_plan(plan.id, version=plan.version, actor=world.user("kamal"))
    return plan


class TestDeciding:
    def test_a_supervisor_approves_some_of_the_options(self, world, session):
        plan = sent(world)
        silva = world.user("silva")
        assert [each.id for each in waiting_plans(silva)] == [plan.id]
        first = options_of(plan)[0]
        plans.approve_plan(plan.id, version=plan.version, options=[first.id], actor=silva)
        estimate = estimate_of(plan)
        assert (plan.status, estimate.decision) == (PlanStatus.APPROVED, PlanDecision.APPROVED)
        assert estimate.approved_ids == {first.id}
        whole = plan_for(silva, plan.patient_id, plan.id)
        standing = standing_of(whole.estimates[-1])
        assert standing.word == "APPROVED"
        assert "Option A approved by Dr Sunil Silva" in standing.sentence
        assert waiting_plans(silva) == []
        assert db.session.scalars(select(Notice.sentence)).all()[-1].startswith("Dr Sunil Silva approved options A of")

    @pytest.mark.parametrize("options", [[], [10**9]])
    def test_what_is_no_option_is_not_approved(self, world, session, options):
        plan = sent(world)
        with pytest.raises(DomainError, match="Choose the options"):
            plans.approve_plan(plan.id, version=plan.version, options=options, actor=world.user("silva"))

    def test_returned_with_a_reason_it_is_changed_and_sent_anew(self, world, session):
        plan, kamal = sent(world), world.user("kamal")
        with pytest.raises(DomainError, match="Write why"):
            plans.return_plan(plan.id, version=plan.version, reason=" ", actor=world.user("silva"))
        plans.return_plan(plan.id, version=plan.version, reason="What of a bridge?", actor=world.user("silva"))
        assert plan.status is PlanStatus.RETURNED
        plans.add_option(plan.id, option=OptionSaid("Bridge"), actor=kamal)
        plans.send_plan(plan.id, version=plan.version, actor=kamal)
        assert [each.decision for each in db.session.scalars(select(Estimate).order_by(Estimate.id))] == [
            "returned",
            None,
        ]

    def test_changed_after_approval_it_is_a_new_version_and_goes_back(self, world, session):
        plan, kamal = approved(world), world.user("kamal")
        former = estimate_of(plan)
        before = former.shown
        plans.reopen_plan(plan.id, version=plan.version, actor=kamal)
        whole = plan_for(kamal, plan.patient_id, plan.id)
        assert standing_of(whole.estimates[0]).word == "NOT VALID ANY MORE"
        with pytest.raises(Conflict):
            accepted(world, plan=plan)
        plans.add_items(options_of(plan)[0].id, item=item_said(), actor=kamal)
        _send(world, plan)
        assert (estimate_of(plan).number, former.shown) == (2, before)
        assert [each.id for each in waiting_plans(world.user("silva"))] == [plan.id]

    def test_only_the_sender_takes_back_what_waits(self, world, session):
        plan = sent(world)
        with pytest.raises(NotAllowed, match="Only whoever sent"):
            plans.reopen_plan(plan.id, version=plan.version, actor=world.user("silva"))
        plans.reopen_plan(plan.id, version=plan.version, actor=world.user("kamal"))
        assert estimate_of(plan).decision is PlanDecision.WITHDRAWN
        with pytest.raises(Conflict):
            plans.approve_plan(plan.id, version=plan.version, actor=world.user("silva"))

    def test_nobody_approves_what_they_wrote_or_sent(self, world, session):
        plan = plan_of(world)
        silva = world.user("silva")
        plans.add_items(options_of(plan)[1].id, item=item_said(), actor=silva)
        _send(world, plan)
        assert waiting_plans(silva) == []
        with pytest.raises(DomainError, match="You wrote or sent a part of this yourself"):
            plans.approve_plan(plan.id, version=plan.version, actor=silva)
        second_supervisor(world)
        plans.approve_plan(plan.id, version=plan.version, actor=world.user("prado"))

    @pytest.mark.parametrize("how", ["option", "item", "remove", "begin"])
    def test_what_one_wrote_stays_ones_own_when_others_write_over_it_or_take_it_out(self, world, session, how):
        kamal, silva = world.user("kamal"), world.user("silva")
        plan = plan_of(world, person="silva" if how == "begin" else "kamal")
        option = options_of(plan)[0]
        item = items_of(option)[0]
        if how == "begin":
            for each in options_of(plan):
                plans.remove_option(each.id, version=plan.version, actor=kamal)
            for words in ("One", "Other"):
                option = plans.add_option(plan.id, option=OptionSaid(words), actor=kamal)
                plans.add_items(option.id, item=item_said(), actor=kamal)
        elif how == "option":
            for name, actor in (("Hers", silva), ("His", kamal)):
                plans.change_option(option.id, version=option.version, option=OptionSaid(name), actor=actor)
        else:
            plans.change_item(item.id, version=item.version, item=item_said("", price=1), actor=silva)
            if how == "remove":
                plans.remove_item(item.id, version=item.version, actor=kamal)
            else:
                plans.change_item(item.id, version=item.version, item=item_said("", price=2), actor=kamal)
        _send(world, plan)
        assert estimate_of(plan).sent.about["writers"] == sorted([kamal.id, silva.id])
        assert waiting_plans(silva) == []
        assert list(db.session.scalars(waiting_ids(silva))) == []
        for act in (plans.approve_plan, plans.return_plan):
            with pytest.raises(DomainError, match="You wrote or sent a part of this yourself"):
                act(plan.id, version=plan.version, reason="Because", actor=silva)
        assert [each.id for each in waiting_plans(second_supervisor(world))] == [plan.id]

    def test_who_saves_what_stands_writes_nothing(self, world, session):
        plan, silva = plan_of(world), world.user("silva")
        option = options_of(plan)[0]
        item = items_of(option)[1]
        before = (plan.version, option.version, item.version, len(acts()))
        same = OptionSaid(option.name, option.advantages, option.risks)
        plans.change_option(option.id, version=option.version, option=same, actor=silva)
        amounts = {name: getattr(item, name) for name in ("price", "minutes", "visits", "phase", "after_id")}
        for line in ("", "46 crown pfm plan"):
            plans.change_item(item.id, version=item.version, item=item_said(line, **amounts), actor=silva)
        assert (plan.version, option.version, item.version, len(acts())) == before
        assert {option.written_by_id, item.written_by_id} == {world.people["kamal"]}
        plans.approve_plan(_send(world, plan).id, version=plan.version, actor=silva)

    @pytest.mark.parametrize("name", ["kamal", "leela", "omar", "sato", "ruwan", "nimal", "adel"])
    def test_nobody_else_decides(self, world, session, name):
        plan, other = sent(world), world.user(name)
        for act in (plans.approve_plan, plans.return_plan):
            with pytest.raises(NotAllowed):
                act(plan.id, version=plan.version, reason="Because", actor=other)
        assert decidable_plan_for(other, plan.id) is None
        assert waiting_plans(other) == []

    def test_a_stale_version_and_what_was_decided_are_refused(self, world, session):
        plan, silva = sent(world), world.user("silva")
        seen = plan.version
        with pytest.raises(Conflict):
            plans.approve_plan(plan.id, version=seen - 1, actor=silva)
        plans.approve_plan(plan.id, version=seen, actor=silva)
        with pytest.raises(Conflict, match="Dr Sunil Silva approved options"):
            plans.return_plan(plan.id, version=seen, reason="No", actor=silva)

    @pytest.mark.parametrize("what", [
        update(PlanItem).values(price=1),
        update(PlanOption).values(risks="None at all"),
        update(Estimate).values(shown=func.replace(Estimate.shown, "65000", "64000")),
    ], ids=["item", "option", "estimate"])  # fmt: skip
    def test_what_does_not_read_as_it_was_sent_is_neither_approved_nor_accepted(self, world, session, what):
        waits, ready = sent(world), approved(world, name="Other")
        seen = estimate_of(ready).sha256
        db.session.execute(what)
        session.expire_all()
        with pytest.raises(DomainError, match="does not read as it was sent"):
            plans.approve_plan(waits.id, version=waits.version, actor=world.user("silva"))
        told = {"signed_by": "N", "signature": "", "on_paper": True, "actor": world.user("kamal")}
        with pytest.raises(DomainError, match="does not read as it was sent"):
            plans.accept_plan(ready.id, seen=seen, option_id=options_of(ready)[0].id, **told)


class TestAccepting:
    def test_accepted_its_items_are_planned_on_the_chart_in_one_stroke_and_no_others(self, world, session):
        plan = accepted(world)
        assert plan.status is PlanStatus.ACCEPTED
        assert planned(world) == [("root_canal", "46", "planned"), ("crown", "46", "planned")]
        assert stroke_of(plan.patient_id) == 1
        keep, take = options_of(plan)
        assert [each.entry_id for each in items_of(keep)] == [each.thread for each in mouth_of(plan.patient_id).entries]
        assert [each.entry_id for each in items_of(take)] == [None]
        row = db.session.execute(select(Acceptance)).scalar_one()
        assert (row.signed_by, row.on_paper, row.witnessed_by_id) == ("Nimali Fernando", False, world.people["kamal"])
        assert signature_for(world.user("silva"), plan.patient_id, plan.id) == png(9, 4)
        assert signature_for(world.user("omar"), plan.patient_id, plan.id) is None
        assert len(row.sha256) == len(row.image_sha256) == 64
        whole = plan_for(world.user("kamal"), plan.patient_id, plan.id)
        standing = standing_of(whole.estimates[-1])
        assert standing.word == "ACCEPTED"
        assert "Option A accepted: signed by Nimali Fernando on the tablet, before Kamal Dias" in standing.sentence

    def test_once(self, world, session):
        plan = accepted(world)
        with pytest.raises(Conflict, match="Kamal Dias witnessed"):
            accepted(world, plan=plan, letter="B")
        for act in (plans.reopen_plan, plans.send_plan):
            with pytest.raises(Conflict):
                act(plan.id, version=plan.version, actor=world.user("kamal"))

    @pytest.mark.parametrize(("told", "sentence"), [
        ({"signature": ""}, "Sign in the field, or say"),
        ({"signature": "data:image/png;base64,!!"}, "did not arrive as a picture"),
        ({"signature": "https://evil.test/a.png"}, "did not arrive as a picture"),
        ({"signature": "data:image/png;base64,aGVsbG8="}, "no picture that can be kept"),
        ({"signature": PDF}, "no picture that can be kept"),
        ({"signature": png(9, 4) + b"<script>" * 40}, "no picture that can be kept"),
        ({"signature": png(9, 4) + b"x" * 70_000}, "too large"),
        ({"signed_by": " "}, "Write who signs"),
        ({"option_id": 10**9}, "Choose one of the options"),
        ({"seen": "0" * 64}, "was changed since this page was opened"),
    ], ids=str)  # fmt: skip
    def test_what_is_no_acceptance_is_refused_and_leaves_nothing(self, world, session, told, sentence):
        import base64

        plan = approved(world)
        usual = {
            "seen": estimate_of(plan).sha256,
            "option_id": options_of(plan)[0].id,
            "signed_by": "N F",
            "signature": SIGNATURE,
        }
        if isinstance(told.get("signature"), bytes):
            told = {"signature": "data:image/png;base64," + base64.b64encode(told["signature"]).decode()}
        with pytest.raises(DomainError, match=sentence), db.session.begin_nested():
            plans.accept_plan(plan.id, **(usual | told), on_paper=False, actor=world.user("kamal"))
        assert planned(world) == []
        assert db.session.scalar(select(func.count()).select_from(Acceptance)) == 0

    def test_only_an_approved_option_in_time(self, world, session):
        plan = approved(world, letters="A")
        with pytest.raises(DomainError, match="Choose one of the options"):
            accepted(world, letter="B", plan=plan)
        with clock.frozen(clock.now() + timedelta(days=91)), pytest.raises(DomainError, match="was valid until"):
            accepted(world, plan=plan)

    def test_signed_on_paper_no_picture_is_kept(self, world, session):
        plan = approved(world)
        plans.accept_plan(
            plan.id, seen=estimate_of(plan).sha256, option_id=options_of(plan)[1].id, signed_by="N F",
            signature=SIGNATURE, on_paper=True, actor=world.user("silva"),
        )  # fmt: skip
        row = db.session.execute(select(Acceptance)).scalar_one()
        assert (row.on_paper, row.image, row.image_sha256) == (True, None, "")

    def test_an_option_without_items_writes_nothing_on_the_chart(self, world, session):
        accepted(world, letter="B", options=(KEEP, ("Leave it as it is", ())))
        assert planned(world) == []

    def test_what_is_planned_on_the_chart_already_is_not_planned_twice(self, world, session):
        kamal = world.user("kamal")
        chart_line(world.patient("fernando"), "46 rct plan; 46 crown pfm opt", actor=kamal, reason="Charted before")
        plan = accepted(world)
        assert planned(world) == [("root_canal", "46", "planned"), ("crown", "46", "planned")]
        threads = [each.thread for each in mouth_of(plan.patient_id).entries]
        assert [each.entry_id for each in items_of(options_of(plan)[0])] == threads

    def test_what_the_mouth_no_longer_allows_is_not_accepted(self, world, session):
        plan = approved(world)
        chart_line(world.patient("fernando"), "46 missing", actor=world.user("kamal"), reason="Fell out")
        with pytest.raises(DomainError, match="The mouth has changed since this was planned"):
            accepted(world, plan=plan)

    def test_a_later_plan_supersedes_it_and_what_was_begun_stays(self, world, session):
        first = accepted(world, options=(("Both", (("36 o composite", 1, 1, 1, 3), ("46 rct", 1, 1, 1, 3))), TAKE))
        began = next(each for each in mouth_of(first.patient_id).entries if each.kind == "restoration")
        from clinic.operations.visits import check_in

        check_in(world.visit("fernando"), actor=world.user("ruwan"))
        change_entry(
            world.patient("fernando"), entry_id=began.id, seen=stroke_of(first.patient_id),
            status=Status.IN_PROCESS, actor=world.user("kamal"),
        )  # fmt: skip
        second = accepted(world, name="Later", letter="B")
        assert (first.status, second.status) == (PlanStatus.SUPERSEDED, PlanStatus.ACCEPTED)
        assert sorted(planned(world)) == [
            ("extraction", "46", "planned"),
            ("restoration", "36", "in_process"),
            ("root_canal", "46", "option"),
        ]
        assert db.session.scalar(select(func.count()).select_from(Acceptance)) == 2

    def test_visits_in_order_say_what_is_done_and_what_is_next(self, world, session):
        plan = accepted(world)
        whole = plan_for(world.user("kamal"), plan.patient_id, plan.id)
        turns = turns_of(whole.options[0], mouth_of(plan.patient_id).entries)
        assert [(each.step.words, each.is_next) for each in turns] == [
            ("Visits 1 to 3", True),
            ("Visits 4 to 5", False),
        ]
        first = mouth_of(plan.patient_id).entries[0]
        from clinic.operations.visits import check_in

        check_in(world.visit("fernando"), actor=world.user("ruwan"))
        for status in (Status.IN_PROCESS, Status.COMPLETED):
            change_entry(
                world.patient("fernando"), entry_id=mouth_of(plan.patient_id).on("46", "root_canal")[0].id,
                seen=stroke_of(plan.patient_id), status=status, actor=world.user("kamal"), reason="Done",
            )  # fmt: skip
        turns = turns_of(whole.options[0], mouth_of(plan.patient_id).entries)
        assert [(each.is_done, each.is_next) for each in turns] == [(True, False), (False, True)]
        assert first.thread == turns[0].step.item.entry_id
