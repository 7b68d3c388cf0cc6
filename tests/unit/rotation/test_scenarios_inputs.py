"""The rows of the scenario table in which readings fail, come back empty or change their source."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from oidc_publisher.rotation import Mints, SourceReading, advance
from tests.simulation.scenario import HOUR, MINUTE, T0, Server, Source, World, key, one_server

K1, K2, K3 = key("K1"), key("K2"), key("K3")


def test_lost_status_with_the_store_failing_too_takes_nothing_away_when_it_returns() -> None:
    """Row 3, harder: status wiped while sources and store fail; then the sources return first, with K2 only."""
    world = one_server("K1", "K2")
    world.at(timedelta(0))
    world.wipe_status()
    world.servers["A"].up = False
    world.store_up = False
    writes = len(world.writes)
    world.every(HOUR, until=24 * HOUR)
    world.servers["A"] = Server([K2], K2)
    world.every(4 * HOUR, until=48 * HOUR)
    assert len(world.writes) == writes
    world.store_up = True
    world.at(48 * HOUR + MINUTE)
    assert world.published == {"K1", "K2"}
    assert world.entry("K1").retire_time == T0 + 72 * HOUR + 6 * MINUTE, "counted from the first complete pass"


def test_restored_old_ledger_with_one_of_two_servers_reading() -> None:
    """Row 5, partial in the strict sense: A answers without K2, B is down; K2 comes back from the store."""
    world = World(servers={"A": Server([K1], K1), "B": Server([K1], K1)})
    world.at(timedelta(0))
    old = world.ledger
    world.servers["B"].keys = [K1, K2]
    world.at(HOUR)
    world.ledger = old
    world.servers["B"].up = False
    world.every(4 * HOUR, until=60 * HOUR)
    assert world.published == {"K1", "K2"}
    assert world.entry("K2").retire_time is None


def test_an_empty_endpointslice_delists_nothing_and_retires_nothing() -> None:
    """Row 10: EndpointSlice default/kubernetes names nobody for 60 h; the key that signed stays signing's key."""
    world = one_server("K1", "K2")
    world.at(timedelta(0))
    for hour in range(1, 60):
        world.true_now = T0 + hour * HOUR
        nobody = replace(
            world.look(),
            sources=(SourceReading("api", complete=False, missing=("any endpoint",), from_api_server=True),),
            mints=Mints(endpoints=()),
        )
        result = advance(world.ledger, nobody)
        world.ledger = result.ledger
        assert {k.key_id for k in result.publish} == {"K1", "K2"}
    assert all(entry.origins for entry in world.ledger.keys)
    assert all(entry.unused_since_time is None for entry in world.ledger.keys)


@pytest.mark.parametrize("removed", ["first", "second"])
def test_removing_either_source_retires_its_keys_alone(removed: str) -> None:
    """Row 11: a source is known by its entry, never by its place in the list."""
    world = World(sources={"first": Source([K1, K3]), "second": Source([K2, K3])})
    world.at(timedelta(0))
    gone, stays = ("K1", "K2") if removed == "first" else ("K2", "K1")
    kept = world.sources.pop(removed)
    world.at(HOUR)
    assert world.entry(gone).retire_time == T0 + 25 * HOUR + 5 * MINUTE
    assert world.entry(stays).unused_since_time is None
    assert world.entry("K3").unused_since_time is None
    world.sources[removed] = kept
    world.at(2 * HOUR)
    assert world.entry(gone).retire_time is None
    assert world.published == {"K1", "K2", "K3"}


def test_a_source_that_moved_within_the_list_is_the_same_source() -> None:
    """Row 11: the second becomes the first, and an unreadable one keeps its keys all the same."""
    world = World(sources={"first": Source([K1]), "second": Source([K2])})
    world.at(timedelta(0))
    world.sources = {"second": world.sources["second"], "first": world.sources["first"]}
    world.sources["second"].up = False
    world.every(4 * HOUR, until=60 * HOUR)
    assert world.entry("K2").origins
    assert world.published == {"K1", "K2"}


def test_the_last_readable_source_keeps_a_rollback_possible() -> None:
    """A key delisted by one source and still listed by another never retires."""
    world = World(servers={"A": Server([K1, K2], K2)}, sources={"cm": Source([K1, K2])})
    world.at(timedelta(0))
    world.servers["A"].keys = [K2]
    world.every(4 * HOUR, until=60 * HOUR)
    assert world.entry("K1").safe_since_time is not None
    assert world.published == {"K1", "K2"}


def test_an_unreadable_entry_keeps_its_key_when_its_source_is_edited() -> None:
    """Rows 10 and 11 at once: the spec's entry is edited while one file of it is garbage; it still may hold its key."""
    entries = {"K1": ("one.pub", 1), "K2": ("two.pub", 2), "K3": ("three.pub", 3)}
    world = World(sources={"cm": Source([K1, K2, K3], entries=entries)})
    world.at(timedelta(0))
    world.sources["cm"] = Source([K3], entries=entries, unreadable=frozenset({"one.pub"}))
    world.every(4 * HOUR, until=60 * HOUR)
    assert world.published == {"K1", "K3"}
    world.sources["cm"].unreadable = frozenset()
    world.every(HOUR, until=90 * HOUR)
    assert world.published == {"K3"}, "the entry is gone, and what it held retires as any other key"


def test_a_source_that_is_edited_while_it_cannot_be_read_forgets_nothing() -> None:
    """It is edited while the object is missing; when that is back, the entry that held K1 is garbage: K1 stays."""
    entries = {"K1": ("one.pub", 1), "K2": ("two.pub", 2)}
    world = World(sources={"cm": Source([K1, K2], entries=entries)})
    world.at(timedelta(0))
    world.sources["cm"] = Source([K2], entries=entries, up=False, unreadable=frozenset({"one.pub"}))
    world.at(HOUR)
    world.sources["cm"].up = True
    world.every(4 * HOUR, until=60 * HOUR)
    assert world.published == {"K1", "K2"}


def test_a_source_in_the_place_of_another_retires_nothing_before_it_was_read() -> None:
    """Row 11: what is no longer in the spec names nothing, and still nothing retires while its successor is missing."""
    world = World(sources={"api": Source([K1, K2])})
    world.at(timedelta(0))
    world.sources = {"cm": Source([K1], up=False)}
    world.every(HOUR, until=30 * HOUR)
    assert world.entry("K2").origins == ()
    assert world.entry("K2").unused_since_time is None
    assert world.published == {"K1", "K2"}
    world.sources["cm"].up = True
    world.at(31 * HOUR)
    assert world.entry("K2").unused_since_time == T0 + 31 * HOUR
    assert world.entry("K1").unused_since_time is None
