"""Retire keys that no source lists and no API server signs with (R5), and delete the entries of those gone (R12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.rotation.ledger import Ledger, LedgerKey, replace
from oidc_publisher.rotation.listing import unreadable_entries_of
from oidc_publisher.rotation.signing import signing_key_ids

if TYPE_CHECKING:
    from oidc_publisher.rotation.readings import Pass


def retire(ledger: Ledger, seen: Pass) -> Ledger:
    """Start, clear and end the retirement of every key (R5). Retirement starts and ends in complete passes only."""
    signing = signing_key_ids(ledger)
    keys = tuple(_retire(entry, entry.key_id in signing, seen) for entry in ledger.keys)
    return replace(ledger, keys=_never_all_leave(keys))


def _retire(entry: LedgerKey, signs: bool, seen: Pass) -> LedgerKey:  # noqa: FBT001 - private, beside its only caller
    # The longest lifetime in force since the key entered: a Retiring key stays longer when the lifetime is raised.
    entry = replace(entry, token_lifetime=max(entry.token_lifetime, seen.policy.max_token_lifetime))
    if signs or entry.key in seen.listed:
        return replace(entry, unused_since_time=None, retire_time=None, leaving=False)
    used = bool(entry.origins or unreadable_entries_of(entry, seen))
    if entry.unused_since_time is None and seen.complete and not used:
        entry = replace(entry, unused_since_time=seen.now)
    if entry.unused_since_time is None:
        return entry
    due = entry.unused_since_time + entry.token_lifetime + seen.policy.clock_skew
    leaving = entry.leaving or (seen.complete and not used and seen.instant >= due)
    return replace(entry, retire_time=due, leaving=leaving)


def _never_all_leave(keys: tuple[LedgerKey, ...]) -> tuple[LedgerKey, ...]:
    """Keep the key that signed last where all are due, because the set never becomes empty (R6)."""
    if not keys or not all(entry.leaving for entry in keys):
        return keys
    last = max(keys, key=last_signed)
    return tuple(replace(entry, leaving=False) if entry is last else entry for entry in keys)


def last_signed(entry: LedgerKey) -> tuple[float, int]:
    """Return the last signature and the version of a key. This measure serves one choice and is no order of keys."""
    signed = entry.last_signed_time
    return (signed.timestamp() if signed else float("-inf"), entry.version)


def drop_gone(ledger: Ledger, seen: Pass) -> tuple[Ledger, tuple[LedgerKey, ...]]:
    """Delete each leaving entry once the stored document was read without its key (R12); return the deleted ones."""
    if not seen.stored.counts:
        return ledger, ()
    gone = tuple(entry for entry in ledger.keys if entry.leaving and entry.key not in seen.stored_keys)
    return replace(ledger, keys=tuple(entry for entry in ledger.keys if entry not in gone)), gone
