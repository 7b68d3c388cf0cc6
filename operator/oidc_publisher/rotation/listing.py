"""Enter keys, note which sources and API servers list them, and settle each key ID's material (R1, R4, R8, R15)."""

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

#: Above this many entries only a key that signs enters: the ledger must fit into one object (256 keys take 412 kB).
MAX_ENTRIES = 512
#: The same limit in bytes, about the size of 512 RSA-2048 keys. 512 RSA-16384 keys, or long key IDs, would take 3 MiB,
#: and etcd accepts 1.5 MiB in one request (--max-request-bytes); the rest is for findings, conditions, the spec and
#: annotations.
MAX_LEDGER_BYTES = 1_000_000
#: The size of an entry without its key and its ID: every time and flag, and the names of its members in managedFields.
_ENTRY_BYTES = 1_400
#: A key that more than this many entries of one source list is noted without the entries' names.
MAX_ORIGINS_OF_A_SOURCE = 8

_HIGHEST: int = 10**MAX_VERSION_DIGITS - 1


def settle_materials(ledger: Ledger, seen: Pass) -> Ledger:
    """Choose one material per key ID (R8): the one under which a fresh token verifies, else the first that was seen."""
    verified = {m.key_id: m.material for m in seen.mints.minted if m.material is not None}
    listed = {(key.key_id, key.spki): key for key in seen.listed}

    def settle(entry: LedgerKey) -> LedgerKey:
        winner = listed.get((entry.key_id, verified.get(entry.key_id, entry.key.spki)))
        if winner is None or winner.spki == entry.key.spki:
            return entry
        # Another material is another key: no observation of the former key holds for the new one.
        return replace(
            entry,
            key=winner,
            # Copies of a set with the former material lack the new one, whatever age these copies were served under.
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
            only_here=False,
            first_signed_time=None,
            last_signed_time=None,
        )

    return replace(ledger, keys=tuple(settle(entry) for entry in ledger.keys))


def list_keys(ledger: Ledger, seen: Pass) -> Ledger:
    """Enter new keys (R1), note the origins of listed keys, and delist what complete sources no longer name (R4)."""
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
    """Enter each key that any source lists (R1), with the ledger's next number until an entry names a version."""
    known = {entry.key_id for entry in ledger.keys}
    verified = {(m.key_id, m.material) for m in seen.mints.minted if m.material is not None}
    chosen: dict[str, PublicKey] = {}
    for _, listing in _listings(seen):
        key = listing.key
        # R8 for new keys: the material that signs enters, else the first.
        if key.key_id not in known and (key.key_id not in chosen or (key.key_id, key.spki) in verified):
            chosen[key.key_id] = key
    entries = list(ledger.keys)
    number = next_version(ledger)
    signing = {m.key_id for m in seen.mints.minted}
    size_bytes = sum(_size_bytes(entry.key) for entry in entries)
    for key in chosen.values():
        # R7, R11: a key that signs does not wait for room. There are few such keys, at most one for each API server.
        if len(entries) >= MAX_ENTRIES and key.key_id not in signing:
            continue
        if size_bytes + _size_bytes(key) > MAX_LEDGER_BYTES and key.key_id not in signing:
            continue
        size_bytes += _size_bytes(key)
        entries.append(
            LedgerKey(
                key=key,
                version=number,
                only_here=not ledger.shown,
                first_seen_time=seen.now,
                token_lifetime=seen.policy.max_token_lifetime,
                stale_age=stale_age_now(ledger, seen),
            )
        )
        number = min(number + 1, _HIGHEST)
    return replace(ledger, keys=tuple(entries), next_version=number)


def _size_bytes(key: PublicKey) -> int:
    """Estimate the bytes of a key's entry in the object: the PEM, the ID (in status and managedFields), and the rest."""
    # Go's JSON encoder writes these three characters as \u003c, \u003e and \u0026.
    key_id_bytes = len(json.dumps(key.key_id)) + 5 * sum(map(key.key_id.count, "<>&"))
    return len(key.spki) * 4 // 3 + 2 * key_id_bytes + _ENTRY_BYTES


