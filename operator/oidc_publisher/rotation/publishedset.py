"""Decide which keys the published set holds (R6, R11, R14 and invariant D: the set is never empty)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidc_publisher.keys import PublicKey, newest_first
from oidc_publisher.keys.jwk import published_size_bytes
from oidc_publisher.rotation.readings import StoreState
from oidc_publisher.rotation.retiring import last_signed
from oidc_publisher.rotation.signing import signing_key_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oidc_publisher.rotation.ledger import Ledger, LedgerKey
    from oidc_publisher.rotation.readings import Pass

#: AWS accepts 100 RSA and 100 EC keys (R11).
MAX_KEYS_OF_A_TYPE = 100

#: Nimbus and Spring read no more of a key set (R11). The limit includes the 14 bytes around the keys.
MAX_SET_BYTES = 51_200
_FRAME_BYTES = 14


@dataclass(frozen=True, slots=True)
class Publication:
    """A Publication holds the set to publish, newest first, the kids that wait, and whether another write follows."""

    keys: tuple[PublicKey, ...]
    pending: frozenset[str]
    more: bool


def plan_publication(ledger: Ledger, seen: Pass) -> Publication:
    """Return the published set: the ledger without the keys that wait, leave or are withdrawn (R1)."""
    if not ledger.keys:
        return Publication((), frozenset(), more=False)
    signing = signing_key_ids(ledger)
    candidates = [e for e in ledger.keys if not e.leaving and not _withdrawn(e, seen)]
    admitted = _admit(candidates, signing) or [_last_resort(ledger, seen)]
    pending = frozenset(e.key_id for e in candidates) - {e.key_id for e in admitted}
    chosen, more = _one_way(ledger, admitted, seen)
    return Publication(tuple(e.key for e in order(chosen)), pending, more)


def order(entries: Iterable[LedgerKey]) -> tuple[LedgerKey, ...]:
    """Sort entries newest first: by version, then first seen, then kid. Nothing else sorts keys."""
    return newest_first(entries, by=lambda e: (e.version, e.first_seen_time, e.key_id))


def _withdrawn(entry: LedgerKey, seen: Pass) -> bool:
    return entry.key_id in seen.policy.withdrawn_key_ids


def _last_resort(ledger: Ledger, seen: Pass) -> LedgerKey:
    """Return the key that stays where every key would be left out (invariant D).

    The key that signed last stays; a withdrawn key stays only when no other one is left.
    """
    return max(ledger.keys, key=lambda entry: (not _withdrawn(entry, seen), *last_signed(entry)))


def _admit(candidates: list[LedgerKey], signing: frozenset[str]) -> list[LedgerKey]:
    """Admit at most 100 keys of one type and 51,200 bytes (R11): signing keys first, newly listed keys last."""
    return _fitting((), sorted(candidates, key=lambda e: _claim(e, signing)))


def _fitting(present: Sequence[LedgerKey], others: Iterable[LedgerKey]) -> list[LedgerKey]:
    """Return those of `others`, in their order, for which there is room beside `present`."""
    counts, size = Counter(e.key.key_type for e in present), _FRAME_BYTES
    size += sum(published_size_bytes(e.key) for e in present)
    fitting: list[LedgerKey] = []
    for entry in others:
        grown = size + published_size_bytes(entry.key)
        if counts[entry.key.key_type] < MAX_KEYS_OF_A_TYPE and grown <= MAX_SET_BYTES:
            counts[entry.key.key_type] += 1
            size = grown
            fitting.append(entry)
    return fitting


def _claim(entry: LedgerKey, signing: frozenset[str]) -> tuple[int, float, float, str]:
    """Return the sort key of an entry's claim to a place in the set; the strongest claim is the lowest.

    A key that signs displaces first one that is not yet safe, then the Retiring one with the earliest retireTime (R11).
    """
    retires = -entry.retire_time.timestamp() if entry.retire_time else 0.0
    published = entry.published_time.timestamp() if entry.published_time else float("inf")
    if entry.key_id in signing:
        return (0, 0.0, published, entry.key_id)
    if entry.published_time is None:
        # An unpublished key displaces no other. The weakest claim is that of a key of an old ledger that nothing lists
        # (R9).
        return (5 if entry.retire_time else 4, entry.first_seen_time.timestamp(), 0.0, entry.key_id)
    if entry.retire_time is None and entry.known_to_caches:
        return (1, 0.0, published, entry.key_id)
    if entry.retire_time is not None:
        return (2, retires, published, entry.key_id)
    return (3, published, entry.first_seen_time.timestamp(), entry.key_id)


def _one_way(ledger: Ledger, admitted: list[LedgerKey], seen: Pass) -> tuple[list[LedgerKey], bool]:
    """Return the entries of this write and whether another write follows: a write that adds a key removes none (R6)."""
    if seen.stored.state is not StoreState.PRESENT:
        return admitted, False
    stored, kept_ids = seen.stored_keys, {e.key_id for e in admitted}
    added = [e for e in admitted if e.key not in stored]
    departing = [e for e in ledger.keys if e.key in stored and e.key_id not in kept_ids and not _withdrawn(e, seen)]
    if not added or not departing:
        return admitted, False
    kept = [e for e in admitted if e.key in stored]
    # New keys need room beside those that are still to leave: with 101 keys of a type, or a set that is too large,
    # relying parties refuse the whole set. Where there is no room for any new key, removal goes first.
    entering = _fitting([*kept, *departing], added)
    if entering:
        return [*kept, *entering, *departing], True
    return kept or admitted, True
