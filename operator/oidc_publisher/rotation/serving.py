"""R2, R3 and R15: what is on the wire since when, and when a key is safe to sign with."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from oidc_publisher.rotation.cacheages import measured_ages
from oidc_publisher.rotation.ledger import Ledger, LedgerKey, replace
from oidc_publisher.rotation.listing import listed_everywhere
from oidc_publisher.rotation.readings import StoreState

if TYPE_CHECKING:
    from oidc_publisher.rotation.readings import Pass, Policy


def note_publication(ledger: Ledger, seen: Pass) -> Ledger:
    """Note what the stored set holds, and forget what was served where somebody else rewrote it (R2)."""
    if seen.stored.anothers:
        return replace(ledger, keys=tuple(_not_served(entry) for entry in ledger.keys))
    if seen.stored.state is not StoreState.PRESENT:
        return ledger
    rewritten = _rewritten(ledger, seen)
    as_written = seen.stored.digest == ledger.jwks_digest

    def note(entry: LedgerKey) -> LedgerKey:
        if entry.key in seen.stored_keys:
            entry = replace(entry, published_time=entry.published_time or seen.now)
        elif as_written:
            # We left it out ourselves (R11, R14): it waits as if it had never been there.
            entry = replace(entry, published_time=None)
        return _not_served(entry) if rewritten else entry

    # Noted once: where the other's set is the one that is planned, nothing will be written over it.
    noted = seen.stored.digest if rewritten and seen.stored.ours else ledger.jwks_digest
    return replace(ledger, keys=tuple(note(entry) for entry in ledger.keys), jwks_digest=noted)


def _rewritten(ledger: Ledger, seen: Pass) -> bool:
    """Whether the stored object is not what we wrote under its serial. A lower serial is a write of ours still to come."""
    stored = seen.stored
    if not ledger.jwks_digest or stored.take_over is not None:
        return False
    return not stored.ours or (stored.serial >= ledger.serial and stored.digest != ledger.jwks_digest)


def note_wire(ledger: Ledger, seen: Pass) -> Ledger:
    """R2: a key is served since every read showed it; one parsed set without it starts the clock anew."""

    def note(entry: LedgerKey) -> LedgerKey:
        if seen.off_wire(entry.key):
            entry = _not_served(entry)
        waits = entry.served_since_time is not None and not entry.known_to_caches
        if not waits or entry.unused_since_time is not None:
            # R3: until it is served, sets without it are being cached under every age that is in force. A key that
            # has waited already carries the longest age to the owner mark (R9), whence a lost ledger learns it.
            entry = replace(entry, stale_age=max(entry.stale_age, *measured_ages(seen)))
        # What another owner serves may hold our keys as well, for as long as he likes.
        ours = entry.published_time is not None and not seen.stored.anothers
        served = seen.trusted and ours and seen.on_wire(entry.key)
        if served and entry.served_since_time is None:
            entry = replace(entry, served_since_time=entry.rebuilt_time or seen.now, rebuilt_time=None)
        return entry

    return replace(ledger, keys=tuple(note(entry) for entry in ledger.keys))


def _not_served(entry: LedgerKey) -> LedgerKey:
    # A set without the key may be cached from now on, whatever was true of the first document of this issuer, or of who
    # signed before we came: the baseline is exempt from its first wait, not from this one.
    return replace(
        entry,
        served_since_time=None,
        safe_to_sign_time=None,
        safe_since_time=None,
        known_to_caches=False,
        rebuilt_time=None,
        founding=False,
        baseline=entry.baseline and entry.served_since_time is None,
    )


def note_founding(ledger: Ledger, seen: Pass) -> Ledger:
    """R3: of an issuer that mints no tokens, the keys of the very first pass over an empty place are exempt from the wait.

    No object and a 404 are no proof of a first document: the issuer may have been deleted and made again, and caches hold
    what it was. Where tokens are minted the baseline (R10) says who may go on; no other key is exempt.
    """
    if any(source.from_api_server for source in seen.sources):
        # An earlier version exempted every key; what it called safe stays so, what still waits does so in full.
        kept = (replace(e, founding=e.founding and e.known_to_caches) for e in ledger.keys)
        return replace(ledger, keys=tuple(kept))
    absent = seen.stored.state is StoreState.ABSENT and seen.wire is not None and seen.wire.absent
    if not absent or ledger.serial:
        return ledger
    return replace(ledger, keys=tuple(replace(entry, founding=True) for entry in ledger.keys))


def promote(ledger: Ledger, seen: Pass) -> Ledger:
    """R3: forecast when each key is known to every cache, and note it in a pass that sees it on the wire at or after that time.

    R15: it is safe to sign with from the first such pass in which no API server lacks it. An API server that does takes
    the permission away and no more: the wait is over.
    """

    def judge(entry: LedgerKey) -> LedgerKey:
        withdrawn = entry.key_id in seen.policy.withdrawn_key_ids  # R14
        if entry.unused_since_time is not None or entry.leaving or withdrawn:
            return replace(entry, safe_to_sign_time=None, safe_since_time=None, known_to_caches=False)
        shown = seen.trusted and seen.on_wire(entry.key)
        if not entry.known_to_caches:
            entry = _wait(entry, seen, shown=shown)
        if entry.unlisted_by:
            return replace(entry, safe_since_time=None)
        if entry.known_to_caches and entry.safe_since_time is None and shown and listed_everywhere(entry, ledger, seen):
            return replace(entry, safe_since_time=seen.now)
        return entry

    return replace(ledger, keys=tuple(judge(entry) for entry in ledger.keys))


def _wait(entry: LedgerKey, seen: Pass, *, shown: bool) -> LedgerKey:
    forecast = safe_to_sign_time(entry, seen.policy)
    entry = replace(entry, safe_to_sign_time=forecast)
    # For these the forecast is servedSinceTime itself, which is rounded up and may lie a moment ahead.
    at_once = entry.founding or entry.baseline
    if not shown or forecast is None or not (at_once or seen.instant >= forecast):
        return entry
    # An early signature is history now, and so is a former material; a later absence from the wire is neither again.
    return replace(entry, known_to_caches=True, signed_before_safe=False, material_changed=False)


def safe_to_sign_time(entry: LedgerKey, policy: Policy) -> datetime | None:
    """When a served key is known to every cache (R3); at once for a founding key and for the baseline (R10)."""
    if entry.served_since_time is None:
        return None
    if entry.founding or entry.baseline:
        return entry.served_since_time
    return entry.served_since_time + policy.pre_publish_period + entry.stale_age + policy.clock_skew
