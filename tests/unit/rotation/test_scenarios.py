"""The scenario table of the rotation contract: one test per row, with its periods (24 h, 24 h, max-age 5 m, skew 5 m)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from oidc_publisher.findings import Reason
from oidc_publisher.rotation import StoreState
from tests.simulation.scenario import HOUR, MINUTE, SECOND, T0, Server, Source, World, key, one_server

K1, K2, K3 = key("K1"), key("K2"), key("K3")


def _grown() -> World:
    """K1 signs and is published at T0."""
    world = one_server("K1")
    world.at(timedelta(0))
    return world


def test_suspended_over_rotation_counts_from_the_resume_not_from_the_last_sighting() -> None:
    """The operator was away while K1 signed for 23 h more: K1 leaves 24h05m after the operator looks again."""
    world = _grown()
    world.servers["A"] = Server([K2], K2)
    world.at(25 * HOUR)
    assert world.entry("K1").unused_since_time == T0 + 25 * HOUR
    world.every(HOUR, until=49 * HOUR + 4 * MINUTE)
    assert "K1" in world.published
    world.every(HOUR, until=49 * HOUR + 6 * MINUTE)
    assert world.published == {"K2"}


def test_stale_evidence_never_removes_a_key_that_an_unreachable_server_may_list() -> None:
    """B is away past retireTime, then lists K1 again: it never left, and B is named meanwhile."""
    world = World(servers={"A": Server([K1, K2], K2), "B": Server([K1, K2], K2)})
    world.at(timedelta(0))
    for server in world.servers.values():
        server.keys = [K2]
    world.at(MINUTE)
    assert world.entry("K1").retire_time is not None
    world.servers["B"].up = False
    result = world.every(HOUR, until=30 * HOUR)
    blocked = [f for f in result.findings if f.reason is Reason.RetirementBlocked]
    assert [f.subject for f in blocked] == ["K1"]
    assert "API server B" in blocked[0].message
    assert "K1" in world.published
    world.servers["B"] = Server([K1, K2], K2)
    world.at(30 * HOUR + MINUTE)
    assert world.entry("K1").retire_time is None
    assert world.published == {"K1", "K2"}
    assert Reason.RetirementBlocked not in world.reasons()


def test_lost_status_with_all_sources_failing_writes_nothing_and_keeps_every_key() -> None:
    """48 h without a reading: zero writes, all keys kept, no retireTime."""
    world = one_server("K1", "K2")
    world.at(timedelta(0))
    world.wipe_status()
    world.servers["A"].up = False
    writes = len(world.writes)
    world.every(4 * HOUR, until=48 * HOUR)
    assert len(world.writes) == writes
    assert {e.key_id for e in world.ledger.keys} == {"K1", "K2"}
    assert all(e.retire_time is None for e in world.ledger.keys)
    assert world.published == {"K1", "K2"}


def test_lost_status_mid_wait_goes_on_from_the_stored_objects_age() -> None:
    """K2 written at T, status wiped at T+23h: safe at T+24h10m, and K1, which signs, is no SignedBeforeSafe."""
    world = _grown()
    world.servers["A"].keys = [K1, K2]
    world.at(HOUR)
    world.every(HOUR, until=24 * HOUR)
    world.wipe_status()
    world.every(10 * MINUTE, until=25 * HOUR + 9 * MINUTE)
    assert world.entry("K2").safe_since_time is None
    assert Reason.SignedBeforeSafe not in world.reasons()
    world.every(10 * MINUTE, until=25 * HOUR + 10 * MINUTE)
    assert world.entry("K2").safe_since_time == T0 + 25 * HOUR + 10 * MINUTE
    assert Reason.SignedBeforeSafe not in world.reasons()


def test_restored_old_ledger_takes_the_newer_stored_keys_in() -> None:
    """A status from before K2, a higher stored serial, sources partial: K2 stays."""
    world = _grown()
    old = world.ledger
    world.servers["A"].keys = [K1, K2]
    world.at(HOUR)
    world.ledger = old
    world.servers["A"].up = False
    world.at(2 * HOUR)
    assert world.published == {"K1", "K2"}
    assert world.ledger.get("K2") is not None


def test_a_foreign_key_at_our_serial_is_removed_at_once() -> None:
    """The same with an equal serial and an evil key: removed at once."""
    world = _grown()
    world.forge([K1, key("evil")])
    world.at(HOUR)
    assert world.published == {"K1"}
    assert world.ledger.get("evil") is None


def test_lifetime_lowered_keeps_the_longer_one_for_keys_that_lived_under_it() -> None:
    """48h lowered to 24h one minute before K1 is delisted: 48h05m."""
    world = one_server("K1", "K2", signer="K2")
    world.policy = replace(world.policy, max_token_lifetime=48 * HOUR)
    world.at(timedelta(0))
    world.policy = replace(world.policy, max_token_lifetime=24 * HOUR)
    world.at(HOUR)
    world.servers["A"].keys = [K2]
    world.at(HOUR + MINUTE)
    assert world.entry("K1").retire_time == T0 + 49 * HOUR + 6 * MINUTE


def test_lifetime_lowered_survives_a_wiped_status_by_the_owner_mark() -> None:
    """Again with the status wiped between: 48h05m from the mark's lifetime."""
    world = one_server("K1", "K2", signer="K2")
    world.policy = replace(world.policy, max_token_lifetime=48 * HOUR)
    world.at(timedelta(0))
    world.policy = replace(world.policy, max_token_lifetime=24 * HOUR)
    world.wipe_status()
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    assert world.entry("K1").retire_time == T0 + 49 * HOUR + 5 * MINUTE


