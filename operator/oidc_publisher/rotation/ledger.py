"""The ledger: what is remembered of every key from the moment it enters until it has left."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, cast

from oidc_publisher.keys import PublicKey

T = TypeVar("T")


def replace(value: T, /, **changes: Any) -> T:
    """A dataclass with these changes; the same object where nothing changes.

    In most passes nothing does, for any key, and a copy costs ten times the comparison: ten rules copied each of 512 keys.
    """
    if all(getattr(value, name) == change for name, change in changes.items()):
        return value
    return cast("T", dataclasses.replace(cast("Any", value), **changes))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a key is listed: a source by its name, which is unique in the spec, and the entry where it has any."""

    source: str
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """One key and its times (aware UTC, whole seconds, rounded up).

    The fields up to `leaving` decide; `last_listed_time` and `last_signed_time` are for people, and coarse, so that a
    resting issuer costs few writes of its status.

    `founding`: it was listed in the first pass of an issuer that mints no tokens, over an empty place (R3).
    `baseline`: it signed already in the first complete pass (R10). `signed_before_safe`: decided once (R10).
    `material_changed`: its ID stood for another key before, until this one is known to every cache (R8).
    `known_to_caches`: it has waited in full (R3), so that it is safe whenever no API server lacks it (R15).
    `unlisted_by`: the API servers (HOST:PORT) that were read and do not list it; none where there is only one.
    `rebuilt_time`: the stored object's last-modified time, from which a rebuilt key is served once the wire shows it (R9).
    """

    key: PublicKey
    version: int
    first_seen_time: datetime
    token_lifetime: timedelta
    stale_age: timedelta
    version_named: bool = False
    origins: tuple[Origin, ...] = ()
    founding: bool = False
    baseline: bool = False
    signed_before_safe: bool = False
    material_changed: bool = False
    known_to_caches: bool = False
    unlisted_by: tuple[str, ...] = ()
    published_time: datetime | None = None
    rebuilt_time: datetime | None = None
    served_since_time: datetime | None = None
    safe_to_sign_time: datetime | None = None
    safe_since_time: datetime | None = None
    first_signed_time: datetime | None = None
    unused_since_time: datetime | None = None
    retire_time: datetime | None = None
    leaving: bool = False
    last_listed_time: datetime | None = None
    last_signed_time: datetime | None = None

    @property
    def key_id(self) -> str:
        """The key's `kid`."""
        return self.key.key_id


@dataclass(frozen=True, slots=True)
class CacheAge:
    """A cache age under which sets were served; copies of them may live until `until_time`."""

    age: timedelta
    until_time: datetime


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An API server (HOST:PORT) and the kid of its latest token; `gone_since_time` once it left the EndpointSlice."""

    address: str
    key_id: str
    gone_since_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything that is remembered between passes.

    `serial` is the number of the latest write, raised before it is tried (R12); `jwks_digest` is the digest of the
    bytes that this serial stands for. `next_version` is the next number for a key that no entry names a version for.
    `adopted_time` is when another owner's documents were taken over: keys that were not in them are new to the world.
    `nonces` are those of our writes, newest last, the latest of them saved before it is tried. `unknown_writer_time` is when
    a mark with a nonce that nobody remembered rebuilt the ledger, `second_writer_time` since when a second writer under our
    mark keeps us from writing (R9). `cache_ages_forgotten_time`: cache ages seen before it were forgotten, as a person asked.
    """

    keys: tuple[LedgerKey, ...] = ()
    serial: int = 0
    jwks_digest: str = ""
    next_version: int = 1
    cache_ages: tuple[CacheAge, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    last_complete_pass_time: datetime | None = None
    adopted_time: datetime | None = None
    nonces: tuple[str, ...] = ()
    unknown_writer_time: datetime | None = None
    second_writer_time: datetime | None = None
    cache_ages_forgotten_time: datetime | None = None

    def get(self, key_id: str) -> LedgerKey | None:
        """The entry of `key_id`, None when the ledger has none."""
        return next((k for k in self.keys if k.key_id == key_id), None)


class State(StrEnum):
    """What a person calls the phase that a key is in; the first that matches wins."""

    LEAVING = "Leaving"
    RETIRING = "Retiring"
    SIGNING = "Signing"
    SAFE_TO_SIGN = "SafeToSign"
    SERVED = "Served"
    PUBLISHED = "Published"
    PENDING = "Pending"


def state(entry: LedgerKey, signing: frozenset[str]) -> State:
    """The state of `entry` while the keys of `signing` are those of the present API servers' latest tokens."""
    matches = (
        (State.LEAVING, entry.leaving),
        (State.RETIRING, entry.unused_since_time is not None),
        (State.SIGNING, entry.key_id in signing),
        (State.SAFE_TO_SIGN, entry.safe_since_time is not None),
        (State.SERVED, entry.served_since_time is not None),
        (State.PUBLISHED, entry.published_time is not None),
    )
    return next((name for name, holds in matches if holds), State.PENDING)
