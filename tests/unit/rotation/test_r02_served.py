"""R2: since when a key is served, and what starts that clock anew."""

from __future__ import annotations

from tests.simulation.rulecases import K1, K2, START
from tests.simulation.scenario import HOUR, MINUTE, T0, one_server


def test_r2_absence_from_one_edge_starts_the_clock_anew() -> None:
    """One of several reads without the key is absence; it is served again from the first read that shows it."""
    world = one_server("K1", "K2")
    world.at(START)
    world.edges = {"origin": None, "stale": (K1,)}
    world.at(MINUTE)
    assert world.entry("K2").served_since_time is None
    assert world.entry("K2").safe_since_time is None
    world.edges = {}
    world.at(2 * MINUTE)
    assert world.entry("K2").served_since_time == T0 + 2 * MINUTE
    assert world.entry("K2").safe_since_time is None, "it waits in full: sets without it may be cached now"


def test_r2_a_failed_probe_changes_nothing() -> None:
    """No reading of the wire is no absence."""
    world = one_server("K1", "K2")
    world.at(START)
    before = world.entry("K2")
    world.wire_up = False
    world.at(HOUR)
    assert world.entry("K2").served_since_time == before.served_since_time
    assert world.entry("K2").safe_since_time == before.safe_since_time


def test_r2_a_set_rewritten_by_somebody_else_starts_the_clock_anew() -> None:
    """Nobody knows what was served meanwhile."""
    world = one_server("K1", "K2")
    world.at(START)
    world.forge([K2, K1], ours=False)
    world.at(MINUTE)
    assert world.entry("K2").served_since_time == T0 + MINUTE


def test_r2_absence_from_the_store_alone_starts_the_clock_anew() -> None:
    """The bucket was rolled back to an older write of ours, and the wire cannot be read."""
    world = one_server("K1", "K2")
    world.at(START)
    world.wire_up = False
    world.forge([K1], serial=0)
    world.at(MINUTE)
    assert world.published == {"K1", "K2"}
    assert world.entry("K2").served_since_time is None
    assert world.entry("K1").served_since_time == T0
