"""R4: what a source delists, and what it keeps while it cannot be read."""

from __future__ import annotations

from oidc_publisher.findings import Reason
from oidc_publisher.rotation import Listing, Origin, SourceReading
from tests.simulation.rulecases import K1, K2, START, found
from tests.simulation.scenario import HOUR, MINUTE, T0, Server, Source, World


def test_r4_an_incomplete_source_delists_nothing() -> None:
    """Half of the API servers answer, without K1: it stays listed."""
    world = World(servers={"A": Server([K1, K2], K2), "B": Server([K1, K2], K2)})
    world.at(START)
    world.servers["A"].keys = [K2]
    world.servers["B"].up = False
    world.at(HOUR)
    assert world.entry("K1").origins
    assert world.entry("K1").unused_since_time is None


def test_r4_an_unreadable_entry_keeps_a_rebuilt_key_that_was_not_seen_since() -> None:
    """The status was lost, and the one entry that may hold the key cannot be read."""
    entries = {"K1": ("one.pub", 1), "K2": ("two.pub", 2)}
    world = World(sources={"cm": Source([K1, K2], entries=entries)})
    world.at(START)
    world.wipe_status()
    world.sources["cm"].keys = [K2]
    world.sources["cm"].unreadable = frozenset({"one.pub"})
    world.every(4 * HOUR, until=60 * HOUR)
    assert world.published == {"K1", "K2"}


def test_r4_an_edited_source_names_nothing_of_what_it_named_before() -> None:
    """The entry of the spec was edited, and what it points to now was read in full: K2 is listed by nobody."""
    world = World(sources={"a": Source([K1, K2])})
    world.at(START)
    world.sources["a"] = Source([K1], up=False)
    world.at(MINUTE)
    assert world.entry("K2").unused_since_time is None, "nothing retires before the new one was read"
    world.sources["a"].up = True
    world.at(2 * MINUTE)
    assert world.entry("K2").origins == ()
    assert world.entry("K2").unused_since_time == T0 + 2 * MINUTE


class Everywhere(Source):
    """A source in which twenty entries hold the same key."""

    def read(self, name: str) -> SourceReading:
        """List it twenty times."""
        return SourceReading(name, complete=True, listings=tuple(Listing(K2, f"{n}.pub") for n in range(20)))


def test_r4_a_key_in_many_entries_is_kept_while_any_entry_of_its_source_is_unreadable() -> None:
    """Their names are not kept, so each of them may be where it still is."""
    world = World(servers={"A": Server([K1], K1)}, sources={"cm": Everywhere()})
    world.at(START)
    assert world.entry("K2").origins == (Origin("cm"),)
    world.sources["cm"] = Source([K1], entries={"K1": ("one.pub", None)}, unreadable=frozenset({"7.pub"}))
    world.every(4 * HOUR, until=60 * HOUR)
    assert "K2" in world.published
    assert world.entry("K2").unused_since_time is None
    world.sources["cm"].unreadable = frozenset()
    world.at(61 * HOUR)
    assert world.entry("K2").unused_since_time is not None


def test_r4_a_key_that_only_an_unreadable_entry_may_hold_is_told_of() -> None:
    """Every pass is complete, and yet it never retires: the entry is named, else nobody knows what keeps it."""
    entries = {"K1": ("1.pub", 1), "K2": ("2.pub", 2)}
    world = World(servers={"A": Server([K2], K2)}, sources={"cm": Source([K1, K2], entries=entries)})
    world.at(START)
    world.sources["cm"] = Source([K2], entries=entries, unreadable=frozenset({"1.pub"}))
    world.every(4 * HOUR, until=60 * HOUR)
    assert world.ledger.last_complete_pass_time == T0 + 60 * HOUR
    assert "K1" in world.published
    (blocked,) = found(world, Reason.RetirementBlocked)
    assert blocked.subject == "K1"
    assert "it may be in what cannot be read: 1.pub of source cm" in blocked.message
    world.wipe_status()
    world.at(61 * HOUR)
    assert "1.pub of source cm" in found(world, Reason.RetirementBlocked)[0].message
    world.sources["cm"].unreadable = frozenset()
    world.at(62 * HOUR)
    assert not found(world, Reason.RetirementBlocked)