def next_version(ledger: Ledger) -> int:
    """Return the next number for a key without a named version.

    The number is above every number in use, so that the newest key sorts first.
    """
    above = max([ledger.next_version, *(entry.version + 1 for entry in ledger.keys)])
    return min(above, _HIGHEST)


def _relist(entry: LedgerKey, fresh: dict[Origin, None], seen: Pass) -> LedgerKey:
    origins = dict(fresh)
    for source in seen.sources:
        for origin in (o for o in entry.origins if o.source == source.name):
            # R4: an incomplete source delists nothing, and an unreadable entry keeps the keys last read from it. A
            # source is identified by its name. A source whose spec was edited may still hold the key until the source,
            # or the origin's entry, was read under the new spec; a complete reading then delists each key that it does
            # not name.
            if not source.complete or _may_be_in_what_is_unreadable(origin, source):
                origins.setdefault(origin, None)
    ordered = bounded_origins(origins, MAX_ORIGINS_OF_A_SOURCE)
    listed = coarse(entry.last_listed_time, seen.now, seen.phase) if fresh else entry.last_listed_time
    return replace(entry, origins=ordered, last_listed_time=listed)


def bounded_origins(origins: Iterable[Origin], most: int) -> tuple[Origin, ...]:
    """Return the origins in order, where one origin without an entry replaces those of a source with more than `most`.

    A spec has few sources, but a source may have many entries, and each costs up to 350 bytes in every key that it
    lists.
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
    """Return each unreadable (source, entry) that may hold the key (R4).

    The key was last read from that entry, or was rebuilt (R9) and not seen since.
    """
    return tuple(
        (source.name, name)
        for source in seen.sources
        for name in sorted(source.unreadable)
        if entry.last_listed_time is None
        or Origin(source.name, name) in entry.origins
        or Origin(source.name) in entry.origins
    )


def _name_versions(ledger: Ledger, seen: Pass) -> Ledger:
    """Replace assigned versions by named ones.

    Where several sources name one, the first source of the spec decides. A key that no source names has the version
    that the SigningKeyRing claims for its key ID, also when no source lists the key any more.
    """
    named: dict[PublicKey, int] = {}
    for _, listing in _listings(seen):
        if listing.version is not None:
            named.setdefault(listing.key, listing.version)

    def name(entry: LedgerKey) -> LedgerKey:
        version = named.get(entry.key, seen.ring_versions.get(entry.key_id))
        return entry if version is None else replace(entry, version=version, version_named=True)

    return replace(ledger, keys=tuple(name(entry) for entry in ledger.keys))


def note_unlisted(ledger: Ledger, seen: Pass) -> Ledger:
    """Note for each key which API servers were read and do not list the key (R15).

    An API server that cannot be read keeps its last known state. With a single API server `unlisted_by` stays empty:
    there a key may become listed and sign in one restart.
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
    """Return the API servers whose listings R15 needs: the present ones; none while the endpoints are not known.

    A restart removes an API server from the EndpointSlice for a moment. For one clockSkew such an API server counts as
    one that cannot be read, because it may come back without the key.
    """
    lately_gone = {
        endpoint.address
        for endpoint in ledger.endpoints
        if endpoint.gone_since_time is not None and seen.now < endpoint.gone_since_time + seen.policy.clock_skew
    }
    present = seen.mints.endpoints
    return tuple(sorted({*present, *lately_gone})) if present else ()


def listed_everywhere(entry: LedgerKey, ledger: Ledger, seen: Pass) -> bool:
    """Return whether R15 lets the key become safe in this pass: every API server was read, and none lacks the key."""
    if not seen.has_api_servers:
        return True
    read = {address for address, server in seen.servers.items() if server.whole or entry.key in server.keys}
    counting = _counting(ledger, seen)
    return bool(counting) and read.issuperset(counting) and not entry.unlisted_by
