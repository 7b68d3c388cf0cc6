"""R9 and the public URL: what the owner mark says of where it led, and what a lost status makes of that.

The set that `edges` gives is what the URL shows while it leads elsewhere.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from oidc_publisher.documents import DISCOVERY_PATH, OwnerMark
from oidc_publisher.findings import Reason
from tests.simulation.publicface import JWKS_PATH
from tests.simulation.scenario import HOUR, MINUTE, T0, ScenarioBucket, Server, World, key, one_server

K1, K2, K3 = key("K1"), key("K2"), key("K3")


def says_shown(world: World) -> bool:
    """Whether the stored key set's mark says that the public URL led there."""
    mark = OwnerMark.read(world.bucket.documents[JWKS_PATH].document.metadata)
    assert mark is not None
    return bool(mark.shown)


def moved(world: World) -> World:
    """The spec names an empty bucket, and the URL still shows the set of the former one."""
    world.edges = {"former": world.stored.keys}
    world.bucket = ScenarioBucket(name="new")
    world.run()
    return world


def unmark(world: World, *paths: str) -> None:
    """Take the word from the marks, as if an earlier version had written them, and keep everything else."""
    for path in paths:
        stored = world.bucket.documents[path]
        metadata = {k: v for k, v in stored.document.metadata.items() if k != "oidc-publisher-shown"}
        world.bucket.documents[path] = replace(stored, document=replace(stored.document, metadata=metadata))


def with_k2() -> World:
    """K2 is listed an hour after the first pass, and stored."""
    world = one_server("K1")
    world.run()
    world.servers = {"A": Server([K1, K2], K1)}
    world.at(HOUR)
    return world


def test_a_new_issuer_is_proven_by_its_first_documents_and_written_once() -> None:
    """The URL answered 404, and then shows the very set that was written. The word of it goes with the next write."""
    world = one_server("K1")
    world.run()
    assert world.ledger.shown
    assert not says_shown(world)
    world.every(HOUR, until=30 * HOUR)
    assert len(world.writes) == 1, "that it is shown is no reason to write"
    world.servers = {"A": Server([K1, K2], K1)}
    world.run()
    assert says_shown(world)
    assert not any(entry.only_here for entry in world.ledger.keys)


@pytest.mark.parametrize("unread", [False, True], ids=["shows the key", "cannot be read"])
def test_a_key_that_may_have_been_elsewhere_proves_nothing(unread: bool) -> None:
    """Somebody keeps the same set by hand, or may do so; the next key is at one place only."""
    world = one_server("K1")
    world.edges, world.wire_up = {"by hand": (K1,)}, not unread
    world.run()
    world.wire_up = True
    world.at(MINUTE)
    assert not world.ledger.shown, "every read shows exactly what is stored"
    world.edges = {}
    world.servers = {"A": Server([K1, K2], K1)}
    world.at(HOUR)
    assert world.ledger.shown
    assert not says_shown(world), "it was written before that was known"


def test_a_read_of_the_stored_set_beside_an_old_copy_takes_no_proof_away() -> None:
    """One edge still shows the former place, the other the new one."""
    world = moved(one_server_at_rest())
    world.servers = {"A": Server([K1, K2], K1)}
    world.edges = {"former": (K1,), "fresh": None}
    world.at(HOUR)
    assert not world.ledger.shown
    world.edges = {}
    world.at(2 * HOUR)
    assert world.ledger.shown


def one_server_at_rest() -> World:
    """An issuer whose URL is known to lead to its place."""
    world = one_server("K1")
    world.run()
    assert world.ledger.shown
    return world


def test_a_new_place_is_proven_by_the_next_key_that_the_url_shows() -> None:
    """The former place shows the same set; until another set is shown, what is written does not bear the word."""
    world = moved(one_server_at_rest())
    assert not world.ledger.shown
    world.edges = {}
    world.at(HOUR)
    assert not world.ledger.shown, "both places hold the same keys"
    world.servers = {"A": Server([K1, K2], K1)}
    world.at(2 * HOUR)
    assert world.ledger.shown
    assert not says_shown(world)
    world.servers = {"A": Server([K1, K2, K3], K1)}
    world.at(3 * HOUR)
    assert says_shown(world)
    assert len(world.writes) == 3


