"""What the simulation has found: each history once broke an invariant, and is told here in the order of its events."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from oidc_publisher.api import Adoption
from oidc_publisher.documents import cache_control, jwks_document
from oidc_publisher.keys import PublicKey
from tests.simulation.cluster import Cluster, Server
from tests.simulation.keypool import public_key
from tests.simulation.places import leave_documents
from tests.simulation.publicface import JWKS_PATH, Bucket
from tests.simulation.world import DAY, HOUR, MINUTE, SECOND, T0, World, started

pytestmark = pytest.mark.slow  # days of an issuer's life each: together they take as long as a thousand other tests

K1, K2, K3 = public_key(1), public_key(2), public_key(3)


def _server(world: World) -> Server:
    return next(iter(world.cluster.servers.values()))


def _list(world: World, *keys: PublicKey) -> None:
    world.settle()
    _server(world).files = list(keys)
    world.run_pass()


def _promote(world: World, key: PublicKey) -> None:
    """Sign with `key` as soon as the status calls it safe, which it must do within four days."""
    for _ in range(4 * 24 * 60):
        if world.may_sign(key):
            break
        world.wait(MINUTE)
    world.settle()
    assert world.may_sign(key)
    _server(world).signer = key
    world.settle()


def _meet_a_fresh_edge(world: World) -> None:
    """From now on the probe meets an edge that was purged, and none of those that hold older copies."""
    world.edges[2].copy = None
    world.meets = (2, 2)


def _drop_from_bucket(world: World, key: PublicKey) -> None:
    """A rival takes a key out of the stored set."""
    stored = world.bucket.documents[JWKS_PATH]
    era = world.bucket.era
    assert era is not None
    body = jwks_document(sorted(era.keys - {key}, key=lambda k: k.key_id))
    world.bucket.overwrite(JWKS_PATH, replace(stored.document, body=body), world.now)
    world.run_pass()


def test_a_status_set_back_to_a_former_retirement_removes_no_key_that_was_used_since() -> None:
    """K1 once retired, came back and signed; the backup from its retirement says that it was due long ago."""
    world = started(1, named=False, interval=HOUR)
    _list(world, K1, K2)
    _promote(world, K2)
    _list(world, K2)
    backup = world.operator.status
    _list(world, K1, K2)
    world.wait(HOUR)
    _promote(world, K1)
    _list(world, K1, K2, K3)
    world.wait(48 * HOUR)
    _promote(world, K2)
    _list(world, K2)
    world.set_status(backup)
    world.run_pass()
    world.wait(30 * HOUR)


def test_a_status_set_back_to_when_a_key_was_safe_does_not_make_its_successor_in_waiting_safe() -> None:
    """K1 was safe, left for good, and is listed again; the backup from its better days does not shorten its wait."""
    world = started(1, named=False, interval=HOUR)
    _list(world, K1, K2)
    _promote(world, K2)
    backup = world.operator.status
    _list(world, K2)
    world.wait(48 * HOUR)
    _list(world, K1, K2)
    world.wait(HOUR)
    world.set_status(backup)
    world.run_pass()
    _promote(world, K1)


def test_a_status_set_back_does_not_shorten_the_life_of_tokens() -> None:
    """The backup is from before the lifetime was 48 h, and it was lowered again: the owner mark remembers."""
    world = started(1, named=False, interval=HOUR)
    _list(world, K1, K2)
    _promote(world, K2)
    backup = world.operator.status
    world.set_rotation(max_token_lifetime=48 * HOUR)
    world.wait(HOUR)
    _list(world, K1, K2, K3)
    _promote(world, K1)
    world.set_rotation(max_token_lifetime=24 * HOUR)
    world.wait(HOUR)
    world.token_lifetime = 48 * HOUR
    world.settle()
    world.token_lifetime = 24 * HOUR
    _promote(world, K2)
    _list(world, K2)
    world.set_status(backup)
    world.run_pass()
    world.wait(30 * HOUR)


def test_a_key_of_the_baseline_waits_in_full_after_a_rival_removed_it() -> None:
    """K1 is of the baseline, K2 signs; a rival removes K1 for a minute, and a rollback to K1 waits for those copies."""
    world = started(1, named=False, interval=HOUR)
    _list(world, K1, K2)
    _promote(world, K2)
    world.wait(26 * HOUR)
    _drop_from_bucket(world, K1)
    world.wait(MINUTE)
    _promote(world, K1)


def test_a_lowered_max_age_and_a_lost_status_still_leave_copies_of_the_longer_age() -> None:
    """The age was raised to a day when all keys were safe, lowered, the status lost: K2 waits for the copies of a day."""
    world = started(1, named=False, interval=HOUR)
    world.wait(26 * HOUR)
    world.set_spec(cache_max_age=24 * HOUR)
    world.wait(2 * HOUR)
    world.set_spec(cache_max_age=5 * MINUTE)
    world.run_pass()
    _meet_a_fresh_edge(world)
    world.set_status({})
    world.wait(MINUTE)
    _list(world, K1, K2)
    _promote(world, K2)


def test_a_ledger_rebuilt_under_a_clock_that_is_behind_makes_nothing_safe_early() -> None:
    """The status is lost a minute after K2 was written, and the operator's clock is ten minutes behind."""
    world = started(1, named=False, interval=HOUR)
    world.wait(HOUR)
    _list(world, K1, K2)
    world.wait(MINUTE)
    world.set_status({})
    world.clock_error = -10 * MINUTE
    _meet_a_fresh_edge(world)
    world.run_pass()
    world.clock_error = timedelta(0)
    _promote(world, K2)


