"""Define the ledger, which holds every key and its times from the pass in which the key enters until it has left."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, cast

from oidc_publisher.keys import PublicKey

T = TypeVar("T")


def replace(value: T, /, **changes: Any) -> T:
    """Return a copy of a dataclass with these changes, or the same object where nothing changes.

    In most passes no key changes, and a copy costs ten times the comparison: ten rules would copy each of 512 keys.
    """
    if all(getattr(value, name) == change for name, change in changes.items()):
        return value
    return cast("T", dataclasses.replace(cast("Any", value), **changes))


@dataclass(frozen=True, slots=True)
class Origin:
    """An Origin names the source that lists a key, by its name in the spec, and the entry if the source has entries."""

    source: str
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """A LedgerKey holds one key and its times (aware UTC, whole seconds, rounded up).

    The rules decide by the fields up to `leaving`. `last_listed_time` and `last_signed_time` are for people, and
    coarse, so that an issuer at rest costs few writes of its status.

    `founding`: the key was listed in the first pass over an empty location, of an issuer that mints no tokens (R3).
    `baseline`: the key signed already in the first complete pass (R10).
    `signed_before_safe`: the first signature was seen before the key was safe; decided once (R10).
    `material_changed`: the key ID stood for another key before; set until every cache knows this key (R8).
    `known_to_caches`: the key has waited in full (R3), so that it is safe whenever no API server lacks it (R15).
    `unlisted_by`: the API servers (HOST:PORT) that were read and do not list the key; empty where there is only one.
    `rebuilt_time`: the last-modified time of the stored object. A rebuilt key counts as served since then, once the
    public endpoint shows the key (R9).
    `only_here`: while `Ledger.shown` is False, no other location to which the public URL may lead can hold the key (R9).
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
    only_here: bool = False
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

    @property
    def settled(self) -> bool:
        """Whether the key is listed, safe at every API server, and neither about to leave nor about to be replaced."""
        safe = self.known_to_caches and self.safe_since_time is not None and not self.unlisted_by
        leaves = self.leaving or self.unused_since_time is not None or self.retire_time is not None
        return safe and bool(self.origins) and not leaves and not self.material_changed


@dataclass(frozen=True, slots=True)
class CacheAge:
    """A CacheAge holds a cache age under which sets were served, and the time until which copies of them may exist."""

    age: timedelta
    until_time: datetime


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An Endpoint holds an API server (HOST:PORT) and the kid of its latest minted token.

    `gone_since_time` is set once the API server has left the EndpointSlice.
    """

    address: str
    key_id: str
    gone_since_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The Ledger holds everything that the rules remember between passes.

    `serial`: the number of the latest write, raised before the write is tried (R12).
    `jwks_digest`: the digest of the bytes that were written, or are to be written, under `serial`.
    `next_version`: the next number for a key whose version no entry names.
    `adopted_time`: when another owner's documents were taken over. No relying party knows a key that was not in them.
    `nonces`: the nonces of this ledger's writes, newest last; the latest one is saved before its write is tried.
    `unknown_writer_time`: when a mark with a nonce that the ledger did not know rebuilt the ledger (R9).
    `second_writer_time`: since when a second writer under the same owner mark prevents every write (R9).
    `shown`: the public URL is known to lead to the location of the documents (R9).
    `cache_ages_forgotten_time`: cache ages seen before this time were forgotten, as `forgetCacheAgesBefore` asked (R3).
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
    shown: bool = False
    cache_ages_forgotten_time: datetime | None = None

    @property
    def settled(self) -> bool:
        """Whether every key is listed and safe at every API server, so that no key waits for a time or a proof."""
        return bool(self.keys) and all(entry.settled for entry in self.keys)

    def get(self, key_id: str) -> LedgerKey | None:
        """Return the entry of `key_id`, None when the ledger has none."""
        return next((k for k in self.keys if k.key_id == key_id), None)


class State(StrEnum):
    """A State names the phase of a key, for people. No rule decides by it; the first state that matches wins."""

    LEAVING = "Leaving"
    RETIRING = "Retiring"
    SIGNING = "Signing"
    SAFE_TO_SIGN = "SafeToSign"
    SERVED = "Served"
    PUBLISHED = "Published"
    PENDING = "Pending"


def state(entry: LedgerKey, signing: frozenset[str]) -> State:
    """Return the state of `entry`; `signing` are the kids of the latest tokens of the present API servers."""
    matches = (
        (State.LEAVING, entry.leaving),
        (State.RETIRING, entry.unused_since_time is not None),
        (State.SIGNING, entry.key_id in signing),
        (State.SAFE_TO_SIGN, entry.safe_since_time is not None),
        (State.SERVED, entry.served_since_time is not None),
        (State.PUBLISHED, entry.published_time is not None),
    )
    return next((name for name, holds in matches if holds), State.PENDING)
