"""Proving the trail while somebody waits; that it was proved, and what came of it, is an event too."""

from clinic import audit
from clinic.models import User
from clinic.operations import chain
from clinic.queries.audit import VERIFY


def verify_newest(*, actor: User) -> chain.Verdict:
    """Prove the newest events of the chain, at most `chain.AT_ONCE`: some seconds. `flask verify-audit` proves all of them."""
    verdict = chain.verify(newest=chain.AT_ONCE)
    outcome = {"whole": verdict.is_good, "first": verdict.first, "last": verdict.last}
    bad = {"bad event": verdict.found.event, "fault": verdict.found.fault} if verdict.found else {}
    audit.record(VERIFY, f"Verified the trail: {verdict.sentence}", actor=actor, after=outcome | bad)
    return verdict
