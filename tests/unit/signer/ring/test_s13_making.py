"""When a new version is made (S13), and what keeps it from being made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from oidc_publisher.findings import Reason
from oidc_publisher.signer.ring import IssuerView, KeyView, Make, Ring, RingIntent, Tombstone, choose
from tests.support.rings import HOUR, NOW, issuer, key_id, ring_key, ring_of, sight

RING = ring_of(ring_key(1, signed=NOW))
SAFE = issuer(1, signing=(1,))
ASKED = RingIntent(newest_version=2)
PERIOD = RingIntent(rotation_period=HOUR)


def made(ring: Ring, *issuers: IssuerView, intent: RingIntent | None, **members: Any) -> Make | None:
    """What a signer asks for."""
    return choose(ring, sight(*issuers, signs=1, intent=intent, **members)).make


def test_a_version_that_is_asked_for_is_made_once() -> None:
    """`newestVersion` says that a version exists, so that asking again asks for nothing."""
    assert made(RING, SAFE, intent=ASKED) == Make(2, "RS256")
    assert made(ring_of(ring_key(2), *RING.keys), SAFE, intent=ASKED) is None
    assert made(ring_of(*RING.keys, gone=(Tombstone(2, key_id(2)),)), SAFE, intent=ASKED) is None


def test_the_kind_of_the_key_is_the_specs() -> None:
    """Two nodes with flags of their own would alternate."""
    assert made(RING, SAFE, intent=replace(ASKED, algorithm="ES256")) == Make(2, "ES256")


def test_the_period_counts_from_the_newest_that_can_sign() -> None:
    """The greatest number may be an older version that a conflict renumbered, or one that lost its private half."""
    assert made(RING, SAFE, intent=PERIOD) == Make(2, "RS256")
    young = replace(ring_key(1, signed=NOW), created_time=NOW - timedelta(minutes=59))
    assert made(ring_of(young), SAFE, intent=PERIOD) is None
    lost = replace(ring_key(2), private=None, created_time=NOW)
    assert made(ring_of(lost, *RING.keys), SAFE, intent=PERIOD) == Make(3, "RS256")


def test_the_jitter_delays_and_never_hurries() -> None:
    """At most a tenth of the period."""
    assert made(RING, SAFE, intent=PERIOD, jitter=1.0) is None
    assert made(RING, SAFE, intent=PERIOD, jitter=1.0, now=NOW + timedelta(minutes=6)) == Make(2, "RS256")


@pytest.mark.parametrize("intent", [None, replace(ASKED, suspend=True), RingIntent()])
def test_nothing_is_made_unasked(intent: RingIntent | None) -> None:
    """Nor while the ring is suspended, nor while nobody can read what is asked for."""
    assert made(RING, SAFE, intent=intent, now=NOW + 1000 * HOUR) is None


def test_a_typing_error_rotates_nothing_and_is_reported() -> None:
    """More than one above what there ever was."""
    choice = choose(RING, sight(SAFE, signs=1, intent=RingIntent(newest_version=3)))
    assert choice.make is None
    assert [finding.reason for finding in choice.findings] == [Reason.ManagedRotationBlocked]
    assert "newestVersion asks for 3, and the newest version there ever was is 1" in choice.findings[0].message


@pytest.mark.parametrize(
    ("ring", "issuers", "blocked"),
    [
        (ring_of(ring_key(2), *RING.keys), (SAFE,), "version 2: OIDCIssuer prod has not seen it yet"),
        (RING, (SAFE, issuer(name="dev", trouble="is not Ready (AccessBlocked)")), "OIDCIssuer dev is not Ready"),
        (RING, (), "no OIDCIssuer reads the keys"),
        (ring_of(*(ring_key(n, signed=NOW) for n in range(1, 9))), (issuer(*range(1, 9)),), "8 versions are listed"),
        (ring_of(replace(ring_key(1, signed=NOW), private=None)), (SAFE,), "no version can sign"),
    ],
)
def test_a_rotation_waits(ring: Ring, issuers: tuple[IssuerView, ...], blocked: str) -> None:
    """While the newest has not signed, while nobody can judge, and while there are too many."""
    choice = choose(ring, sight(*issuers, signs=1, intent=RingIntent(newest_version=ring.highest + 1)))
    assert choice.make is None
    assert blocked in choice.waiting_for


def test_versions_that_only_verify_are_not_counted() -> None:
    """Imported keys of years ago stay for good, and block nothing."""
    verifying = (ring_key(n, signed=NOW, verify_only=NOW) for n in range(1, 9))
    assert made(ring_of(ring_key(9, signed=NOW), *verifying), issuer(9, signing=(9,)), intent=PERIOD) is not None


def test_a_key_that_only_another_disk_may_know_stops_the_rotation() -> None:
    """RingBehind: the ring was restored from before that key was made, and its number may be taken."""
    seen = sight(issuer(1, 7, signing=(7,)), signs=1, intent=ASKED)
    choice = choose(RING, seen)
    assert choice.make is None
    assert [finding.reason for finding in choice.findings] == [Reason.RingBehind]
    assert key_id(7) in choice.findings[0].message


def test_keys_of_other_sources_and_of_the_past_stop_nothing() -> None:
    """A ConfigMap's keys are nobody's versions, and a version that is gone is known."""
    foreign = KeyView(key_id(7), safe=True, sources=frozenset({"openshift"}))
    with_foreign = replace(SAFE, keys=(*SAFE.keys, foreign))
    assert made(RING, with_foreign, intent=ASKED) is not None
    gone = ring_of(*RING.keys, gone=(Tombstone(0, key_id(7)),))
    assert made(gone, issuer(1, 7), intent=ASKED) is not None
