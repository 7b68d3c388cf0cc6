"""R13: under a clock that is not trusted nothing becomes safe or unused, and nothing is forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.rulecases import K1, K2, K3, START, lowered_after_a_day_s_age
from tests.simulation.scenario import DEFAULTS, HOUR, MINUTE, T0, Server, World, one_server


def test_r13_a_time_that_lies_ahead_becomes_now() -> None:
    """The clock was ahead when the key was first seen; then it was set right."""
    world = one_server("K1")
    world.at(START)
    world.ledger = replace(
        world.ledger, keys=tuple(replace(e, first_seen_time=T0 + 9 * HOUR) for e in world.ledger.keys)
    )
    world.at(HOUR)
    assert world.entry("K1").first_seen_time == T0 + HOUR


@pytest.mark.parametrize("days", [2, 365, -2])
def test_r13_an_untrusted_clock_forgets_no_cache_age(days: int) -> None:
    """One pass with the clock elsewhere, then K2: copies of a day are out there all the same, for a day and no longer."""
    world = lowered_after_a_day_s_age()
    world.clock_error = days * 24 * HOUR
    world.at(HOUR + 30 * MINUTE)
    world.clock_error = START
    world.servers["A"].keys = [K1, K2]
    world.at(2 * HOUR)
    assert world.entry("K2").stale_age == 24 * HOUR
    world.servers["A"].keys = [K1, K2, K3]
    world.at(27 * HOUR)
    assert world.entry("K3").stale_age == 5 * MINUTE


def test_r13_a_key_that_enters_under_an_untrusted_clock_waits_for_every_copy() -> None:
    """The clock is two days ahead in the very pass in which K2 is first seen."""
    world = lowered_after_a_day_s_age()
    world.clock_error = 48 * HOUR
    world.servers["A"].keys = [K1, K2]
    world.at(2 * HOUR)
    assert world.entry("K2").stale_age == 24 * HOUR


def test_r13_an_age_that_was_in_force_under_a_clock_that_is_behind_is_not_forgotten() -> None:
    """The age is a day only while the clock is two days behind: nobody knew until when its copies live."""
    world = one_server("K1")
    world.at(START)
    world.clock_error = -48 * HOUR
    world.policy = replace(world.policy, cache_max_age=24 * HOUR)
    world.at(HOUR)
    world.policy = DEFAULTS
    world.at(HOUR + MINUTE)
    world.clock_error = START
    wire = world.look().wire
    assert wire is not None
    assert wire.max_age == 5 * MINUTE, "only the ledger remembers the day"
    world.at(HOUR + 2 * MINUTE)
    world.servers["A"].keys = [K1, K2]
    world.at(2 * HOUR)
    assert world.entry("K2").stale_age == 24 * HOUR


def test_r13_every_time_of_the_ledger_that_lies_ahead_becomes_now() -> None:
    """B leaves while the clock is a day ahead; documents were taken over, and a pass was complete, in the same hour."""
    world = World(servers={"A": Server([K1], K1), "B": Server([K1], K1)})
    world.at(START)
    del world.servers["B"]
    world.clock_error = 24 * HOUR
    world.at(HOUR)
    ahead = T0 + 25 * HOUR
    assert [e.gone_since_time for e in world.ledger.endpoints] == [None, ahead]
    world.ledger = replace(world.ledger, adopted_time=ahead, last_complete_pass_time=ahead)
    world.clock_error = START
    world.at(2 * HOUR)
    now = T0 + 2 * HOUR
    assert [e.gone_since_time for e in world.ledger.endpoints] == [None, now]
    assert (world.ledger.adopted_time, world.ledger.last_complete_pass_time) == (now, now)