def test_a_cache_age_is_not_forgotten_while_the_wire_cannot_be_read() -> None:
    """While the operator was away for a day somebody lowered the age in the store too; at its return the probe fails."""
    world = started(1, named=False, interval=HOUR)
    world.wait(26 * HOUR)
    world.set_spec(cache_max_age=24 * HOUR)
    world.wait(2 * HOUR)
    world.suspended = True
    world.wait(25 * HOUR)
    stored = world.bucket.documents[JWKS_PATH].document
    world.bucket.overwrite(JWKS_PATH, replace(stored, cache_control=cache_control(5 * MINUTE)), world.now)
    world.suspended = False
    world.set_spec(cache_max_age=5 * MINUTE)
    world.wire_up = False
    _list(world, K1, K2)
    world.wait(SECOND)
    world.wire_up = True
    _meet_a_fresh_edge(world)
    _promote(world, K2)


def test_a_set_that_somebody_else_made_right_restarts_the_clock_once() -> None:
    """While the operator is away somebody removes by hand the key that is due: nothing is written, and K2 becomes safe."""
    world = started(1, named=False, interval=HOUR)
    _list(world, K1, K2)
    _promote(world, K2)
    _list(world, K2)
    world.suspended = True
    world.wait(25 * HOUR)
    world.suspended = False
    _drop_from_bucket(world, K1)
    world.wait(25 * HOUR)
    assert world.may_sign(K2)
    assert world.operator.ledger.get(K1.key_id) is None


def _two() -> tuple[World, Server, Server]:
    """Two API servers; K2 comes into the key files of the first one alone."""
    world = started(2, named=False, interval=HOUR)
    one, other = world.cluster.servers.values()
    one.files.append(K2)
    return world, one, other


def test_a_key_is_not_safe_while_the_server_that_lacks_it_cannot_be_read() -> None:
    """R15: nobody has read the other one since the key came, and it does not have it."""
    world, _, other = _two()
    other.up = False
    world.wait(30 * HOUR)
    assert not world.may_sign(K2)
    other.up = True
    world.run_pass()
    assert not world.may_sign(K2)
    other.files.append(K2)
    world.run_pass()
    assert world.may_sign(K2)


def test_a_key_is_not_safe_while_the_server_that_lacks_it_restarts() -> None:
    """R15: for a moment the EndpointSlice names one API server, which would be free to sign with what it likes."""
    world, _, other = _two()
    world.wait(30 * HOUR)
    other.restarting, other.present, other.up = True, False, False
    world.run_pass()
    assert not world.may_sign(K2)
    other.restarting, other.present, other.up = False, True, True
    world.run_pass()
    assert not world.may_sign(K2)


