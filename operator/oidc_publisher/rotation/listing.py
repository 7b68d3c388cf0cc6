"""R1, R4, R8 and R15: how keys enter, who lists them and who does not, and which material a key ID stands for."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from oidc_publisher.keys.keyversion import MAX_VERSION_DIGITS
from oidc_publisher.rotation.cacheages import stale_age_now
from oidc_publisher.rotation.clock import coarse
from oidc_publisher.rotation.ledger import Ledger, LedgerKey, Origin, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oidc_publisher.keys import PublicKey
    from oidc_publisher.rotation.readings import Listing, Pass, SourceReading

#: Beyond this many entries only a key that signs enters: the ledger must fit into one object of the Kubernetes API (256 keys: 412 kB).
MAX_ENTRIES = 512
#: And beyond this many bytes, which 512 RSA-2048 keys just take: with RSA-16384 or long key IDs it would be 3 MiB. etcd takes
#: 1.5 MiB in one request (--max-request-bytes); the rest is for findings, conditions, the spec and annotations.
MAX_LEDGER_BYTES = 1_000_000
#: What an entry takes beside its key and its ID: every time and mark, and the names of its members in managedFields.
_ENTRY_BYTES = 1_400
#: In more entries of one source than this a key is noted without their names.
MAX_ORIGINS_OF_A_SOURCE = 8

_HIGHEST: int = 10**MAX_VERSION_DIGITS - 1


def settle_materials(ledger: Ledger, seen: Pass) -> Ledger:
    """R8: of several materials under one key ID, the one under which a fresh token verifies wins, else the first."""
    verified = {m.key_id: m.material for m in seen.mints.minted if m.material is not None}
    listed = {(key.key_id, key.spki): key for key in seen.listed}

    def settle(entry: LedgerKey) -> LedgerKey:
        winner = listed.get((entry.key_id, verified.get(entry.key_id, entry.key.spki)))
        if winner is None or winner.spki == entry.key.spki:
            return entry
        # Another material is another key: nothing that was observed of the former one is true of it.
        return replace(
            entry,
            key=winner,
            # Copies of a set with the former material lack this one, whatever age they were served under.
            stale_age=max(entry.stale_age, stale_age_now(ledger, seen)),
            material_changed=True,
            founding=False,
            baseline=False,
            signed_before_safe=False,
            published_time=None,
            rebuilt_time=None,
            served_since_time=None,
            safe_to_sign_time=None,
            safe_since_time=None,
            known_to_caches=False,
            first_signed_time=None,
            last_signed_time=None,
        )

    return replace(ledger, keys=tuple(settle(entry) for entry in ledger.keys))


def list_keys(ledger: Ledger, seen: Pass) -> Ledger:
    """R1 and R4: new keys enter, listed keys get their origins, complete sources delist what they no longer name."""
    fresh = _fresh_origins(seen)
    entered = _enter(ledger, seen)
    keys = tuple(_relist(entry, fresh.get(entry.key, {}), seen) for entry in entered.keys)
    return _name_versions(replace(entered, keys=keys), seen)


def _listings(seen: Pass) -> Iterator[tuple[SourceReading, Listing]]:
    for source in seen.sources:
        for listing in source.listings:
            yield source, listing


def _fresh_origins(seen: Pass) -> dict[PublicKey, dict[Origin, None]]:
    fresh: dict[PublicKey, dict[Origin, None]] = {}
    for source, listing in _listings(seen):
        fresh.setdefault(listing.key, {})[Origin(source.name, listing.entry)] = None
    return fresh


def _enter(ledger: Ledger, seen: Pass) -> Ledger:
    """R1: a key enters as soon as any source lists it, with the next number of the ledger until an entry names one."""
    known = {entry.key_id for entry in ledger.keys}
    verified = {(m.key_id, m.material) for m in seen.mints.minted if m.material is not None}
    chosen: dict[str, PublicKey] = {}
    for _, listing in _listings(seen):
        key = listing.key
        # R8 among newcomers: the material that signs enters, else the first.
        if key.key_id not in known and (key.key_id not in chosen or (key.key_id, key.spki) in verified):
            chosen[key.key_id] = key
    entries = list(ledger.keys)
    number = next_version(ledger)
    signing = {m.key_id for m in seen.mints.minted}
    size_bytes = sum(_size_bytes(entry.key) for entry in entries)
    for key in chosen.values():
        # R7, R11: who signs does not wait for room, and its API servers are few.
        if len(entries) >= MAX_ENTRIES and key.key_id not in signing:
            continue
        if size_bytes + _size_bytes(key) > MAX_LEDGER_BYTES and key.key_id not in signing:
            continue
        size_bytes += _size_bytes(key)
        entries.append(
            LedgerKey(
                key=key,
                version=number,
                first_seen_time=seen.now,
                token_lifetime=seen.policy.max_token_lifetime,
                stale_age=stale_age_now(ledger, seen),
            )
        )
        number = min(number + 1, _HIGHEST)
    return replace(ledger, keys=tuple(entries), next_version=number)


def _size_bytes(key: PublicKey) -> int:
    """About what the entry of a key takes in the object: its PEM, its ID there and in managedFields, and the rest."""
    # Go writes these three as \u003c and the like.
    key_id_bytes = len(json.dumps(key.key_id)) + 5 * sum(map(key.key_id.count, "<>&"))
    return len(key.spki) * 4 // 3 + 2 * key_id_bytes + _ENTRY_BYTES


def next_version(ledger: Ledger) -> int:
    """The next number for a key without a named version: above every number in use, so that the newest sorts first."""
    above = max([ledger.next_version, *(entry.version + 1 for entry in ledger.keys)])
    return min(above, _HIGHEST)


def _relist(entry: LedgerKey, fresh: dict[Origin, None], seen: Pass) -> LedgerKey:
    origins = dict(fresh)
    for source in seen.sources:
        for origin in (o for o in entry.origins if o.source == source.name):
            # R4: an incomplete source delists nothing, an unreadable entry keeps what was last read from it. A source is
            # known by its name: where its entry in the spec was edited, it may still hold the key until it, or that
            # entry, was read as it is now; a complete reading then delists whatever it does not name.
            if not source.complete or _may_be_in_what_is_unreadable(origin, source):
                origins.setdefault(origin, None)
    ordered = bounded_origins(origins, MAX_ORIGINS_OF_A_SOURCE)
    listed = coarse(entry.last_listed_time, seen.now) if fresh else entry.last_listed_time
    return replace(entry, origins=ordered, last_listed_time=listed)


def bounded_origins(origins: Iterable[Origin], most: int) -> tuple[Origin, ...]:
    """The origins in order; those of a source with more than `most` of them as one without an entry, which stands for all.

    Sources are few, entries are not: each costs up to 350 bytes in every key that it lists.
    """
    by_source: dict[str, list[Origin]] = defaultdict(list)
    for origin in sorted(origins, key=lambda o: (o.source, o.entry or "")):
        by_source[origin.source].append(origin)
    return tuple(
        origin for source, known in by_source.items() for origin in (known if len(known) <= most else (Origin(source),))
    )


def _may_be_in_what_is_unreadable(origin: Origin, source: SourceReading) -> bool:
    return bool(source.unreadable) if origin.entry is None else origin.entry in source.unreadable


def unreadable_entries_of(entry: LedgerKey, seen: Pass) -> tuple[tuple[str, str], ...]:
    """R4: the (source, entry) that cannot be read and may hold the key: it was last read from there, or rebuilt and not seen since."""
    return tuple(
        (source.name, name)
        for source in seen.sources
        for name in sorted(source.unreadable)
        if entry.last_listed_time is None
        or Origin(source.name, name) in entry.origins
        or Origin(source.name) in entry.origins
    )


def _name_versions(ledger: Ledger, seen: Pass) -> Ledger:
    """A version named by an entry beats an assigned one; the first source of the spec that names one decides."""
    named: dict[PublicKey, int] = {}
    for _, listing in _listings(seen):
        if listing.version is not None:
            named.setdefault(listing.key, listing.version)
    keys = tuple(
        replace(entry, version=named[entry.key], version_named=True) if entry.key in named else entry
        for entry in ledger.keys
    )
    return replace(ledger, keys=keys)


def note_unlisted(ledger: Ledger, seen: Pass) -> Ledger:
    """R15: note which API servers were read and do not list each key; what cannot be read stays as it was known.

    With a single API server a key may be listed and sign in one restart, so there it lacks nobody.
    """
    if not seen.has_api_servers:
        return replace(ledger, keys=tuple(replace(entry, unlisted_by=()) for entry in ledger.keys))
    counting = _counting(ledger, seen)
    if not counting:
        return ledger

    def lacks(entry: LedgerKey, address: str) -> bool:
        server = seen.servers.get(address)
        if server is None or not (server.whole or entry.key in server.keys):
            return address in entry.unlisted_by
        return entry.key not in server.keys

    def note(entry: LedgerKey) -> LedgerKey:
        speaks = len(counting) > 1 and entry.unused_since_time is None
        return replace(entry, unlisted_by=tuple(a for a in counting if lacks(entry, a)) if speaks else ())

    return replace(ledger, keys=tuple(note(entry) for entry in ledger.keys))


def _counting(ledger: Ledger, seen: Pass) -> tuple[str, ...]:
    """The API servers whose word R15 needs: the present ones; none while they are not known.

    A restart takes an API server out of the EndpointSlice for a moment. For one clockSkew it counts as one that cannot be
    read: it comes back, perhaps without the key.
    """
    lately_gone = {
        endpoint.address
        for endpoint in ledger.endpoints
        if endpoint.gone_since_time is not None and seen.now < endpoint.gone_since_time + seen.policy.clock_skew
    }
    present = seen.mints.endpoints
    return tuple(sorted({*present, *lately_gone})) if present else ()


def listed_everywhere(entry: LedgerKey, ledger: Ledger, seen: Pass) -> bool:
    """R15: whether the key may become safe in this pass: every API server was read, and none lacks the key."""
    if not seen.has_api_servers:
        return True
    read = {address for address, server in seen.servers.items() if server.whole or entry.key in server.keys}
    counting = _counting(ledger, seen)
    return bool(counting) and read.issuperset(counting) and not entry.unlisted_by
