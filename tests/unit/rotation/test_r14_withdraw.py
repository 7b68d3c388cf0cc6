"""R14: a key that was withdrawn goes at once, but never the last one."""

from __future__ import annotations

from dataclasses import replace

from oidc_publisher.findings import Reason
from tests.simulation.rulecases import K1, K2, K3, START, found
from tests.simulation.scenario import DEFAULTS, HOUR, MINUTE, T0, one_server


def test_r14_a_withdrawn_key_goes_at_once_whatever_lists_or_signs_with_it() -> None:
    """Reported for as long as it is listed or signs."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.policy = replace(world.policy, withdrawn_key_ids=frozenset({"K2"}))
    world.at(MINUTE)
    assert world.published == {"K1"}
    assert Reason.KeyWithdrawn in world.reasons()


def test_r14_never_the_last_key() -> None:
    """A set of withdrawn keys alone keeps the last to sign."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.policy = replace(world.policy, withdrawn_key_ids=frozenset({"K1", "K2"}))
    world.at(MINUTE)
    assert world.published == {"K2"}


def test_r14_a_withdrawn_key_does_not_wait_for_a_second_write() -> None:
    """R6 sends a removal after an addition; a stolen key goes with it."""
    world = one_server("K1", "K2", signer="K1")
    world.at(START)
    world.writes.clear()
    world.servers["A"].keys = [K1, K2, K3]
    world.policy = replace(world.policy, withdrawn_key_ids=frozenset({"K2"}))
    world.at(MINUTE)
    assert [{k.key_id for k in keys} for keys in world.writes] == [{"K1", "K3"}]


def test_r14_a_withdrawn_key_is_not_safe_even_where_it_must_stay() -> None:
    """The only key is stolen: it stays published, and nobody is told that it may sign; taken back, it may again."""
    world = one_server("K1")
    world.at(START)
    world.policy = replace(world.policy, withdrawn_key_ids=frozenset({"K1"}))
    result = world.at(HOUR)
    assert world.published == {"K1"}
    assert world.entry("K1").safe_since_time is None
    assert world.entry("K1").safe_to_sign_time is None
    assert result.may_sign is False
    assert [finding.subject for finding in found(world, Reason.KeyWithdrawn)] == ["K1"]
    world.policy = DEFAULTS
    world.at(2 * HOUR)
    assert world.entry("K1").safe_since_time == T0 + 2 * HOUR


def test_r14_a_withdrawn_key_is_not_safe_before_it_has_left() -> None:
    """The write that takes it out fails: it is still served, and nobody is told any more that it may sign."""
    world = one_server("K1", "K2")
    world.at(START)
    world.at(25 * HOUR)
    assert world.entry("K2").safe_since_time is not None
    world.put_fails = True
    world.policy = replace(world.policy, withdrawn_key_ids=frozenset({"K2"}))
    world.at(26 * HOUR)
    assert world.published == {"K1", "K2"}
    assert world.entry("K2").safe_since_time is None
