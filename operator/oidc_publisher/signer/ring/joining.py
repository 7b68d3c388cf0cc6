"""Join two copies of a ring, and give every version a number of its own again (S2, S3, S4).

`join` takes of each version what is newest in either copy, whichever copy is older, so that a copy that was restored,
emptied or delayed loses nothing and brings nothing back. Copies may be joined in any order and any number of times with
one result. `settle` decides what `join` cannot: who keeps a number that two versions have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from oidc_publisher.errors import PublisherError
from oidc_publisher.findings import Reason
from oidc_publisher.signer.ring.ring import PrivateHalf, Ring, RingKey, Tombstone

_NEVER = datetime.max.replace(tzinfo=UTC)


class AnotherLineageError(PublisherError):
    """The two copies are of different rings, which are never joined (S4)."""


@dataclass(frozen=True, slots=True)
class Renumbered:
    """A Renumbered says that a version lost its number to another version, and which number it has now."""

    key_id: str
    former: int
    number: int


def join(one: Ring, other: Ring) -> Ring:
    """Return every version of both copies; commutative, associative and idempotent.

    A tombstone wins over a version. A key that only verifies wins, and its private half is destroyed in the result. The
    earliest times win, and the greatest number of one version, because renumbering goes upwards. Two versions may have
    one number in the result: `settle` follows.

    Raises AnotherLineageError for copies of different rings.
    """
    if one.lineage != other.lineage:
        raise AnotherLineageError(
            Reason.RingReplaced, "The Secret holds another ring of signing keys than the disk of this signer"
        )
    keys: dict[str, RingKey] = {}
    for key in (*one.keys, *other.keys):
        keys[key.key_id] = _joined(keys.get(key.key_id, key), key)
    stones: dict[str, Tombstone] = {}
    for stone in (*one.tombstones, *other.tombstones):
        known = stones.get(stone.key_id, stone)
        live = keys.pop(stone.key_id, None)
        number = max(known.number, stone.number, live.number if live else 0)
        stones[stone.key_id] = Tombstone(number, stone.key_id, withdrawn=known.withdrawn or stone.withdrawn)
    return Ring(
        one.lineage,
        max(one.serial, other.serial),
        max(one.highest, other.highest),
        tuple(keys.values()),
        tuple(stones.values()),
    )


def _joined(one: RingKey, other: RingKey) -> RingKey:
    verify_only_time = _earliest(one.verify_only_time, other.verify_only_time)
    return RingKey(
        max(one.number, other.number),
        one.key,
        min(one.created_time, other.created_time),
        None if verify_only_time else _private(one, other),
        imported=one.imported or other.imported,
        signed_time=_earliest(one.signed_time, other.signed_time),
        verify_only_time=verify_only_time,
    )


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((time for time in (one, other) if time), default=None)


def _private(one: RingKey, other: RingKey) -> PrivateHalf | None:
    """Return the private half. Of two encodings of one key the lesser wins, so that the order of the copies is no matter."""
    return min((k.private for k in (one, other) if k.private), key=lambda p: p.pkcs8, default=None)


def settle(ring: Ring, keeper: Ring | None = None) -> tuple[Ring, tuple[Renumbered, ...]]:
    """Return the ring in which no number has two versions, and which versions had to be renumbered.

    A number stays with the version that has it in `keeper`, the copy that all signers share. Otherwise it stays with
    the version that was in use first. The others get numbers that were never used.
    """
    shared = frozenset(keeper.claims) if keeper else frozenset()
    taken: set[int] = set()
    renumbered: list[Renumbered] = []
    for member in sorted(ring.members, key=lambda m: _rank(m, shared)):
        if member.number in taken:
            number = ring.highest + len(renumbered) + 1
            renumbered.append(Renumbered(member.key_id, member.number, number))
        taken.add(member.number)
    numbers = {each.key_id: each.number for each in renumbered}
    keys = tuple(replace(k, number=numbers.get(k.key_id, k.number)) for k in ring.keys)
    stones = tuple(replace(t, number=numbers.get(t.key_id, t.number)) for t in ring.tombstones)
    return replace(ring, keys=keys, tombstones=stones), tuple(renumbered)


def _rank(member: RingKey | Tombstone, shared: frozenset[tuple[int, str]]) -> tuple[bool, datetime, datetime, str]:
    """Return what decides about a number; the lesser keeps it. What is gone was in use before all that is there."""
    foreign = (member.number, member.key_id) not in shared
    if isinstance(member, Tombstone):
        gone = datetime.min.replace(tzinfo=UTC)
        return foreign, gone, gone, member.key_id
    return foreign, member.signed_time or _NEVER, member.created_time, member.key_id
