"""Worlds that the tests of several rules begin with, and what they look up in one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import State, signing_key_ids, state
from tests.simulation.scenario import DEFAULTS, HOUR, MINUTE, World, key, one_server

K1, K2, K3 = key("K1"), key("K2"), key("K3")
START = timedelta(0)


def numbered(count: int) -> list[PublicKey]:
    """So many keys of one type."""
    return [key(f"M{n:03}") for n in range(count)]


def lowered_after_a_day_s_age() -> World:
    """Copies of the set live for a day; then they live for five minutes."""
    world = one_server("K1")
    world.policy = replace(world.policy, cache_max_age=24 * HOUR)
    world.at(START)
    world.at(HOUR)
    world.policy = DEFAULTS
    world.at(HOUR + MINUTE)
    return world


def state_of(world: World, name: str) -> State:
    """The state of a key as people see it."""
    return state(world.entry(name), signing_key_ids(world.ledger))


def found(world: World, reason: Reason) -> list[Finding]:
    """The findings of the last pass with this reason."""
    assert world.last is not None
    return [finding for finding in world.last.findings if finding.reason is reason]
