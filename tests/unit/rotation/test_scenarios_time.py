"""The rows of the scenario table in which time itself is hostile: stale edges, clocks that step, crashes between steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import LedgerKey, Policy, serving
from tests.simulation.operatorprocess import Crash
from tests.simulation.scenario import HOUR, MINUTE, SECOND, T0, Server, World, key

K1, K2 = key("K1"), key("K2")


@dataclass(frozen=True)
class Cached:
    """A verifier's copy of the key set, which it keeps for `ttl` whatever happens meanwhile."""

    keys: frozenset[PublicKey]
    fetched: datetime
    ttl: timedelta

    def knows(self, signer: PublicKey, now: datetime) -> bool:
        """Whether a token of `signer` is accepted; an expired copy is fetched anew and knows every published key."""
        return signer in self.keys or now >= self.fetched + self.ttl


def _rejections_behind_a_stale_edge() -> int:
    """One edge stays stale for its 5 m; a client with a TTL of 24 h fetches it 4 m after the first sighting.

    The probe meets the fresh edges only, and the operator's clock is 3 m behind at the sighting: the skew is spent by
    the clock, so that nothing but staleAge covers the edge. The rotator lets K2 sign as soon as it is called safe.
    """
    world = World(servers={"A": Server([K1], K1)})
    world.at(timedelta(0))
    world.servers["A"].keys = [K1, K2]
    world.clock_error = -3 * MINUTE
    world.at(HOUR)
    assert world.entry("K2").served_since_time == T0 + 57 * MINUTE
    world.clock_error = timedelta(0)
    client = Cached(frozenset({K1}), fetched=T0 + HOUR + 4 * MINUTE, ttl=24 * HOUR)
    rejected = 0
    world.every(HOUR, until=24 * HOUR)
    for minute in range(24 * 60, 26 * 60):
        world.at(minute * MINUTE)
        if world.entry("K2").safe_since_time is not None:
            world.servers["A"].signer = K2
        rejected += not client.knows(world.servers["A"].signer, world.true_now)
    assert world.servers["A"].signer is K2, "the rotation was carried out"
    return rejected


@pytest.mark.slow
def test_stale_edge_costs_no_token() -> None:
    """A rotator that waits for SafeToSign never signs with a key that a copy from the stale edge lacks."""
    assert _rejections_behind_a_stale_edge() == 0


@pytest.mark.slow
def test_stale_edge_costs_tokens_without_the_stale_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scenario can fail: without staleAge in R3 the same client rejects tokens."""

    def without_stale_age(entry: LedgerKey, policy: Policy) -> datetime | None:
        if entry.served_since_time is None or entry.founding or entry.baseline:
            return entry.served_since_time
        return entry.served_since_time + policy.pre_publish_period + policy.clock_skew

    monkeypatch.setattr(serving, "safe_to_sign_time", without_stale_age)
    assert _rejections_behind_a_stale_edge() > 0


def test_a_stale_edge_that_the_probe_meets_starts_the_wait_when_it_is_gone() -> None:
    """As long as one read shows the old set, K2 is not served at all."""
    world = World(servers={"A": Server([K1], K1)})
    world.at(timedelta(0))
    world.servers["A"].keys = [K1, K2]
    world.edges = {"fresh": None, "stale": (K1,)}
    world.at(HOUR)
    world.at(HOUR + 4 * MINUTE)
    assert world.entry("K2").served_since_time is None
    world.edges = {"fresh": None, "stale": None}
    world.at(HOUR + 5 * MINUTE)
    assert world.entry("K2").safe_to_sign_time == T0 + 25 * HOUR + 15 * MINUTE


def _crash(world: World, after: timedelta, *, put: bool) -> None:
    """The operator dies at one of the two worst moments: saved but not written, written but not noted."""
    world.true_now = T0 + after
    world.run(crash=Crash.BEFORE_REPORT if put else Crash.BEFORE_WRITE)


@pytest.mark.parametrize("put", [False, True], ids=["after save", "after PUT"])
def test_a_crash_while_a_key_enters_keeps_the_set_and_the_clock(put: bool) -> None:
    """K2 enters in the pass that dies: it is published by the next one, and its wait is not shorter for it."""
    world = World(servers={"A": Server([K1], K1)})
    world.at(timedelta(0))
    world.servers["A"].keys = [K1, K2]
    _crash(world, HOUR, put=put)
    assert world.ledger.serial == 2, "the ledger was saved before the write"
    world.at(HOUR + MINUTE)
    assert world.published == {"K1", "K2"}
    assert world.entry("K1").safe_since_time == T0, "our own write is no rival's"
    assert world.entry("K2").safe_to_sign_time == T0 + HOUR + MINUTE + 24 * HOUR + 10 * MINUTE


@pytest.mark.parametrize("put", [False, True], ids=["after save", "after PUT"])
def test_a_crash_while_a_key_leaves_finishes_the_removal_from_the_ledger(put: bool) -> None:
    """The removal is due, the pass dies, and the next one cannot even read the sources: K1 goes all the same."""
    world = World(servers={"A": Server([K1, K2], K2)})
    world.at(timedelta(0))
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    _crash(world, 26 * HOUR, put=put)
    assert world.entry("K1").leaving
    world.servers["A"].up = False
    world.at(26 * HOUR + SECOND)
    assert world.published == {"K2"}
    assert world.ledger.get("K1") is None


def test_a_key_that_is_listed_again_while_its_removal_crashes_comes_back_and_waits_in_full() -> None:
    """K1 was written away and nobody noted it; listed again it is a key that copies without it may lack."""
    world = World(servers={"A": Server([K1, K2], K2)})
    world.at(timedelta(0))
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    _crash(world, 26 * HOUR, put=True)
    world.servers["A"].keys = [K1, K2]
    world.at(27 * HOUR)
    assert world.published == {"K1", "K2"}
    assert world.entry("K1").safe_since_time is None
    assert world.entry("K1").safe_to_sign_time == T0 + 27 * HOUR + 24 * HOUR + 10 * MINUTE


def test_a_clock_that_is_ahead_at_the_first_sighting_makes_nothing_safe_early_or_late() -> None:
    """+10m when K2 is first seen: it enters at once, is served when the clock is right, and safe 24h10m later."""
    world = World(servers={"A": Server([K1], K1)})
    world.at(timedelta(0))
    world.servers["A"].keys = [K1, K2]
    world.clock_error = 10 * MINUTE
    world.at(HOUR)
    world.clock_error = timedelta(0)
    world.at(HOUR + MINUTE)
    assert world.entry("K2").first_seen_time == T0 + HOUR + MINUTE, "a time that lies ahead becomes now (R13)"
    world.every(HOUR, until=25 * HOUR + 11 * MINUTE)
    assert world.entry("K2").safe_since_time == T0 + 25 * HOUR + 11 * MINUTE


def test_a_clock_that_is_behind_when_a_key_vanishes_does_not_start_its_retirement() -> None:
    """-10m at the first pass without K1: it is unused only from a pass whose clock is trusted."""
    world = World(servers={"A": Server([K1, K2], K2)})
    world.at(timedelta(0))
    world.servers["A"].keys = [K2]
    world.clock_error = -10 * MINUTE
    world.at(HOUR)
    assert world.entry("K1").unused_since_time is None
    world.clock_error = timedelta(0)
    world.at(HOUR + MINUTE)
    assert world.entry("K1").unused_since_time == T0 + HOUR + MINUTE