@pytest.mark.parametrize("restarted", [False, True], ids=["same-process", "restarted"])
def test_a_status_that_was_set_back_while_the_store_was_away_makes_nobody_a_second_writer(*, restarted: bool) -> None:
    """The old ledger is saved by a pass that cannot see what was written since; those writes were our own."""
    world = started(1, named=False, interval=HOUR)
    backup = world.operator.status
    _list(world, K1, K2)
    world.set_status(backup)
    if restarted:
        world.operator.restart()
    world.bucket.up = False
    world.run_pass()
    world.bucket.up = True
    for _ in range(2):
        world.run_pass()
        assert "OwnershipLost" not in {finding.reason for finding in world.operator.issuer.status.findings}
    assert world.entry(K2) is not None


def _strangers_old_documents(world: World) -> Bucket:
    """A place where nobody's documents have been lying for ten days, with K2 among their keys."""
    place = Bucket(name="new")
    leave_documents(place, world.operator.spec, (K1, K2), world.now - 10 * DAY, signed=False, fitting=True)
    return place


def _fresh_edges(world: World) -> None:
    for edge in world.edges:
        edge.copy = None


def test_documents_at_a_new_place_do_not_make_a_key_old_that_the_url_shows_since_a_minute() -> None:
    """Merge on the way to another store: the URL still shows the former one, and K2 there was written just now."""
    world = started(1, named=False, interval=HOUR)
    world.wait(26 * HOUR)
    world.wire_up = False
    _list(world, K1, K2)
    world.wait(30 * SECOND)
    place, world.wire_up = _strangers_old_documents(world), True
    _fresh_edges(world)
    world.move(place, Adoption.MERGE)
    world.run_pass()
    assert not world.may_sign(K2)


def test_documents_at_a_new_place_do_not_make_a_key_old_that_the_url_never_showed() -> None:
    """The former store is down, so that K2 was never written there; the URL is led to the new one an hour later."""
    world = started(1, named=False, interval=HOUR)
    world.wait(26 * HOUR)
    world.bucket.up = False
    _list(world, K1, K2)
    place, world.wire_up = _strangers_old_documents(world), False
    world.move(place, Adoption.MERGE)
    world.run_pass()
    world.wait(HOUR)
    world.origin.show(place, world.now)
    world.wire_up = True
    _fresh_edges(world)
    world.run_pass()
    assert not world.may_sign(K2)


def _moved(world: World) -> Bucket:
    """Another store, to which the documents were moved; the URL still leads to the former one."""
    place = Bucket(name="new")
    world.move(place, Adoption.REFUSE)
    world.run_pass()
    return place


def _lead(world: World, place: Bucket) -> None:
    """The URL is led to another place, and the edges forget what they hold."""
    world.settle()
    world.origin.show(place, world.now)
    _fresh_edges(world)


def test_a_lost_status_makes_no_key_old_that_was_written_where_the_url_did_not_lead() -> None:
    """K2 is written to a new store, the status lost, the URL unreadable for a day; then it is led to the new store."""
    world = started(1, named=False, interval=HOUR)
    place = _moved(world)
    _list(world, K1, K2)
    world.set_status({})
    world.wire_up = False
    world.wait(25 * HOUR)
    _lead(world, place)
    world.wire_up = True
    world.run_pass()
    assert not world.may_sign(K2)


def test_a_status_lost_while_the_url_is_switched_makes_no_key_old() -> None:
    """Every pass reads the URL, which is led to the new store between two of them, and the status is lost right then."""
    world = started(1, named=False, interval=HOUR)
    place = _moved(world)
    _list(world, K1, K2)
    world.wait(25 * HOUR)
    world.set_status({})
    _lead(world, place)
    world.run_pass()
    assert not world.may_sign(K2)
    world.wait(25 * HOUR)
    assert world.may_sign(K2)


@pytest.mark.parametrize("unread", [False, True], ids=["read", "unread"])
def test_a_lost_status_makes_no_key_old_while_the_url_leads_to_what_somebody_keeps_by_hand(*, unread: bool) -> None:
    """The object is new, and the URL shows a bucket made by hand with K1, which perhaps no pass has read."""
    world = started(1, named=False, interval=HOUR, by_hand=True, unread=unread)
    _list(world, K1, K2)
    world.wait(25 * HOUR)
    world.set_status({})
    _lead(world, world.bucket)
    world.wire_up = True
    world.run_pass()
    assert not world.may_sign(K2)


