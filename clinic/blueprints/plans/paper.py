"""An estimate on paper: its own words, which nothing changes, and how it stands with supervisor and patient, which does."""

from datetime import date, datetime
from typing import Any

from flask import render_template

from clinic.formatting import short_day, when, words
from clinic.models import Estimate
from clinic.money import money
from clinic.operations.plans import as_sent
from clinic.plans.estimate import Item, Option, Sent, said
from clinic.plans.order import PHASES
from clinic.prints import Print
from clinic.queries.plans import standing_of

EDITION = 1  # raised when no print that was kept before may be given out again


def print_of(estimate: Estimate) -> Print:
    """The print of an estimate with plan, acceptance and people. Raises DomainError when it does not read as it was sent."""
    sent, standing = as_sent(estimate), standing_of(estimate)
    approved = estimate.approved_ids
    about = sent.about
    paper = {
        "title": f"Estimate {about['code']}",
        "plan": f"Plan {about['plan']}, version {about['version']}: {about['name']}",
        "clinic": about["clinic"],
        "patient": about["patient"]["name"],
        "code": about["patient"]["code"],
        "born": short_day(date.fromisoformat(about["patient"]["birth_date"])),
        "sex": words(about["patient"]["sex"]),
        "sent": f"{about['sent_by']}, {when(datetime.fromisoformat(about['sent_at']))}",
        "valid_until": short_day(date.fromisoformat(about["valid_until"])),
        "stamp": standing.word,
        "standing": standing.sentence,
        "is_good": standing.is_good,
        "options": [_told(each, sent, is_approved=each.id in approved) for each in sent.options],
        "sha256": estimate.sha256,
    }
    return Print(
        made_of={"edition": EDITION, "estimate": paper},
        at=estimate.sent_at,
        html=lambda: render_template("plans/print.html", paper=paper),
    )


def _told(option: Option, sent: Sent, *, is_approved: bool) -> dict[str, Any]:
    sums, currency = option.sums, sent.about["currency"]
    return {
        "letter": option.letter,
        "name": option.name,
        "advantages": option.advantages,
        "risks": option.risks,
        "is_approved": is_approved,
        "items": [_item(step.item, step.words, sent) for step in option.steps],
        "price": money(sums.price, currency),
        "minutes": sums.minutes,
        "visits": sums.visits,
    }


def _item(item: Item, visits: str, sent: Sent) -> dict[str, str]:
    return {
        "what": said(item.entry, sent.kinds),
        "problem": item.problem,
        "phase": PHASES[item.phase],
        "visits": visits,
        "minutes": str(item.minutes),
        "price": money(item.price, sent.about["currency"]),
    }
