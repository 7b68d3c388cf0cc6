"""Versions are numbers: where they come from, and in which order keys stand by them."""

from __future__ import annotations

from oidc_publisher.findings import Reason
from tests.simulation.rulecases import K1, K2, START
from tests.simulation.scenario import MINUTE, Server, Source, World, key


def test_versions_are_numbers() -> None:
    """9 is older than 10, and 99 than 100: newest first in the published set."""
    names = {9: key("a"), 10: key("b"), 99: key("c"), 100: key("d")}
    entries = {k.key_id: (f"{n}.pub", n) for n, k in names.items()}
    world = World(sources={"cm": Source(list(names.values()), entries=entries)})
    world.at(START)
    assert [k.key_id for k in world.stored.keys] == ["d", "c", "b", "a"]


def test_a_named_version_beats_an_assigned_one_and_numbers_are_not_reused() -> None:
    """The API server's key gets the next number until an entry names one."""
    world = World(servers={"A": Server([K1], K1)})
    world.at(START)
    assert (world.entry("K1").version, world.entry("K1").version_named) == (1, False)
    world.sources["cm"] = Source([K1], entries={"K1": ("010.pub", 10)})
    world.at(MINUTE)
    assert (world.entry("K1").version, world.entry("K1").version_named) == (10, True)
    world.servers["A"].keys = [K1, K2]
    world.at(2 * MINUTE)
    assert world.entry("K2").version == 11


def test_the_same_number_for_two_keys_is_allowed_and_reported() -> None:
    """OpenShift reuses numbers after pruning."""
    world = World(sources={"cm": Source([K1, K2], entries={"K1": ("1.pub", 1), "K2": ("01.pub", 1)})})
    world.at(START)
    assert world.published == {"K1", "K2"}
    assert Reason.VersionReused in world.reasons()
