"""R9 before our first write: what another owner's set gives to the ledger when it is taken over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import (
    Advance,
    ClockReading,
    Ledger,
    Listing,
    Mint,
    Mints,
    Pass,
    Policy,
    SourceReading,
    StoredReading,
    StoreState,
    TakeOver,
    WireReading,
    advance,
    begin_write,
)
from tests.support.builders import public_key

NEW, OLD, OLDER = (public_key(name) for name in ("new", "old", "older"))
NOW = datetime(2026, 1, 2, tzinfo=UTC)
WRITTEN = NOW - timedelta(hours=7)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
POLICY = Policy(24 * HOUR, 12 * HOUR, 5 * MINUTE, 5 * MINUTE)
API = "10.0.0.1:6443"


def look(
    stored: StoredReading,
    *,
    now: datetime = NOW,
    listed: tuple[PublicKey, ...] = (NEW,),
    minted: bool = True,
    wire: tuple[PublicKey, ...] = (),
) -> Pass:
    """A pass of a cluster that lists these keys and signs with NEW; `minted` False: its API server does not answer."""
    source = SourceReading("api", complete=minted, listings=tuple(Listing(key) for key in listed))
    mints = Mints((API,), (Mint(API, NEW.key_id, NEW.spki),) if minted else ())
    reads = WireReading((frozenset(wire),), 5 * MINUTE)
    clock = ClockReading(api_server=(timedelta(0),))
    return Pass((source,), mints, stored, reads, clock, POLICY, now)


def theirs(*keys: PublicKey, how: TakeOver = TakeOver.MERGE, **changes: Any) -> StoredReading:
    """Another owner's set of these keys, whose mark says 48 h and 10 min."""
    marked = StoredReading(
        StoreState.PRESENT,
        keys,
        "sha256:theirs",
        token_lifetime=48 * HOUR,
        stale_age=10 * MINUTE,
        last_modified=WRITTEN,
    )
    return replace(marked, take_over=how, **changes)


def ours(ledger: Ledger, *keys: PublicKey) -> StoredReading:
    """What our write of this ledger leaves."""
    return StoredReading(
        StoreState.PRESENT, keys, ledger.jwks_digest, ours=True, serial=ledger.serial, last_modified=NOW
    )


def adopted(stored: StoredReading, **how: Any) -> tuple[Advance, Ledger]:
    """The plan that takes over, and the ledger as it is saved before the write."""
    plan = advance(Ledger(), look(stored, **how))
    return plan, begin_write(plan.ledger, jwks_digest="sha256:ours", nonce="")


def test_foreign_keys_enter_as_old_as_their_object_and_unused() -> None:
    """Their publishedTime is the object's, their lifetimes the mark's where those are longer.

    Nobody knows since when the public URL leads to that object: they are served since this look (R2).
    """
    plan, _ = adopted(theirs(OLD, OLDER), wire=(OLD, OLDER))
    assert set(plan.publish) == {NEW, OLD, OLDER}
    entry = plan.ledger.get(OLD.key_id)
    assert entry is not None
    assert (entry.published_time, entry.served_since_time, entry.origins) == (WRITTEN, NOW, ())
    assert (entry.token_lifetime, entry.stale_age) == (48 * HOUR, 10 * MINUTE)
    assert entry.unused_since_time == NOW, "the pass that takes over is complete"
    assert entry.retire_time == NOW + 48 * HOUR + POLICY.clock_skew


@pytest.mark.parametrize("policy", [12 * HOUR, 36 * HOUR])
def test_who_says_nothing_of_lifetimes_is_given_a_day_or_more(policy: timedelta) -> None:
    """Documents without a mark: 24 h, or the policy where that is the longer."""
    seen = look(theirs(OLD, token_lifetime=None, stale_age=None))
    plan = advance(Ledger(), replace(seen, policy=replace(POLICY, max_token_lifetime=policy)))
    entry = plan.ledger.get(OLD.key_id)
    assert entry is not None
    assert (entry.token_lifetime, entry.stale_age) == (max(24 * HOUR, policy), 24 * HOUR)


def test_foreign_keys_leave_by_the_clock_of_complete_passes_alone() -> None:
    """An API server that does not answer may sign with one of them."""
    plan, saved = adopted(theirs(OLD), minted=False)
    assert plan.ledger.get(OLD.key_id) is not None
    late = NOW + 100 * HOUR
    kept = advance(saved, look(ours(saved, NEW, OLD), now=late, minted=False, wire=(NEW, OLD)))
    assert OLD in kept.publish
    first = advance(kept.ledger, look(ours(saved, NEW, OLD), now=late, wire=(NEW, OLD)))
    assert OLD in first.publish
    gone = advance(first.ledger, look(ours(saved, NEW, OLD), now=late + 49 * HOUR, wire=(NEW, OLD)))
    assert gone.publish == (NEW,)