def _moved_back(*, written: bool) -> tuple[World, Bucket]:
    """K2 stands at the former store since long, left the new one, which the URL shows, and is listed again on the way back.

    `written`: the operator has written there again. Then the status is lost.
    """
    world = started(1, named=False, interval=HOUR)
    former = world.bucket
    _list(world, K1, K2)
    world.wait(HOUR)
    place = _moved(world)
    _lead(world, place)
    _list(world, K1)
    world.wait(30 * HOUR)
    assert world.origin.era is not None
    assert world.origin.era.keys == {K1}
    world.move(former, Adoption.REFUSE)
    _server(world).files = [K1, K2]
    if written:
        world.run_pass()
        world.wait(25 * HOUR)
    world.set_status({})
    return world, former


def test_a_place_that_is_taken_up_again_makes_no_key_old() -> None:
    """The operator has written there again, while the URL led to the other one until now."""
    world, former = _moved_back(written=True)
    _lead(world, former)
    world.run_pass()
    assert not world.may_sign(K2)


def test_a_former_place_makes_no_key_old_while_the_url_cannot_be_read() -> None:
    """What stands there says that the URL led there once."""
    world, former = _moved_back(written=False)
    world.wire_up = False
    world.run_pass()
    world.wait(HOUR)
    _lead(world, former)
    world.wire_up = True
    world.run_pass()
    assert not world.may_sign(K2)


def test_a_url_that_was_seen_to_lead_elsewhere_makes_no_key_old() -> None:
    """It led here when K2 was written; then it showed somebody's bucket for a day, and no pass saw its return."""
    world = started(1, named=False, interval=HOUR)
    _list(world, K1, K2)
    world.wait(MINUTE)
    strange = Bucket(name="strange")
    leave_documents(strange, world.operator.spec, (K1,), world.now, signed=False, fitting=True)
    _lead(world, strange)
    world.wait(25 * HOUR)
    world.set_status({})
    _lead(world, world.bucket)
    world.run_pass()
    assert not world.may_sign(K2)


def _with_k2_at_rest() -> World:
    """K2 was rotated in long ago, so that the URL is known to lead to the place; it signs, and K1 is listed beside it."""
    world = started(1, named=False, interval=HOUR)
    _list(world, K1, K2)
    _promote(world, K2)
    assert world.operator.ledger.shown
    return world


def _kept_by_hand(world: World) -> Bucket:
    """Somebody's own copy of what is stored now, without our mark."""
    place = Bucket(name="by-hand")
    leave_documents(place, world.operator.spec, (K1, K2), world.now, signed=False, fitting=True)
    return place


def test_an_object_that_was_deleted_and_made_again_makes_no_key_old() -> None:
    """K3 was stored when the object was deleted. For ten days the URL leads to what somebody keeps by hand, and then back."""
    world = _with_k2_at_rest()
    _list(world, K1, K2, K3)
    world.wait(MINUTE)
    _lead(world, _kept_by_hand(world))
    world.suspended = True
    world.wait(10 * DAY)
    world.suspended = False
    _lead(world, world.bucket)
    world.operator.recreate()
    world.run_pass()
    assert not world.may_sign(K3)
    written = world.operator.ledger.serial
    world.wait(25 * HOUR)
    assert world.may_sign(K3)
    assert world.operator.ledger.serial == written


@pytest.mark.parametrize("losses", [1, 2])
def test_marks_that_were_copied_with_their_documents_make_no_key_old(losses: int) -> None:
    """The bucket is copied, metadata and all, and the object made again for the copy; the URL leads to the first one."""
    world = _with_k2_at_rest()
    copied = Bucket(name="copied")
    for path, stored in world.bucket.documents.items():
        copied.overwrite(path, stored.document, world.now)
    world.move(copied, Adoption.REFUSE)
    world.set_status({})
    world.wire_up = losses == 2
    world.run_pass()
    _list(world, K1, K2, K3)
    world.suspended = losses == 2
    world.wait(25 * HOUR)
    world.suspended, world.wire_up = False, True
    world.set_status({})
    _lead(world, copied)
    world.run_pass()
    assert not world.may_sign(K3)


