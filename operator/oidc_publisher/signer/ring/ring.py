"""Define the ring, which holds every version of the signing key, and what is left of versions that are gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from oidc_publisher.keys import PublicKey, newest_first


@dataclass(frozen=True, slots=True)
class PrivateHalf:
    """A PrivateHalf holds a private key as unencrypted PKCS#8 in DER. Its repr shows nothing of it."""

    pkcs8: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RingKey:
    """A RingKey is one version of the signing key.

    `private` is None once the key only verifies, and where the private half was lost. `imported`: the key signed
    tokens before the ring existed. `signed_time` is when the ring said that the first signer may sign with the key, and
    `verify_only_time` when its private half was destroyed. Times are aware UTC in whole seconds.
    """

    number: int
    key: PublicKey
    created_time: datetime
    private: PrivateHalf | None = None
    imported: bool = False
    signed_time: datetime | None = None
    verify_only_time: datetime | None = None

    @property
    def key_id(self) -> str:
        """The key's `kid`."""
        return self.key.key_id

    @property
    def verify_only(self) -> bool:
        """Whether the key verifies tokens in the cluster, and is excluded from the published set."""
        return self.verify_only_time is not None

    @property
    def can_sign(self) -> bool:
        """Whether the private half is there and may be used."""
        return self.private is not None and not self.verify_only


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A Tombstone is what is left of a version, so that nothing brings it back; `withdrawn`: somebody asked for it."""

    number: int
    key_id: str
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Ring:
    """The Ring holds all versions, newest first, and the highest number that was ever used.

    `lineage` tells this ring from every other one, and `serial` counts the writes. Rings with the same members are
    equal: members are sorted, and `highest` is never below a number of theirs.
    """

    lineage: str
    serial: int = 0
    highest: int = 0
    keys: tuple[RingKey, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()

    def __post_init__(self) -> None:
        """Sort the members, and raise `highest` to the greatest of their numbers."""
        keys = newest_first(self.keys, by=lambda k: (k.number, k.created_time, k.key_id))
        tombstones = tuple(sorted(self.tombstones, key=lambda t: (t.number, t.key_id), reverse=True))
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "tombstones", tombstones)
        object.__setattr__(self, "highest", max(self.highest, *(n for n, _ in self.claims), 0))

    @property
    def members(self) -> tuple[RingKey | Tombstone, ...]:
        """All versions, and all that are gone."""
        return (*self.keys, *self.tombstones)

    @property
    def claims(self) -> tuple[tuple[int, str], ...]:
        """The number and the key ID of each version, and of each that is gone."""
        return tuple((member.number, member.key_id) for member in self.members)

    def get(self, key_id: str) -> RingKey | None:
        """Return the version with this key ID, None when there is none or it is gone."""
        return next((key for key in self.keys if key.key_id == key_id), None)

    def with_new(self, key: PublicKey, private: PrivateHalf, *, at: datetime, imported: bool = False) -> Self:
        """Return the ring with one more version, whose number was never used (S2)."""
        new = RingKey(self.highest + 1, key, at, private, imported=imported)
        return replace(self, keys=(new, *self.keys))

    def with_changed(self, changed: RingKey) -> Self:
        """Return the ring with another state of a version, which is found by its key ID."""
        return replace(self, keys=tuple(changed if k.key_id == changed.key_id else k for k in self.keys))

    def without(self, key_ids: Iterable[str], *, withdrawn: bool = False) -> Self:
        """Return the ring with tombstones in place of versions; their private halves are gone with them."""
        buried = frozenset(key_ids)
        stones = (Tombstone(k.number, k.key_id, withdrawn) for k in self.keys if k.key_id in buried)
        kept = tuple(k for k in self.keys if k.key_id not in buried)
        return replace(self, keys=kept, tombstones=(*self.tombstones, *stones))
