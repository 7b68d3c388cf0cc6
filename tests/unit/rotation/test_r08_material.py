"""R8: other material under a known key ID is another key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oidc_publisher.findings import Reason
from tests.simulation.rulecases import START, found, lowered_after_a_day_s_age
from tests.simulation.scenario import HOUR, MINUTE, T0, Server, Source, World, key, one_server


@pytest.mark.parametrize("verified", [True, False])
def test_r8_of_two_materials_the_one_that_verifies_wins_else_the_first(verified: bool) -> None:
    """The same kid with other material is reported either way."""
    first, second = key("K1", material="first"), key("K1", material="second")
    world = World(sources={"a": Source([first])})
    world.at(START)
    world.sources["b"] = Source([second])
    if verified:
        world.servers["A"] = Server([first], second)
    world.at(MINUTE)
    assert world.stored.keys == ((second if verified else first),)
    assert Reason.KeyMaterialChanged in world.reasons()


def test_r8_other_material_inherits_no_safety() -> None:
    """Under the same kid another material verifies, while neither store nor wire can be read: it is not safe at all."""
    first, second = key("K1", material="first"), key("K1", material="second")
    world = World(servers={"A": Server([first], first)})
    world.at(START)
    assert world.entry("K1").safe_since_time == T0
    world.servers["A"] = Server([second], second)
    world.store_up = world.wire_up = False
    world.at(HOUR)
    assert world.entry("K1").key == second
    assert world.entry("K1").safe_since_time is None
    assert {Reason.KeyMaterialChanged, Reason.SignedBeforeSafe} <= world.reasons()
    world.wire_up = True
    world.at(90 * MINUTE)
    assert world.entry("K1").safe_since_time is None, "its being of the baseline was the former material's"
    world.store_up = True
    world.at(2 * HOUR)
    assert {k.spki for k in world.stored.keys} == {second.spki}
    assert world.entry("K1").served_since_time == T0 + 2 * HOUR
    assert world.entry("K1").safe_since_time is None


def test_r8_among_newcomers_the_material_that_signs_enters() -> None:
    """Two sources name one kid with two materials in the same pass, and a token verifies under the second."""
    first, second = key("K1", material="first"), key("K1", material="second")
    world = World(servers={"A": Server([first], second)}, sources={"b": Source([second])})
    world.at(START)
    assert world.stored.keys == (second,)


def test_r8_other_material_everywhere_at_once_is_told_until_it_is_safe() -> None:
    """Under a known ID another key is listed and signs: it is a new key, which signed early and waits in full."""
    world = one_server("K1")
    world.at(START)
    new = key("K1", material="other")
    world.servers["A"] = Server([new], new)
    world.at(HOUR)
    assert world.entry("K1").safe_since_time is None
    assert world.entry("K1").first_signed_time == T0 + HOUR
    for hour in (1, 24):
        world.at(hour * HOUR)
        assert [finding.subject for finding in found(world, Reason.KeyMaterialChanged)] == ["K1"]
        assert "2026-01-02T01:10:00Z" in found(world, Reason.KeyMaterialChanged)[0].message
        assert [finding.subject for finding in found(world, Reason.SignedBeforeSafe)] == ["K1"]
    world.at(26 * HOUR)
    assert world.entry("K1").safe_since_time is not None
    assert not {Reason.KeyMaterialChanged, Reason.SignedBeforeSafe} & world.reasons()


def test_r8_other_material_waits_for_copies_of_the_longer_age() -> None:
    """Copies of a day hold the former material, though the age was lowered since K1 entered."""
    world = one_server("K1")
    world.at(START)
    world.ledger = replace(world.ledger, cache_ages=lowered_after_a_day_s_age().ledger.cache_ages)
    new = key("K1", material="other")
    world.servers["A"] = Server([new], new)
    world.at(2 * HOUR)
    assert world.entry("K1").stale_age == 24 * HOUR