def test_a_key_that_is_listed_again_may_still_be_at_the_former_place() -> None:
    """It left the ledger at the new place; that the URL shows it again proves nothing."""
    world = moved(with_k2())
    world.servers = {"A": Server([K1], K1)}
    world.every(HOUR, until=40 * HOUR)
    assert world.ledger.get("K2") is None
    world.servers = {"A": Server([K1, K2], K1)}
    world.at(41 * HOUR)
    assert world.published == {"K1", "K2"}
    assert not world.ledger.shown


def test_a_place_that_is_taken_up_again_is_written_anew_without_the_word() -> None:
    """Its mark says that the URL led there once."""
    world = with_k2()
    former = world.bucket
    assert says_shown(world)
    moved(world)
    world.bucket = former
    world.at(2 * HOUR)
    assert not says_shown(world)


def test_a_url_that_leads_away_is_noted_once_no_copy_of_a_former_set_can_live() -> None:
    """The mark is written anew once; until then what is shown may be a copy, and nothing is written for that."""
    world = with_k2()
    world.edges = {"strange": (K1,)}
    world.at(HOUR + 9 * MINUTE)
    assert world.ledger.shown
    assert len(world.writes) == 2
    world.at(HOUR + 11 * MINUTE)
    assert not world.ledger.shown
    assert not says_shown(world)
    world.every(HOUR, until=30 * HOUR)
    assert len(world.writes) == 3
    world.edges = {}
    world.at(31 * HOUR)
    assert world.ledger.shown, "K2 was not elsewhere"
    assert len(world.writes) == 3


def test_a_mark_with_the_word_gives_its_age_to_a_lost_status_that_sees_the_key() -> None:
    """K2 is as old as the object."""
    world = with_k2()
    world.wipe_status()
    world.at(20 * HOUR)
    assert world.ledger.shown
    assert world.entry("K2").served_since_time == T0 + HOUR


@pytest.mark.parametrize("paths", [(JWKS_PATH,), (DISCOVERY_PATH,), (JWKS_PATH, DISCOVERY_PATH)])
def test_marks_without_the_word_make_no_key_old(paths: tuple[str, ...]) -> None:
    """Both must say it, for a crash may fall between them. An earlier version says it in neither."""
    world = with_k2()
    unmark(world, *paths)
    world.wipe_status()
    world.at(20 * HOUR)
    assert not world.ledger.shown
    assert world.entry("K2").served_since_time == T0 + 20 * HOUR
    assert world.entry("K2").published_time == T0 + HOUR
    world.at(21 * HOUR)
    assert not world.ledger.shown, "what is stored since then may be elsewhere as well"


def test_a_key_that_the_rebuilding_look_does_not_see_is_as_new_as_its_first_sighting() -> None:
    """What the URL showed while nobody looked is not known."""
    world = with_k2()
    world.wipe_status()
    world.wire_up = False
    world.at(2 * HOUR)
    world.wire_up = True
    world.at(30 * HOUR)
    assert world.entry("K2").served_since_time == T0 + 30 * HOUR


def test_an_earlier_versions_status_and_marks_cost_no_write_and_prove_nothing() -> None:
    """Neither says where the URL leads; the next key does."""
    world = with_k2()
    unmark(world, JWKS_PATH, DISCOVERY_PATH)
    world.ledger = replace(world.ledger, shown=False)
    world.every(HOUR, until=5 * HOUR)
    assert len(world.writes) == 2
    assert not world.ledger.shown
    world.servers = {"A": Server([K1, K2, K3], K1)}
    world.at(6 * HOUR)
    assert world.ledger.shown


def test_a_rebuilt_key_loses_its_age_while_the_place_is_anothers() -> None:
    """The clock was not trusted in the look that rebuilt it; then another owner's documents held the key for a day."""
    world = with_k2()
    world.wipe_status()
    world.clock_error = HOUR
    world.at(2 * HOUR)
    assert world.entry("K2").served_since_time is None
    kept = dict(world.bucket.documents)
    world.clock_error = timedelta(0)
    for path in kept:
        stored = world.bucket.documents[path]
        mark = {"oidc-publisher-owner": "another"}
        world.bucket.documents[path] = replace(stored, document=replace(stored.document, metadata=mark))
    world.at(3 * HOUR)
    assert Reason.OwnershipLost in {finding.reason for finding in world.operator.issuer.status.findings}
    world.bucket.documents.update(kept)
    world.at(30 * HOUR)
    assert world.entry("K2").served_since_time == T0 + 30 * HOUR
