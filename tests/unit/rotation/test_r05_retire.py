"""R5: when a key is unused, when it leaves, and what keeps it from leaving."""

from __future__ import annotations

import pytest

from oidc_publisher.findings import Reason
from oidc_publisher.rotation import State
from tests.simulation.rulecases import K1, K2, START, found, state_of
from tests.simulation.scenario import HOUR, MINUTE, SECOND, T0, one_server


def test_r5_a_key_leaves_in_the_first_complete_pass_from_its_time_on() -> None:
    """Due at 25h05m; an incomplete pass then does not remove it, the next complete one does."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    due = 25 * HOUR + 5 * MINUTE
    assert world.entry("K1").retire_time == T0 + due
    world.at(due - SECOND)
    assert state_of(world, "K1") is State.RETIRING
    world.store_up = False
    world.at(due)
    assert world.ledger.get("K1") is not None
    world.store_up = True
    world.at(due + SECOND)
    assert world.published == {"K2"}
    assert world.ledger.get("K1") is None


def test_r5_listing_again_clears_the_retirement() -> None:
    """A rollback: the key is in use again, and safe again in the first pass that sees it."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.every(6 * HOUR, until=25 * HOUR)
    assert world.entry("K1").safe_since_time is not None
    world.servers["A"].keys = [K2]
    world.at(26 * HOUR)
    assert world.entry("K1").safe_since_time is None, "a Retiring key is not safe"
    world.servers["A"].keys = [K1, K2]
    world.at(27 * HOUR)
    assert world.entry("K1").unused_since_time is None
    assert world.entry("K1").retire_time is None
    assert world.entry("K1").safe_since_time == T0 + 27 * HOUR


def test_r5_the_deadline_of_a_retiring_key_is_its_retire_time() -> None:
    """A timer starts the pass in which it leaves, on an operator that is idle otherwise."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.servers["A"].keys = [K2]
    assert world.at(HOUR).wake_at == T0 + 25 * HOUR + 5 * MINUTE


@pytest.mark.parametrize("what", ["the store", "a trusted clock"])
def test_r5_what_keeps_a_key_from_retiring_is_named(what: str) -> None:
    """K1 is listed by nobody, and one thing cannot be read."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.servers["A"].keys = [K2]
    world.store_up = what != "the store"
    world.clock_error = START if what == "the store" else HOUR
    world.at(HOUR)
    (blocked,) = found(world, Reason.RetirementBlocked)
    assert f"these did not answer: {what}" in blocked.message
    assert world.entry("K1").unused_since_time is None


def test_r5_a_removal_that_cannot_be_written_is_overdue_and_told_when_it_is_done() -> None:
    """Overdue five minutes after its time, not before; KeyRetired once it has left."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    world.put_fails = True
    due = 25 * HOUR + 5 * MINUTE
    world.at(due + 5 * MINUTE)
    assert not found(world, Reason.RetirementOverdue)
    world.at(due + 6 * MINUTE)
    (overdue,) = found(world, Reason.RetirementOverdue)
    assert overdue.subject == "K1"
    assert "2026-01-02T01:05:00Z" in overdue.message
    world.put_fails = False
    result = world.at(due + 7 * MINUTE)
    assert [(event.reason, event.subject) for event in result.events] == [(Reason.KeyRetired, "K1")]
    assert not found(world, Reason.RetirementOverdue)
