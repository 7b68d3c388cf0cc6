"""R9: what the stored documents give back to a ledger that was lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oidc_publisher.findings import Reason
from oidc_publisher.rotation import Ledger
from tests.simulation.rulecases import K1, K2, START
from tests.simulation.scenario import HOUR, MINUTE, T0, key, one_server


def test_r9_an_empty_ledger_and_an_unreadable_store_write_nothing() -> None:
    """There may be keys that nobody knows any more."""
    world = one_server("K1", "K2")
    world.at(START)
    world.wipe_status()
    world.servers["A"].keys = [K2]
    world.store_up = False
    writes = len(world.writes)
    world.at(HOUR)
    assert len(world.writes) == writes
    world.store_up = True
    world.at(2 * HOUR)
    assert world.published == {"K1", "K2"}, "K1 was rebuilt from the store, though a source named K2 meanwhile"


def test_r9_keys_without_our_mark_are_not_taken_in() -> None:
    """An empty ledger meets a set that nobody signed, at our own place: its keys are no keys of this cluster."""
    world = one_server("K1")
    world.at(START)
    world.stored = replace(world.stored, keys=(K1, key("evil")), ours=False)
    world.ledger = Ledger()
    world.at(MINUTE)
    assert world.ledger.get("evil") is None
    assert world.published == {"K1"}


@pytest.mark.parametrize("behind", [0, 1], ids=["at our serial", "below it"])
def test_r9_unknown_keys_under_a_mark_of_an_earlier_version_are_removed(behind: int) -> None:
    """Such a mark has no nonce, so that the serial alone says whether the stored set knows more than the ledger."""
    world = one_server("K1", "K2")
    world.at(START)
    world.stored = replace(world.stored, keys=(K1, key("evil")), serial=world.ledger.serial - behind, nonces=("",))
    result = world.at(HOUR)
    assert world.published == {"K1", "K2"}
    assert world.ledger.get("evil") is None
    assert Reason.LedgerRebuilt not in {event.reason for event in result.events}


def test_r9_a_rebuilt_key_waits_for_the_marks_stale_age() -> None:
    """K2 entered while copies lived for a day; when the status is lost, spec and wire have said five minutes for an hour."""
    world = one_server("K1")
    world.policy = replace(world.policy, cache_max_age=24 * HOUR)
    world.at(START)
    world.servers["A"].keys = [K1, K2]
    world.at(HOUR)
    world.policy = replace(world.policy, cache_max_age=5 * MINUTE)
    world.at(2 * HOUR)
    world.wipe_status()
    world.at(3 * HOUR)
    wire = world.look().wire
    assert wire is not None
    assert wire.max_age == 5 * MINUTE, "only the mark remembers the day"
    assert world.entry("K2").stale_age == 24 * HOUR
    assert world.entry("K2").safe_to_sign_time == T0 + 2 * HOUR + 48 * HOUR + 5 * MINUTE


def test_r9_a_rebuilt_ledger_is_told_of_once() -> None:
    """The status was lost."""
    world = one_server("K1", "K2")
    world.at(START)
    world.wipe_status()
    assert [event.reason for event in world.at(HOUR).events][-1] is Reason.LedgerRebuilt
    assert Reason.LedgerRebuilt not in {event.reason for event in world.at(2 * HOUR).events}
