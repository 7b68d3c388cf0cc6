"""R1: a key is published as soon as any source lists it."""

from __future__ import annotations

from tests.simulation.rulecases import K1, K2, K3, START
from tests.simulation.scenario import MINUTE, Source, World


def test_r1_a_key_is_published_as_soon_as_any_source_lists_it() -> None:
    """Entering needs no complete pass: another source may be away."""
    world = World(sources={"a": Source([K1]), "b": Source([K2], up=False)})
    world.at(START)
    assert world.published == {"K1"}
    world.sources["a"].keys = [K1, K3]
    world.at(MINUTE)
    assert world.published == {"K1", "K3"}
