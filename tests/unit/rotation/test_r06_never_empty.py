"""R6: a write that adds a key removes none, and the set never becomes empty."""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.rulecases import K1, K2, K3, START
from tests.simulation.scenario import HOUR, Server, Source, World, one_server


def test_r6_a_write_that_adds_a_key_removes_none() -> None:
    """K3 enters in the pass in which K1 is due: first both are there, then K1 goes."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    world.servers["A"].keys = [K2, K3]
    world.writes.clear()
    world.at(26 * HOUR)
    assert [{k.key_id for k in keys} for keys in world.writes] == [{"K1", "K2", "K3"}, {"K2", "K3"}]


def test_r6_the_set_never_becomes_empty() -> None:
    """All that is still listed is a withdrawn key: of those due, the last to sign stays, not the withdrawn one."""
    world = World(servers={"A": Server([K1, K2], K1)})
    world.at(START)
    world.servers["A"].signer = K2
    world.at(HOUR)
    world.servers = {}
    world.sources["cm"] = Source([K3])
    world.policy = replace(world.policy, withdrawn_key_ids=frozenset({"K3"}))
    world.every(4 * HOUR, until=80 * HOUR)
    assert world.published == {"K2"}


def test_r6_of_several_due_the_last_to_sign_stays() -> None:
    """Nothing is listed and nothing signs any more: one key is not even marked as leaving."""
    world = one_server("K1", "K2", signer="K1")
    world.at(START)
    world.servers["A"].signer = K2
    world.at(HOUR)
    world.servers = {}
    world.every(4 * HOUR, until=80 * HOUR)
    assert world.published == {"K2"}
    assert not world.entry("K2").leaving