def test_lifetime_raised_while_retiring_counts_from_the_same_start() -> None:
    """24 to 48h while Retiring: 48h05m from unusedSince."""
    world = one_server("K1", "K2", signer="K2")
    world.at(timedelta(0))
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    world.policy = replace(world.policy, max_token_lifetime=48 * HOUR)
    world.at(2 * HOUR)
    assert world.entry("K1").unused_since_time == T0 + HOUR
    assert world.entry("K1").retire_time == T0 + 49 * HOUR + 5 * MINUTE


def test_max_age_lowered_still_waits_for_copies_of_the_longer_age() -> None:
    """24h to 5m, K2 ten minutes later: staleAge 24h, safe at served + 48h05m."""
    world = one_server("K1")
    world.policy = replace(world.policy, cache_max_age=24 * HOUR)
    world.at(timedelta(0))
    world.policy = replace(world.policy, cache_max_age=5 * MINUTE)
    world.at(MINUTE)
    world.servers["A"].keys = [K1, K2]
    world.at(11 * MINUTE)
    entry = world.entry("K2")
    assert entry.stale_age == 24 * HOUR
    assert entry.safe_to_sign_time == T0 + 11 * MINUTE + 48 * HOUR + 5 * MINUTE


def test_first_adoption_is_ready_at_once_and_later_keys_wait_in_full() -> None:
    """A new URL: K1 is safe once served, no SignedBeforeSafe; K2, listed later, waits 24h10m."""
    world = one_server("K1")
    result = world.at(timedelta(0))
    assert world.entry("K1").safe_since_time == T0
    assert world.ledger.last_complete_pass_time == T0
    assert result.may_sign
    assert Reason.SignedBeforeSafe not in world.reasons()
    world.servers["A"].keys = [K1, K2]
    world.at(HOUR)
    assert world.entry("K2").safe_to_sign_time == T0 + 25 * HOUR + 10 * MINUTE
    world.every(HOUR, until=26 * HOUR)
    assert world.entry("K2").safe_since_time == T0 + 25 * HOUR + 10 * MINUTE
    world.servers["A"].signer = K2
    world.at(27 * HOUR)
    world.policy = replace(world.policy, pre_publish_period=48 * HOUR)
    world.at(28 * HOUR)
    assert world.entry("K2").safe_since_time is not None
    assert Reason.SignedBeforeSafe not in world.reasons()


def test_empty_inputs_delist_nothing() -> None:
    """Zero endpoints, an empty key set and an empty ConfigMap: nothing is delisted, nothing retires."""
    world = World(sources={"a": Source([K1]), "b": Source([K2])})
    world.at(timedelta(0))
    world.sources["b"].keys = []
    world.every(4 * HOUR, until=60 * HOUR)
    assert world.entry("K2").origins
    assert world.entry("K2").unused_since_time is None
    assert world.published == {"K1", "K2"}


