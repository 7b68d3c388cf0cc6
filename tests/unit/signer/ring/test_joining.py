"""Joining copies of a ring (S1 to S4): nothing is lost, nothing comes back, and a number has one key."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from oidc_publisher.findings import Reason
from oidc_publisher.signer.ring import AnotherLineageError, Renumbered, Ring, Tombstone, join, settle
from tests.support.examples import about
from tests.support.rings import HOUR, NOW, copies, key_id, ring_key, ring_of

COPIES = copies()
#: `make mutate` runs these tests without the profiles of the suite, on machines of any load.
ANY_LOAD = about(120, suppress_health_check=list(HealthCheck))


@ANY_LOAD
@given(COPIES, COPIES)
def test_the_order_of_two_copies_does_not_matter(one: Ring, other: Ring) -> None:
    """Commutative: the disk joined with the Secret is the Secret joined with the disk."""
    assert join(one, other) == join(other, one)


@ANY_LOAD
@given(COPIES, COPIES, COPIES)
def test_copies_may_be_joined_in_any_order(one: Ring, other: Ring, third: Ring) -> None:
    """Associative: three signers come to one ring, whoever writes first."""
    assert join(join(one, other), third) == join(one, join(other, third))


@ANY_LOAD
@given(COPIES, COPIES)
def test_joining_again_changes_nothing(one: Ring, other: Ring) -> None:
    """Idempotent: a signer that looks twice writes once."""
    joined = join(one, other)
    assert join(one, one) == one
    assert join(joined, one) == join(joined, other) == joined


@ANY_LOAD
@given(COPIES, COPIES, st.booleans())
def test_no_number_has_two_keys(one: Ring, other: Ring, shared: bool) -> None:
    """Whatever was joined, also copies in which numbers were taken twice already."""
    settled, renumbered = settle(join(one, other), other if shared else None)
    numbers = [number for number, _ in settled.claims]
    assert len(numbers) == len(set(numbers))
    assert all(each.number > max(one.highest, other.highest) for each in renumbered)
    assert settled.highest == max([one.highest, other.highest, *numbers])


@ANY_LOAD
@given(COPIES, COPIES)
def test_a_settled_ring_heals_every_copy_for_good(one: Ring, other: Ring) -> None:
    """A copy from before the conflict comes back, again and again: no version moves a second time."""
    settled, _ = settle(join(one, other), other)
    assert settle(settled) == (settled, ())
    for late in (one, other):
        again, renumbered = settle(join(settled, late), settled)
        assert (again, renumbered) == (settled, ())


@ANY_LOAD
@given(COPIES, COPIES)
def test_nothing_is_lost_and_nothing_comes_back(one: Ring, other: Ring) -> None:
    """Every key ID stays, what is gone stays gone, and a destroyed private half stays destroyed."""
    joined, _ = settle(join(one, other), other)
    assert {k for _, k in joined.claims} == {k for _, k in (*one.claims, *other.claims)}
    gone = {stone.key_id for stone in (*one.tombstones, *other.tombstones)}
    assert {stone.key_id for stone in joined.tombstones} == gone
    excluded = {key.key_id for key in (*one.keys, *other.keys) if key.verify_only}
    assert all(key.verify_only and key.private is None for key in joined.keys if key.key_id in excluded)
    able = {key.key_id for key in (*one.keys, *other.keys) if key.private} - excluded - gone
    assert {key.key_id for key in joined.keys if key.can_sign} == able


@ANY_LOAD
@given(COPIES, COPIES)
def test_the_copy_that_all_share_keeps_its_numbers(one: Ring, other: Ring) -> None:
    """S3: the Secret's version keeps its number, the disk's becomes another, unless the disk knows it under a later one."""
    shared, _ = settle(other)
    joined, _ = settle(join(one, shared), shared)
    known = {k: n for n, k in one.claims}
    kept = {(number, k) for number, k in shared.claims if known.get(k, 0) <= number}
    assert kept <= set(joined.claims)


def test_an_empty_copy_is_filled_from_any_other() -> None:
    """S3: a Secret that was emptied under the same lineage heals from one disk."""
    disk = ring_of(ring_key(2), ring_key(1, signed=NOW), gone=(Tombstone(3, key_id(9)),))
    assert join(Ring(disk.lineage), disk) == disk
    assert join(disk, Ring(disk.lineage)) == disk


def test_an_eleven_of_a_restored_ring_becomes_a_twelve() -> None:
    """The table of cold starts: a signer was away while etcd was restored and another one made its own version 11."""
    away = ring_of(ring_key(11, seed=1, signed=NOW), ring_key(10, signed=NOW - HOUR))
    secret = ring_of(ring_key(11, seed=2, signed=NOW + HOUR), ring_key(10, signed=NOW - HOUR))
    settled, renumbered = settle(join(secret, away), secret)
    assert [(key.number, key.key_id) for key in settled.keys] == [(12, key_id(1)), (11, key_id(2)), (10, key_id(10))]
    assert renumbered == (Renumbered(key_id(1), 11, 12),)
    assert all(key.can_sign for key in settled.keys)


def test_without_a_shared_copy_the_version_in_use_keeps_the_number() -> None:
    """Whoever signed first keeps it, before whoever was made first."""
    early, signed = ring_key(5, seed=1), ring_key(5, seed=2, signed=NOW)
    early = replace(early, created_time=NOW - 9 * HOUR)
    settled, _ = settle(join(ring_of(early), ring_of(signed)))
    assert [(key.number, key.key_id) for key in settled.keys] == [(6, key_id(1)), (5, key_id(2))]


def test_a_number_of_any_length_is_a_number() -> None:
    """S2: 10 is newer than 9, and 10**30 newer than both."""
    ring = ring_of(ring_key(9), ring_key(10**30, seed=1), ring_key(10))
    assert [key.number for key in ring.keys] == [10**30, 10, 9]
    public, private = ring.keys[0].key, ring.keys[0].private
    assert private is not None
    assert ring.with_new(public, private, at=NOW).keys[0].number == 10**30 + 1


def test_a_number_that_was_ever_used_is_never_used_again() -> None:
    """S2: neither a version that is gone nor one that only the disk's `highest` remembers."""
    ring = ring_of(ring_key(3), highest=7, gone=(Tombstone(9, key_id(9)),))
    assert ring.highest == 9
    public, private = ring_key(1).key, ring_key(1).private
    assert private is not None
    assert ring.with_new(public, private, at=NOW).keys[0].number == 10
    assert ring.without([key_id(3)]).highest == 9


def test_another_ring_is_never_joined() -> None:
    """S4: a person decides, and the error says so."""
    with pytest.raises(AnotherLineageError) as caught:
        join(ring_of(ring_key(1)), replace(ring_of(ring_key(1)), lineage="another"))
    assert caught.value.reason is Reason.RingReplaced
    assert not caught.value.retryable


def test_a_private_half_is_in_no_repr() -> None:
    """Tracebacks and logs show values by their repr."""
    key = ring_key(1)
    assert key.private is not None
    text = repr(ring_of(key))
    assert "PrivateHalf()" in text
    assert repr(key.private.pkcs8) not in text
