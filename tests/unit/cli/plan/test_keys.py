"""What becomes of each key, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oidc_publisher.cli.plan.keys import key_changes
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import Advance, Endpoint, Ledger, LedgerKey, Origin, Policy

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
POLICY = Policy(24 * HOUR, 24 * HOUR, 5 * MINUTE, 5 * MINUTE)
KEY = PublicKey("k1", "RS256", b"k1")
ENTRY = LedgerKey(
    KEY, 7, first_seen_time=NOW, token_lifetime=24 * HOUR, stale_age=5 * MINUTE, origins=(Origin("cluster"),)
)
UNUSED: dict[str, Any] = {"origins": (), "unused_since_time": NOW - 3 * HOUR, "retire_time": NOW + 21 * HOUR}
LEAVES_NEXT = "it leaves with the write after this one, for a write that adds a key removes none"


def advance_of(entry: LedgerKey, *, published: bool, signer: str = "") -> Advance:
    endpoints = (Endpoint("10.0.0.1:6443", signer),) if signer else ()
    ledger = Ledger(keys=(entry,), endpoints=endpoints)
    publish = (entry.key,) if published else ()
    return Advance(ledger, publish, None, findings=(), events=(), may_sign=None)


def told(*, published: bool, stored: bool, signer: str = "", policy: Policy = POLICY, **fields: Any) -> tuple[str, str]:
    plan = advance_of(replace(ENTRY, **fields), published=published, signer=signer)
    (change,) = key_changes(plan, (KEY,) if stored else (), policy, NOW)
    return change.change, change.sentence


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "listed by cluster; safe to sign with 24h10m after the public URL shows it"),
        ({"stale_age": HOUR}, "listed by cluster; safe to sign with 25h5m after the public URL shows it"),
        ({"founding": True}, "listed by cluster; safe to sign with as soon as the public URL shows it"),
        (
            {"baseline": True, "signer": "k1"},
            "listed by cluster; an API server signs with it; safe to sign with as soon as the public URL shows it",
        ),
        (
            {"origins": (Origin("cm", "a.pub"), Origin("cm", "b.pub"), Origin("cm", "a.pub"))},
            "listed by cm:a.pub, cm:b.pub; safe to sign with 24h10m after the public URL shows it",
        ),
    ],
)
def test_a_key_that_enters_has_its_wait(fields: dict[str, Any], sentence: str) -> None:
    """R3: prePublishPeriod, stale age and clock skew; none for the first document and for the baseline."""
    assert told(published=True, stored=False, **fields) == ("enters", sentence)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"safe_to_sign_time": NOW - 3 * HOUR, "safe_since_time": NOW - 3 * HOUR},
            "listed by cluster; safe to sign with since 2026-02-01T09:00:00Z (3h ago)",
        ),
        (
            {"safe_to_sign_time": NOW + 3 * HOUR},
            "listed by cluster; safe to sign with from 2026-02-01T15:00:00Z (in 3h)",
        ),
        (
            {"safe_to_sign_time": NOW - MINUTE},
            "listed by cluster; safe to sign with as soon as the public URL shows it",
        ),
        (
            UNUSED,
            "nothing uses it since 2026-02-01T09:00:00Z (3h ago); may leave at 2026-02-02T09:00:00Z (in 21h)",
        ),
        (
            UNUSED | {"leaving": True},
            f"nothing uses it since 2026-02-01T09:00:00Z (3h ago); {LEAVES_NEXT}",
        ),
    ],
)
def test_a_key_that_stays_has_its_times(fields: dict[str, Any], sentence: str) -> None:
    """Safe since, safe from, may leave at."""
    assert told(published=True, stored=True, **fields) == ("stays", sentence)


def test_a_key_that_leaves_has_its_reason() -> None:
    """Its time has come, or it was withdrawn."""
    assert told(published=False, stored=True, **UNUSED, leaving=True)[1].endswith(
        "and every token signed with it has expired"
    )
    withdrawn = replace(POLICY, withdrawn_key_ids=frozenset({"k1"}))
    assert told(published=False, stored=True, policy=withdrawn) == (
        "leaves",
        "listed by cluster; is withdrawn (rotation.withdrawnKeyIDs)",
    )
    assert told(published=True, stored=True, policy=withdrawn)[1].startswith(
        "listed by cluster; is withdrawn (rotation.withdrawnKeyIDs), but it is the last key"
    )


def test_a_key_that_waits_for_room() -> None:
    """R11."""
    assert told(published=False, stored=False) == (
        "waits",
        "listed by cluster; waits until another key leaves: 100 of one type are published at most",
    )


def test_a_stored_key_that_nobody_knows_leaves() -> None:
    """Somebody else put it there (R9)."""
    evil = PublicKey("evil", "ES256", b"evil")
    changes = key_changes(advance_of(ENTRY, published=True), (KEY, evil), POLICY, NOW)
    assert [(c.key_id, c.change) for c in changes] == [("k1", "stays"), ("evil", "leaves")]
    assert changes[1].sentence == "nothing knows it: no source lists it and it is not in the ledger"
