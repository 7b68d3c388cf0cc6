"""The coarse times of a resting issuer: all of them move in the same pass, wherever in its second that pass falls."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from oidc_publisher.api import OIDCIssuer
from oidc_publisher.findings import ConditionType, Finding, Reason
from oidc_publisher.reconcile.status.summary import Summary, summarise
from oidc_publisher.rotation import Ledger
from oidc_publisher.rotation.clock import coarse, coarse_phase, whole_second
from tests.support.builders import issuer_of

PHASE = coarse_phase(issuer_of().metadata.uid)
BOUNDARY = datetime(2026, 1, 1, 12, 5, tzinfo=UTC) + PHASE
PROVEN = [ConditionType.KEYS_READ, ConditionType.PUBLISHED, ConditionType.SERVED, ConditionType.TOKEN_ACCEPTED]


def passed(before: OIDCIssuer, ledger: Ledger, instant: datetime, *, took: timedelta) -> tuple[OIDCIssuer, Ledger]:
    """One more pass in which everything was good; its status is written a moment after everything was read."""
    ledger = replace(
        ledger, last_complete_pass_time=coarse(ledger.last_complete_pass_time, whole_second(instant), PHASE)
    )
    achieved = dict.fromkeys(PROVEN, "Good.")
    status = summarise(
        before, Summary(achieved=achieved, ledger=ledger, may_sign=True, instant=instant), instant + took
    )
    return before.model_copy(update={"status": status}), ledger


@pytest.mark.parametrize("offset_ms", range(-1100, 300, 100))
def test_a_period_that_begins_costs_one_change(offset_ms: int) -> None:
    """Ten passes around the beginning of a period, one of them at this distance from it."""
    found, ledger = passed(issuer_of(), Ledger(), BOUNDARY - timedelta(minutes=4), took=timedelta(0))
    changes = []
    for number in range(-5, 5):
        instant = BOUNDARY + timedelta(seconds=10 * number, milliseconds=offset_ms)
        before = found.status
        found, ledger = passed(found, ledger, instant, took=timedelta(milliseconds=90))
        if found.status != before:
            changes.append(found.status)
    assert len(changes) == 1
    (changed,) = changes
    proven, ledgers = changed.last_proven_time, changed.ledger and changed.ledger.last_complete_pass_time
    assert proven
    assert ledgers
    assert proven <= ledgers <= proven + timedelta(seconds=1)
    assert ledgers >= BOUNDARY


def test_what_is_proven_anew_has_its_own_time() -> None:
    """Not the beginning of the period, nor the last proof before it broke; rounded down, for it must not lie ahead."""
    found, ledger = passed(issuer_of(), Ledger(), BOUNDARY + timedelta(seconds=1, milliseconds=700), took=timedelta(0))
    assert found.status.last_proven_time == BOUNDARY + timedelta(seconds=1)
    denied = Finding.of(Reason.AccessDenied, "denied")
    broken = summarise(found, Summary(findings=(denied,), ledger=ledger), BOUNDARY + timedelta(seconds=11))
    assert broken.last_proven_time == found.status.last_proven_time
    again, _ = passed(
        found.model_copy(update={"status": broken}), ledger, BOUNDARY + timedelta(seconds=21), took=timedelta(0)
    )
    assert again.status.last_proven_time == BOUNDARY + timedelta(seconds=21)
