"""R12: the ledger and the store in step: serials, and entries that outlive a removal that failed."""

from __future__ import annotations

from tests.simulation.rulecases import K2, START
from tests.simulation.scenario import HOUR, one_server


def test_r12_every_write_raises_the_serial_and_an_entry_goes_after_the_store_was_read_without_it() -> None:
    """The serial of the stored object and of the ledger are one."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    assert (world.ledger.serial, world.stored.serial) == (1, 1)
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    world.put_fails = True
    world.at(26 * HOUR)
    assert world.ledger.serial == 2
    assert world.entry("K1").leaving
    world.put_fails = False
    world.at(27 * HOUR)
    assert world.ledger.get("K1") is None
    assert world.stored.serial == world.ledger.serial == 3


def test_r12_an_unreadable_store_deletes_no_entry() -> None:
    """A key that leaves stays in the ledger while nobody can say whether it has left."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    world.put_fails = True
    world.at(26 * HOUR)
    world.store_up = False
    world.at(27 * HOUR)
    assert world.entry("K1").leaving