def test_one_garbage_entry_blocks_only_its_own_key() -> None:
    """Of two keys that vanish, the one whose entry became unreadable stays; the other retires."""
    entries = {"K1": ("one.pub", 1), "K2": ("two.pub", 2), "K3": ("three.pub", 3)}
    world = World(sources={"cm": Source([K1, K2, K3], entries=entries)})
    world.at(timedelta(0))
    world.sources["cm"].keys = [K3]
    world.sources["cm"].unreadable = frozenset({"one.pub"})
    world.every(HOUR, until=30 * HOUR)
    assert world.published == {"K1", "K3"}
    assert world.entry("K1").unused_since_time is None


def test_source_edits_retire_only_the_removed_sources_keys() -> None:
    """A removed source's keys retire, adding it again clears, and nothing retires before a replacement was read."""
    world = World(servers={"A": Server([K1], K1)}, sources={"b": Source([K2])})
    world.at(timedelta(0))
    removed = world.sources.pop("b")
    world.at(HOUR)
    assert world.entry("K2").unused_since_time == T0 + HOUR
    assert world.entry("K1").unused_since_time is None
    world.sources["b"] = removed
    world.at(2 * HOUR)
    assert world.entry("K2").unused_since_time is None


def test_an_edited_source_retires_nothing_before_it_was_read() -> None:
    """The API server source becomes a ConfigMap that is missing for 30 h."""
    world = World(sources={"a": Source([K1, K2])})
    world.at(timedelta(0))
    world.sources["a"] = Source([K1], up=False)
    world.every(HOUR, until=30 * HOUR)
    assert all(e.unused_since_time is None for e in world.ledger.keys)
    world.sources["a"].up = True
    world.at(31 * HOUR)
    assert world.entry("K2").unused_since_time == T0 + 31 * HOUR
    assert world.entry("K1").unused_since_time is None


def test_a_clock_that_is_off_makes_nothing_safe_and_removes_nothing() -> None:
    """+10m just before the safe and retire times, then right again: never earlier than true time."""
    world = one_server("K1")
    world.at(timedelta(0))
    world.servers["A"].keys = [K1, K2]
    world.at(HOUR)
    safe_at = 25 * HOUR + 10 * MINUTE
    world.every(HOUR, until=safe_at - 6 * MINUTE)
    world.clock_error = 10 * MINUTE
    world.at(safe_at - 5 * MINUTE)
    assert world.entry("K2").safe_since_time is None
    assert Reason.ClockUntrusted in world.reasons()
    world.clock_error = timedelta(0)
    world.every(MINUTE, until=safe_at)
    assert world.entry("K2").safe_since_time == T0 + safe_at
    world.servers["A"] = Server([K2], K2)
    world.at(30 * HOUR)
    due = 54 * HOUR + 5 * MINUTE
    world.clock_error = 10 * MINUTE
    world.at(due - 5 * MINUTE)
    assert "K1" in world.published
    world.clock_error = timedelta(0)
    world.at(due)
    assert world.published == {"K2"}


def test_a_clock_behind_at_the_first_sighting_makes_nothing_safe_early() -> None:
    """-10m at first sighting: K2 is not called served until the clock is right."""
    world = _grown()
    world.servers["A"].keys = [K1, K2]
    world.clock_error = -10 * MINUTE
    world.at(HOUR)
    assert world.published == {"K1", "K2"}, "keys may enter"
    assert world.entry("K2").served_since_time is None
    world.clock_error = timedelta(0)
    world.at(HOUR + MINUTE)
    assert world.entry("K2").served_since_time == T0 + HOUR + MINUTE


def test_a_removal_that_failed_is_retried_from_the_ledger() -> None:
    """The removal's PUT fails: the entry stays, and the next pass that can write removes it."""
    world = one_server("K1", "K2", signer="K2")
    world.at(timedelta(0))
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    world.put_fails = True
    world.at(26 * HOUR)
    assert world.entry("K1").leaving
    assert world.published == {"K1", "K2"}
    world.put_fails = False
    world.servers["A"].up = False
    world.at(26 * HOUR + MINUTE)
    assert world.published == {"K2"}
    assert world.ledger.get("K1") is None


def test_a_crash_between_save_and_put_loses_nothing() -> None:
    """The ledger was saved, the write never happened, the status is then lost: the set is intact afterwards."""
    world = _grown()
    world.servers["A"].keys = [K1, K2]
    world.put_fails = True
    world.at(HOUR)
    assert world.published == {"K1"}
    world.wipe_status()
    world.put_fails = False
    world.at(HOUR + SECOND)
    assert world.published == {"K1", "K2"}
    assert world.stored.state is StoreState.PRESENT
