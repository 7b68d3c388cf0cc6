"""The status that is saved before a write: the plan's word, whole, beside what the other steps said last."""

from __future__ import annotations

from datetime import UTC, datetime

from oidc_publisher.api import OIDCIssuerStatus, StatusFinding
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.status.summary import with_plan
from oidc_publisher.rotation import Advance, Ledger
from tests.support.builders import issuer_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = datetime(2025, 12, 31, tzinfo=UTC)


def plan(*findings: Finding, may_sign: bool) -> Advance:
    """A plan that found this."""
    return Advance(Ledger(), (), None, findings, (), may_sign=may_sign)


def test_a_ledger_is_never_saved_without_the_warnings_that_belong_to_it() -> None:
    """Who sees the time from which a key is safe sees in the same status that it signs too early."""
    early = Finding.of(Reason.SignedBeforeSafe, "Key k2 signed before it was safe", subject="k2")
    saved = with_plan(OIDCIssuerStatus(), issuer_of(), plan(early, may_sign=False), NOW)
    assert [(f.reason, f.subject, f.since_time) for f in saved.findings] == [("SignedBeforeSafe", "k2", NOW)]
    assert [(c.type, c.status, c.reason) for c in saved.conditions] == [("SafeToSign", "False", "SignedBeforeSafe")]


def test_what_other_steps_found_stays_and_what_the_plan_found_before_goes() -> None:
    """The probe has not looked again yet; the plan has."""
    known = OIDCIssuerStatus(
        findings=(
            StatusFinding(reason="SignedBeforeSafe", severity="Critical", subject="k1", message="-", since_time=BEFORE),
            StatusFinding(reason="HeadersWrong", severity="Warning", message="-", advice="+", since_time=BEFORE),
            StatusFinding(reason="CacheControlWrong", severity="Warning", message="Both.", since_time=BEFORE),
            StatusFinding(reason="OfALaterVersion", severity="Warning", message="-", since_time=BEFORE),
        )
    )
    saved = with_plan(known, issuer_of(), plan(may_sign=True), NOW)
    assert saved.findings == known.findings[1:3], "one of them a former version has written"
    assert [(c.type, c.status) for c in saved.conditions] == [("SafeToSign", "True")]
