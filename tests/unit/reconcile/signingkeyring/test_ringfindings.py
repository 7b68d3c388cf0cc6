"""What the ring's status says of versions and signers, and what is made of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oidc_publisher.api.managed import SigningKeyRing, read_ring
from oidc_publisher.findings import CATALOGUE, ConditionType, Finding, Reason, Severity
from oidc_publisher.reconcile.signingkeyring.ringfindings import SILENT, ring_findings, ring_versions

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
DAY, SKEW, SECOND = timedelta(days=1), timedelta(minutes=5), timedelta(seconds=1)


def ring(*signers: dict[str, Any], **status: Any) -> SigningKeyRing:
    """A ring with these signers."""
    return read_ring(
        {
            "apiVersion": "oidc-publisher.io/v1alpha1",
            "kind": "SigningKeyRing",
            "metadata": {"name": "default"},
            "status": {"signers": list(signers), **status},
        }
    )


def signer(node: str, *findings: str, seen: datetime | None = NOW, lifetime: str = "24h") -> dict[str, Any]:
    """The entry of a signer."""
    last = {"lastSeenTime": f"{seen:%Y-%m-%dT%H:%M:%SZ}"} if seen else {}
    return {"node": node, "findings": list(findings), "maxTokenLifetime": lifetime, **last}


def found(known: SigningKeyRing, *, now: datetime | None = NOW, policy: timedelta = DAY) -> tuple[Finding, ...]:
    return ring_findings(known, max_token_lifetime=policy, clock_skew=SKEW, now=now)


def test_signers_that_report_and_have_nothing_to_say_make_no_finding() -> None:
    """Neither does a ring that no signer has seen."""
    assert found(ring(signer("a"), signer("b", seen=NOW - SILENT))) == ()
    assert found(ring()) == ()


@pytest.mark.parametrize(
    "reason",
    [
        Reason.RingUnreadable,
        Reason.RingReplaced,
        Reason.RingBehind,
        Reason.VersionConflict,
        Reason.ManagedRotationBlocked,
    ],
)
def test_what_signers_report_is_one_warning_that_names_their_nodes(reason: Reason) -> None:
    """Also what is critical for the ring: the issuer's Ready is about what it publishes, and signers wait for it."""
    (finding,) = found(ring(signer("b", str(reason)), signer("c"), signer("a", str(reason))))
    assert (finding.reason, finding.severity) == (reason, Severity.WARNING)
    assert finding.message.startswith("The signer of a, b ")
    assert finding.condition is ConditionType.READY
    assert finding.advice == CATALOGUE[reason].hint


def test_what_a_rotation_waits_for_stands_with_what_blocks_it() -> None:
    """In the signers' own words, which are others' text."""
    why = "a new version: 8 versions are listed\x1b[31m"
    blocked, unreadable = found(ring(signer("a", "ManagedRotationBlocked", "RingUnreadable"), waitingFor=why))[::-1]
    assert blocked.message.startswith(
        "The signer of a makes no version that is asked for or due: 8 versions are listed"
    )
    assert "\x1b" not in blocked.message
    assert "8 versions" not in unreadable.message
    (other,) = found(ring(signer("a", "ManagedRotationBlocked"), waitingFor="version 12: prod has not seen it yet"))
    assert "version 12" not in other.message, "that version exists, and its own time comes"


def test_a_word_that_this_version_does_not_know_is_left_out() -> None:
    """A newer signer may have others."""
    assert found(ring(signer("a", "RingOnFire", "AccessDenied"))) == ()


def test_a_signer_that_has_not_reported_for_minutes_is_silent() -> None:
    """Its last report says when; the clocks may differ by the skew."""
    last = NOW - SILENT - SKEW - SECOND
    assert found(ring(signer("a", seen=last + SECOND))) == ()
    (finding,) = found(ring(signer("a", seen=last), signer("b"), signer("c", seen=None)))
    assert (finding.reason, finding.severity) == (Reason.SignerSilent, Severity.WARNING)
    assert finding.message == (
        "Nothing is heard of the signer of a (last at 2026-05-01T11:49:59Z), c (never reported)."
    )


def test_the_last_report_of_a_silent_signer_counts_no_more() -> None:
    """Nobody knows whether it still holds."""
    gone = signer("a", "RingUnreadable", seen=NOW - DAY, lifetime="99h")
    assert [finding.reason for finding in found(ring(gone))] == [Reason.SignerSilent]


def test_nobody_is_silent_by_a_clock_that_is_wrong() -> None:
    """The operator's own clock may be a day ahead."""
    assert found(ring(signer("a", seen=NOW - DAY)), now=None) == ()
    assert found(ring(signer("a", seen=NOW + DAY))) == ()


def test_a_signer_that_allows_longer_tokens_than_the_issuer_counts_on_is_named() -> None:
    """A key would leave while tokens of it live (S18)."""
    known = ring(signer("a", lifetime="24h"), signer("b", lifetime="48h"), signer("c", lifetime="30h"))
    (finding,) = found(known)
    assert (finding.reason, finding.severity) == (Reason.TokenOutlivesPolicy, Severity.WARNING)
    assert finding.message == ("The signer of b, c allows tokens of 48h, longer than rotation.maxTokenLifetime (24h).")
    assert "--max-token-lifetime of at most 24h" in finding.advice
    assert found(known, policy=2 * DAY) == ()


def test_many_nodes_are_counted() -> None:
    """People read the message."""
    (finding,) = found(ring(*(signer(f"n{n}", "RingUnreadable") for n in range(10, 30))))
    assert "n10, n11" in finding.message
    assert "and 12 more" in finding.message


def test_versions_are_whole_numbers_by_key_id() -> None:
    """What is no number names nothing, and neither does a version without a key ID."""
    claimed = ring(
        versions=[
            {"version": "11", "keyID": "k11"},
            {"version": "010", "keyID": "k10"},
            {"version": "nine", "keyID": "k9"},
            {"version": "8"},
            {"version": "7", "keyID": "k11"},
            {"version": "9" * 641, "keyID": "k1"},
        ]
    )
    assert ring_versions(claimed) == {"k11": 11, "k10": 10}
