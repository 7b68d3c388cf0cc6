"""R3 and R9: cache ages and the times of an owner mark are believed within bounds, and named."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from oidc_publisher.findings import Reason
from oidc_publisher.rotation import Ledger, advance
from tests.simulation.scenario import HOUR, MINUTE, T0, World, key, one_server

K1, K2, K3 = key("K1"), key("K2"), key("K3")
START, DAY = timedelta(0), timedelta(days=1)
YEAR = 365 * DAY


def waiting(age: timedelta) -> World:
    """K2 begins to wait while the wire states this cache age."""
    world = one_server("K1")
    world.at(START)
    world.wire_age = age
    world.servers["A"].keys = [K1, K2]
    world.at(HOUR)
    return world


def told(world: World) -> str:
    """What is said of the key that waits."""
    assert world.last is not None
    (finding,) = (f for f in world.last.findings if f.reason is Reason.PrePublishing)
    return finding.sentence


def test_an_age_above_a_day_counts_only_while_the_wire_states_it() -> None:
    """An honest max-age=31536000, seen once, does not stop every rotation for a year."""
    world = waiting(YEAR)
    assert world.entry("K2").safe_to_sign_time == T0 + HOUR + 24 * HOUR + YEAR + 5 * MINUTE
    world.wire_age = 5 * MINUTE
    world.at(2 * HOUR)
    assert world.entry("K2").safe_to_sign_time == T0 + HOUR + 24 * HOUR + 24 * HOUR + 5 * MINUTE
    assert max(c.age for c in world.ledger.cache_ages) == DAY
    world.every(6 * HOUR, until=50 * HOUR)
    assert world.entry("K2").safe_since_time is not None


def test_it_counts_while_the_wire_cannot_be_read() -> None:
    """Nobody said that it is over: a failed probe changes nothing."""
    world = waiting(YEAR)
    world.wire_up = False
    world.at(2 * HOUR)
    assert world.entry("K2").stale_age == YEAR


def test_an_age_of_a_day_or_less_is_remembered_after_the_wire_states_another() -> None:
    """Copies of it live on; only longer ones are not waited for."""
    world = waiting(12 * HOUR)
    world.wire_age = 5 * MINUTE
    world.at(2 * HOUR)
    assert world.entry("K2").stale_age == 12 * HOUR


def test_pre_publishing_names_the_age_and_where_it_was_seen() -> None:
    """The wire now, earlier, or its silence; nothing is said of an age that the spec asks for."""
    world = waiting(YEAR)
    assert "8760h" in told(world)
    assert "states that cache age now" in told(world)
    world.wire_age = 5 * MINUTE
    world.at(2 * HOUR)
    assert "24h" in told(world)
    assert "spec.rotation.forgetCacheAgesBefore" in told(world)
    assert "copies" not in told(waiting(5 * MINUTE))


def test_a_person_can_have_ages_forgotten_once() -> None:
    """Those seen before the time named; a longer one that is seen later counts again."""
    world = waiting(12 * HOUR)
    world.wire_age = 5 * MINUTE
    world.at(2 * HOUR)
    world.policy = replace(world.policy, forget_cache_ages_before=T0 + 3 * HOUR)
    world.at(2 * HOUR + MINUTE)
    assert world.entry("K2").stale_age == 12 * HOUR, "the time has not come"
    world.at(3 * HOUR)
    assert world.entry("K2").stale_age == 5 * MINUTE
    assert world.entry("K2").safe_to_sign_time == T0 + 25 * HOUR + 10 * MINUTE
    world.servers["A"].keys = [K1, K2, K3]
    world.wire_age = 6 * HOUR
    world.at(4 * HOUR)
    world.at(5 * HOUR)
    assert world.entry("K3").stale_age == 6 * HOUR
    world.wire_age = 5 * MINUTE
    world.every(HOUR, until=13 * HOUR)
    assert world.entry("K3").stale_age == 6 * HOUR, "it was obeyed once, though no copy of that age is left"


def test_an_age_seen_after_the_time_named_is_not_forgotten() -> None:
    """The operator was away, or the time lies in the past."""
    world = waiting(12 * HOUR)
    world.every(30 * MINUTE, until=4 * HOUR)
    world.wire_age = 5 * MINUTE
    world.policy = replace(world.policy, forget_cache_ages_before=T0 + 2 * HOUR)
    world.at(5 * HOUR)
    assert world.entry("K2").stale_age == 12 * HOUR


def test_nothing_is_forgotten_while_the_wire_or_the_clock_cannot_be_trusted() -> None:
    """The one tells which ages are in force, the other whether the time has come."""
    for spoilt in ("wire_up", "clock"):
        world = waiting(12 * HOUR)
        world.policy = replace(world.policy, forget_cache_ages_before=T0 + HOUR)
        if spoilt == "clock":
            world.clock_error = 10 * MINUTE
        else:
            world.wire_up = False
        world.wire_age = 5 * MINUTE
        world.at(2 * HOUR)
        assert world.entry("K2").stale_age == 12 * HOUR


def test_what_was_forgotten_stays_so_when_the_status_is_lost() -> None:
    """The mark was written anew without it, and is younger than the time named."""
    world = waiting(12 * HOUR)
    world.wire_age = 5 * MINUTE
    world.policy = replace(world.policy, forget_cache_ages_before=T0 + 3 * HOUR)
    world.at(3 * HOUR)
    assert world.stored.stale_age == 5 * MINUTE
    world.wipe_status()
    world.at(4 * HOUR)
    assert world.entry("K2").stale_age == 5 * MINUTE
    assert world.ledger.cache_ages_forgotten_time == T0 + 3 * HOUR


def test_a_marks_age_beyond_a_day_and_beyond_the_wire_is_ignored_and_named() -> None:
    """One rewrite of the mark, and a status that is lost: else no key would be safe for 317 years."""
    world = one_server("K1", "K2")
    world.at(START)
    world.forge([K1, K2], stale_age=317 * YEAR)
    world.wipe_status()
    (event,) = (e for e in advance(Ledger(), world.look()).events if e.reason is Reason.LedgerRebuilt)
    assert "the cache age in their owner mark, 2776920h, is ignored" in event.message
    world.at(HOUR)
    assert world.entry("K2").stale_age == DAY
    assert world.stored.stale_age == DAY, "it is repaired"
    world.wire_age = YEAR
    world.forge([K1, K2], stale_age=YEAR)
    world.wipe_status()
    world.at(2 * HOUR)
    assert world.entry("K2").stale_age == YEAR, "as long as the wire states it too"