def test_taking_over_again_after_a_crash_adds_nothing() -> None:
    """The merged ledger was saved and the documents are still the other's (R12)."""
    plan, saved = adopted(theirs(OLD), wire=(OLD,))
    again = advance(saved, look(theirs(OLD), now=NOW + MINUTE, wire=(OLD,)))
    assert [entry.key for entry in again.ledger.keys] == [entry.key for entry in plan.ledger.keys]
    before, after = plan.ledger.get(OLD.key_id), again.ledger.get(OLD.key_id)
    assert before is not None
    assert after is not None
    assert replace(after, last_signed_time=None) == replace(before, last_signed_time=None)
    assert again.ledger.adopted_time == NOW


@pytest.mark.parametrize("how", list(TakeOver))
def test_a_key_of_ours_in_the_set_that_signs_is_known_to_the_world(how: TakeOver) -> None:
    """An issuer that was published by hand: its key is known to the world, and is not called early."""
    plan, saved = adopted(theirs(NEW, how=how), wire=(NEW,))
    entry = plan.ledger.get(NEW.key_id)
    assert entry is not None
    assert (entry.published_time, entry.served_since_time, entry.baseline) == (WRITTEN, NOW, True)
    assert entry.token_lifetime == 48 * HOUR
    after = advance(saved, look(ours(saved, NEW), wire=(NEW,)))
    assert after.may_sign is True
    assert Reason.SignedBeforeSafe not in {finding.reason for finding in after.findings}


@pytest.mark.parametrize("how", list(TakeOver))
@pytest.mark.parametrize("minted", [True, False], ids=["at once", "in a later complete pass"])
def test_a_key_that_is_new_to_the_world_and_signs_is_called_early(how: TakeOver, minted: bool) -> None:
    """A rebuilt cluster: caches hold the old set, and whoever has one refuses the new tokens."""
    _, saved = adopted(theirs(OLD, how=how), minted=minted, wire=(OLD,))
    published = (NEW, OLD) if how is TakeOver.MERGE else (NEW,)
    later = NOW + MINUTE
    plan = advance(saved, look(ours(saved, *published), now=later, wire=published))
    assert Reason.SignedBeforeSafe in {finding.reason for finding in plan.findings}
    assert plan.may_sign is False
    entry = plan.ledger.get(NEW.key_id)
    assert entry is not None
    assert entry.safe_to_sign_time == later + 24 * HOUR + 10 * MINUTE + POLICY.clock_skew, "their copies are waited for"
    safe = advance(plan.ledger, look(ours(saved, *published), now=later + 25 * HOUR, wire=published))
    assert safe.may_sign is True
    assert Reason.SignedBeforeSafe not in {finding.reason for finding in safe.findings}


def test_replace_takes_no_key() -> None:
    """Theirs go at once."""
    plan, _ = adopted(theirs(OLD, how=TakeOver.REPLACE), wire=(OLD,))
    assert plan.publish == (NEW,)


@pytest.mark.parametrize("state", [StoreState.FOREIGN, StoreState.LOST])
def test_at_another_owners_place_no_key_is_served_or_safe_and_nothing_moves(state: StoreState) -> None:
    """R2: whatever stands there, a store that was changed to a foreign place included. Nobody knows what he serves next."""
    ledger = safe_ledger()
    seen = look(StoredReading(state), now=NOW + 60 * HOUR, wire=(NEW,))
    plan = advance(ledger, seen)
    assert plan.may_sign is False
    entry = plan.ledger.get(NEW.key_id)
    assert entry is not None
    assert (entry.served_since_time, entry.safe_to_sign_time, entry.baseline) == (None, None, False)
    assert not seen.complete, "nothing retires by a place that is another's"
    again = advance(plan.ledger, replace(seen, instant=seen.instant + MINUTE))
    assert again.ledger == plan.ledger, "and no time changes from look to look"


def safe_ledger() -> Ledger:
    """A ledger with NEW published, served and safe."""
    first = advance(Ledger(), replace(look(StoredReading(StoreState.ABSENT)), wire=WireReading(absent=True)))
    saved = begin_write(first.ledger, jwks_digest="sha256:ours", nonce="")
    plan = advance(saved, look(ours(saved, NEW), wire=(NEW,)))
    assert plan.may_sign is True
    return plan.ledger