@pytest.mark.parametrize("read", [False, True], ids=["unread", "read until then"])
def test_a_url_that_cannot_be_read_since_a_key_was_written_makes_no_key_old(*, read: bool) -> None:
    """It led here before; while nobody sees it, it leads to what somebody keeps by hand. The status is lost on its way back."""
    world = _with_k2_at_rest()
    world.wire_up = read
    _list(world, K1, K2, K3)
    world.wire_up = False
    _lead(world, _kept_by_hand(world))
    world.wait(25 * HOUR)
    world.set_status({})
    _lead(world, world.bucket)
    world.wire_up = True
    world.run_pass()
    assert not world.may_sign(K3)


def test_a_url_that_shows_another_set_under_another_age_makes_no_key_old() -> None:
    """What somebody keeps by hand states no age, so that for a day it might be a copy; the status is lost before that."""
    world = _with_k2_at_rest()
    _list(world, K1, K2, K3)
    world.wait(MINUTE)
    place = _kept_by_hand(world)
    stored = place.documents[JWKS_PATH]
    place.overwrite(JWKS_PATH, replace(stored.document, cache_control=""), world.now)
    _lead(world, place)
    world.wait(23 * HOUR)
    led_back = world.now
    world.set_status({})
    _lead(world, world.bucket)
    world.run_pass()
    while not world.may_sign(K3):
        world.wait(HOUR)
    assert world.now >= led_back + 48 * HOUR


def test_a_former_version_that_is_put_back_for_a_moment_is_cached_under_its_own_age() -> None:
    """The probe meets copies from before, so that only the store tells of the longer age; K2 comes two hours later."""
    world = started(1, named=False, interval=2 * HOUR)
    world.set_spec(cache_max_age=DAY)
    world.run_pass()
    former = dict(world.bucket.documents)
    world.set_spec(cache_max_age=5 * MINUTE)
    world.wait(6 * DAY)
    for edge in world.edges:
        edge.get(world.now)
    for path, stored in former.items():
        world.bucket.overwrite(path, stored.document, world.now)
    world.run_pass()
    assert world.bucket.documents[JWKS_PATH].document.cache_control.endswith("=300")
    world.wait(2 * HOUR)
    _list(world, K1, K2)
    _promote(world, K2)


def test_documents_that_are_taken_over_make_no_key_older_than_the_url_that_shows_them() -> None:
    """They were put there ten days ago, K2 among them, and the URL leads there since this moment."""
    world = World(Cluster({"10.0.0.1:6443": Server([K1, K2], K1)}), HOUR)
    leave_documents(world.bucket, world.operator.spec, (K1, K2), T0 - 10 * DAY, signed=False, fitting=True)
    world.set_spec(adoption=Adoption.MERGE)
    world.run_pass()
    assert not world.may_sign(K2)


def test_where_every_key_is_withdrawn_the_last_one_stays_and_is_not_safe() -> None:
    """R14 and D: both were safe; one of them is published until another key comes, and nobody is told to sign with it."""
    world = started(1, named=False, interval=HOUR)
    _list(world, K1, K2)
    world.wait(26 * HOUR)
    assert world.may_sign(K1)
    assert world.may_sign(K2)
    world.withdraw(frozenset({K1, K2}))
    world.run_pass()
    assert not any(entry.safe_since_time for entry in world.operator.ledger.keys)
    assert world.bucket.era is not None
    assert len(world.bucket.era.keys) == 1
    _list(world, K1, K2, K3)
    assert world.bucket.era.keys == {K3}
    _promote(world, K3)


def test_no_key_is_safe_at_a_place_that_another_owner_took() -> None:
    """R2: another owner writes over the documents and keeps our keys in them; given back, they wait in full."""
    world = started(1, named=False, interval=HOUR)
    _list(world, K1, K2)
    world.wait(26 * HOUR)
    kept = dict(world.bucket.documents)
    leave_documents(world.bucket, world.operator.spec, (K1, K2, K3), world.now, signed=True, fitting=True)
    world.bucket.seized = True
    world.wait(30 * HOUR)
    assert not world.may_sign(K2)
    for path, stored in kept.items():
        world.bucket.overwrite(path, stored.document, world.now)
    world.bucket.seized = False
    world.run_pass()
    assert not world.may_sign(K2)
    _promote(world, K2)
