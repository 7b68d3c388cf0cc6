"""The status holds the ledger: this module writes and reads it. A round trip loses nothing that a rule decides by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from oidc_publisher.api import (
    OIDCIssuerStatus,
    StatusCacheAge,
    StatusEndpoint,
    StatusKey,
    StatusKeyOrigin,
    StatusLedger,
    StatusPublication,
)
from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.keys import PublicKey, format_version, parse_version
from oidc_publisher.rotation import CacheAge, Endpoint, Ledger, LedgerKey, Origin, signing_key_ids, state

#: The ledger and the status name these times alike.
_TIMES = (
    "published_time",
    "rebuilt_time",
    "served_since_time",
    "safe_to_sign_time",
    "safe_since_time",
    "first_signed_time",
    "unused_since_time",
    "retire_time",
    "last_listed_time",
    "last_signed_time",
)
#: The ledger and the status name these marks alike; an absent mark is False.
_MARKS = (
    "version_named",
    "founding",
    "baseline",
    "signed_before_safe",
    "material_changed",
    "known_to_caches",
    "only_here",
    "leaving",
)


def keys_of(ledger: Ledger) -> tuple[StatusKey, ...]:
    """Return the ledger's keys as status.keys, in the ledger's order (newest first)."""
    signing = signing_key_ids(ledger)
    return tuple(_status_key(entry, signing) for entry in ledger.keys)


def ledger_of(ledger: Ledger) -> StatusLedger:
    """Return the members of the ledger beside its keys as status.ledger."""
    return StatusLedger(
        next_version=format_version(ledger.next_version),
        last_complete_pass_time=ledger.last_complete_pass_time,
        adopted_time=ledger.adopted_time,
        nonces=ledger.nonces,
        unknown_writer_time=ledger.unknown_writer_time,
        second_writer_time=ledger.second_writer_time,
        shown=ledger.shown or None,
        cache_ages_forgotten_time=ledger.cache_ages_forgotten_time,
        cache_ages=tuple(StatusCacheAge(age=c.age, until_time=c.until_time) for c in ledger.cache_ages),
        endpoints=tuple(
            StatusEndpoint(address=e.address, key_id=e.key_id, gone_since_time=e.gone_since_time)
            for e in ledger.endpoints
        ),
    )


@dataclass(frozen=True, slots=True)
class LedgerReading:
    """A ledger reading is the ledger that a status holds, and what of that status is damaged.

    `damaged` are the paths below `status` of the entries that lack what no entry can be without.
    """

    ledger: Ledger
    damaged: tuple[str, ...]


def read_ledger(status: OIDCIssuerStatus) -> LedgerReading:
    """Read the ledger in `status`; a damaged ledger has the entries that are left, and serial 0.

    A ledger behind the store's serial is rebuilt from the stored set and its mark (R9): what is missing here comes back
    from there, and what is there still waits at least as long as the mark says.
    """
    held = status.ledger or StatusLedger()
    publication = status.publication or StatusPublication(serial=0)
    read = [(key, _entry(key)) for key in status.keys]
    keys = _unique(entry for _, entry in read if entry is not None)
    damaged = tuple(f"keys[{place}]" for place, (key, entry) in enumerate(read) if _is_damaged(key, entry))
    ledger = Ledger(
        keys=keys,
        serial=publication.serial or 0,
        jwks_digest=publication.jwks_digest or "",
        next_version=_version(held.next_version, default=1),
        cache_ages=tuple(CacheAge(c.age, c.until_time) for c in held.cache_ages),
        endpoints=tuple(Endpoint(e.address, e.key_id, e.gone_since_time) for e in held.endpoints if e.key_id),
        last_complete_pass_time=held.last_complete_pass_time,
        adopted_time=held.adopted_time,
        nonces=held.nonces,
        unknown_writer_time=held.unknown_writer_time,
        second_writer_time=held.second_writer_time,
        shown=bool(held.shown),
        cache_ages_forgotten_time=held.cache_ages_forgotten_time,
    )
    return LedgerReading(_behind(ledger) if publication.serial is None or damaged else ledger, damaged)


def _is_damaged(key: StatusKey, entry: LedgerKey | None) -> bool:
    return entry is None or key.token_lifetime is None or key.stale_age is None


def _behind(ledger: Ledger) -> Ledger:
    """Return a damaged ledger as a ledger that the store must complete, because nobody knows what else it has lost.

    It is no fresh one, whose signers would be the baseline (R10). Where an entry of a source cannot be read, it may hold
    any of the keys (R4), for what was last read from it may be lost too.
    """
    begun = min((entry.first_seen_time for entry in ledger.keys), default=None)
    return replace(
        ledger,
        keys=tuple(replace(entry, last_listed_time=None) for entry in ledger.keys),
        serial=0,
        nonces=(),
        shown=False,
        last_complete_pass_time=ledger.last_complete_pass_time or begun,
    )


def _status_key(entry: LedgerKey, signing: frozenset[str]) -> StatusKey:
    return StatusKey(
        key_id=entry.key_id,
        version=format_version(entry.version),
        algorithm=entry.key.algorithm,
        public_key=entry.key.to_pem(),
        origins=tuple(StatusKeyOrigin(source=o.source, entry=o.entry) for o in entry.origins),
        unlisted_by=entry.unlisted_by,
        state=str(state(entry, signing)),
        stale_age=entry.stale_age,
        token_lifetime=entry.token_lifetime,
        first_seen_time=entry.first_seen_time,
        **dict.fromkeys((name for name in _MARKS if getattr(entry, name)), True),
        **{name: time for name in _TIMES if (time := getattr(entry, name)) is not None},
    )


def _entry(key: StatusKey) -> LedgerKey | None:
    material = _material(key)
    if material is None or key.first_seen_time is None:
        return None
    told: dict[str, Any] = {name: bool(getattr(key, name)) for name in _MARKS}
    told |= {name: getattr(key, name) for name in _TIMES}
    # An earlier version wrote the permission alone. No key had the permission before the wait was over.
    told["known_to_caches"] |= key.safe_since_time is not None
    return LedgerKey(
        key=material,
        version=_version(key.version, default=0),
        first_seen_time=key.first_seen_time,
        token_lifetime=key.token_lifetime or timedelta(0),
        stale_age=key.stale_age or timedelta(0),
        origins=tuple(Origin(o.source, o.entry) for o in key.origins),
        unlisted_by=key.unlisted_by,
        **told,
    )


def _material(key: StatusKey) -> PublicKey | None:
    try:
        return PublicKey.from_pem(key.public_key, key.key_id) if key.public_key is not None else None
    except KeyRefusedError:
        return None


def _unique(keys: Iterable[LedgerKey]) -> tuple[LedgerKey, ...]:
    return tuple({entry.key_id: entry for entry in keys}.values())


def _version(text: str | None, *, default: int) -> int:
    if text is None:
        return default
    try:
        return parse_version(text)
    except KeyRefusedError:
        return default
