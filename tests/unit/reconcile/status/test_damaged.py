"""A status that somebody damaged: no key leaves for it and no wait becomes shorter (invariants A and B, R9)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from oidc_publisher.documents import Document, StoredDocument
from oidc_publisher.findings import Reason
from oidc_publisher.rotation import advance
from tests.simulation.keypool import public_key
from tests.simulation.publicface import JWKS_PATH
from tests.simulation.scenario import DEFAULTS, HOUR, LOCATION, MINUTE, T0, Server, Source, World

OLD, NEW = public_key(1), public_key(2)
START = timedelta(0)

Damage = Callable[[dict[str, Any], dict[str, dict[str, Any]]], None]


def _damaged(world: World, damage: Damage) -> None:
    """The status is written anew as JSON, in which `damage` changes it and its keys by their ID."""
    raw: dict[str, Any] = copy.deepcopy({**world.operator.status})
    damage(raw, {key["keyID"]: key for key in raw["keys"]})
    world.operator.set_status(raw)


def _rebuilds(world: World) -> bool:
    """Whether the next pass tells that the ledger was rebuilt."""
    return Reason.LedgerRebuilt in {event.reason for event in advance(world.ledger, world.look()).events}


def _without(raw: dict[str, Any], keys: dict[str, dict[str, Any]]) -> None:
    raw["keys"].remove(keys[OLD.key_id])
    raw["keys"].append({"state": "Retiring"})


LOSSES: dict[str, Damage] = {
    "publicKey": lambda _, keys: keys[OLD.key_id].update(publicKey="damaged"),
    "firstSeenTime": lambda _, keys: keys[OLD.key_id].update(firstSeenTime="damaged"),
    "keyID": _without,
    "tokenLifetime": lambda _, keys: keys[OLD.key_id].pop("tokenLifetime"),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("store_up", [True, False])
def test_a_damaged_entry_of_a_retiring_key_costs_no_key(name: str, store_up: bool) -> None:
    """Nothing but its entry remembers it; the store brings it back, be it a day later, and it waits anew."""
    world = World(servers={"A": Server([OLD, NEW], NEW)})
    world.at(START)
    world.servers["A"].keys = [NEW]
    world.at(HOUR)
    _damaged(world, LOSSES[name])
    world.store_up = store_up
    assert _rebuilds(world) == store_up
    world.at(HOUR + MINUTE)
    world.store_up = True
    assert _rebuilds(world) != store_up, "told once, in the pass that could do it"
    world.at(2 * HOUR)
    assert world.published == {OLD.key_id, NEW.key_id}
    assert (world.entry(OLD.key_id).retire_time or T0) >= T0 + 25 * HOUR + 6 * MINUTE


def test_a_damaged_lifetime_is_that_of_the_mark() -> None:
    """It was 48 h when the key was used; the status now says nothing that can be read."""
    world = World(servers={"A": Server([OLD, NEW], NEW)}, policy=replace(DEFAULTS, max_token_lifetime=48 * HOUR))
    world.at(START)
    world.policy = DEFAULTS
    world.servers["A"].keys = [NEW]
    world.at(HOUR)
    _damaged(world, lambda _, keys: keys[OLD.key_id].update(tokenLifetime="2 days"))
    world.at(HOUR + MINUTE)
    assert world.entry(OLD.key_id).token_lifetime == 48 * HOUR
    assert world.stored.token_lifetime == 48 * HOUR


@pytest.mark.parametrize(
    "damage",
    [
        lambda _, keys: keys[NEW.key_id].update(staleAge="1 day"),
        lambda _, keys: keys[NEW.key_id].pop("staleAge"),
    ],
)
def test_a_damaged_stale_age_is_that_of_the_mark(damage: Damage) -> None:
    """The new key entered while copies of a day were out."""
    world = _waiting()
    _damaged(world, damage)
    world.at(HOUR + MINUTE)
    assert world.entry(NEW.key_id).stale_age == 24 * HOUR


def test_damaged_cache_ages_are_those_of_the_mark() -> None:
    """The new key enters when nobody but the owner mark knows of the day's age."""
    world = World(servers={"A": Server([OLD], OLD)}, policy=replace(DEFAULTS, cache_max_age=24 * HOUR))
    world.at(START)
    world.policy = DEFAULTS
    world.at(HOUR)
    _damaged(world, lambda raw, _: raw["ledger"].update(cacheAges="all"))
    world.servers["A"].keys = [OLD, NEW]
    world.at(2 * HOUR)
    assert world.entry(NEW.key_id).stale_age == 24 * HOUR


@pytest.mark.parametrize("member", ["lastCompletePassTime", "adoptedTime"])
def test_a_damaged_ledger_has_no_first_complete_pass(member: str) -> None:
    """The new key signed early, and is no baseline because the time of the last complete pass cannot be read."""
    world = _waiting()
    world.servers["A"].signer = NEW
    world.at(HOUR + MINUTE)
    if member == "adoptedTime":
        world.ledger = replace(world.ledger, last_complete_pass_time=None)
    _damaged(world, lambda raw, _: raw["ledger"].update({member: "damaged"}))
    world.at(2 * HOUR)
    assert not world.entry(NEW.key_id).baseline
    assert world.entry(NEW.key_id).safe_since_time is None


def test_a_key_whose_origin_was_damaged_is_kept_by_its_unreadable_entry() -> None:
    """R4 keeps what was last read from the entry, and what that was cannot be read."""
    world = World(servers={"A": Server([OLD, NEW], NEW)})
    world.at(START)
    world.servers["A"].keys = [NEW]
    world.sources["cm"] = Source([OLD, NEW], entries={OLD.key_id: ("1.pub", 1), NEW.key_id: ("2.pub", 2)})
    world.at(HOUR)
    world.sources["cm"] = Source([NEW], entries={NEW.key_id: ("2.pub", 2)}, unreadable=frozenset({"1.pub"}))
    _damaged(world, lambda _, keys: keys[OLD.key_id].update(origins=[{"entry": "1.pub"}]))
    world.every(HOUR, until=60 * HOUR)
    assert OLD.key_id in world.published


def test_a_removal_that_could_not_be_read_back_is_no_older_ledger() -> None:
    """R12: the serial of the write is in the status though nothing is known of the store; then the key is gone."""
    world = World(servers={"A": Server([OLD, NEW], NEW)})
    world.at(START)
    world.servers["A"].keys = [NEW]
    world.at(HOUR)
    write = world.bucket.write

    def goes_away(path: str, document: Document, expected: str | None, now: datetime) -> StoredDocument:
        stored = write(path, document, expected, now)
        world.bucket.up = path != JWKS_PATH
        return stored

    world.bucket.write = goes_away  # type: ignore[method-assign]
    world.at(26 * HOUR)
    publication = world.operator.issuer.status.publication
    assert publication is not None
    assert (publication.serial, publication.location) == (world.stored.serial, LOCATION)
    assert world.published == {NEW.key_id}
    events = advance(world.ledger, world.look()).events
    assert [(event.reason, event.subject) for event in events] == [(Reason.KeyRetired, OLD.key_id)]


def _waiting() -> World:
    """The new key is served, and waits a day longer for copies that live for a day."""
    world = World(servers={"A": Server([OLD], OLD)}, policy=replace(DEFAULTS, cache_max_age=24 * HOUR))
    world.at(START)
    world.policy = DEFAULTS
    world.servers["A"].keys = [OLD, NEW]
    world.at(HOUR)
    return world
