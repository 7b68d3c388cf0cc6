"""Note since when the public endpoint serves each key (R2), and when a key is safe to sign with (R3, R15)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from oidc_publisher.rotation.cacheages import measured_ages, stale_age_now, stated_ages
from oidc_publisher.rotation.ledger import Ledger, LedgerKey, replace
from oidc_publisher.rotation.listing import listed_everywhere
from oidc_publisher.rotation.readings import StoreState

if TYPE_CHECKING:
    from oidc_publisher.rotation.readings import Pass, Policy


def note_publication(ledger: Ledger, seen: Pass) -> Ledger:
    """Note which keys the stored set holds, and clear servedSinceTime where another writer rewrote the object (R2)."""
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
            # This issuer's own write left the key out (R11, R14): the key waits as if it had never been published.
            entry = replace(entry, published_time=None)
        return _not_served(entry) if rewritten else entry

    # The rewrite is noted in one pass only: where the other writer's set equals the planned one, no write follows that
    # would set the digest.
    noted = seen.stored.digest if rewritten and seen.stored.ours else ledger.jwks_digest
    return replace(ledger, keys=tuple(note(entry) for entry in ledger.keys), jwks_digest=noted)


def _rewritten(ledger: Ledger, seen: Pass) -> bool:
    """Return whether the stored object differs from what this issuer wrote under its serial.

    A stored serial below the ledger's belongs to a write that is saved in the ledger and still to come (R12).
    """
    stored = seen.stored
    if not ledger.jwks_digest or stored.take_over is not None:
        return False
    return not stored.ours or (stored.serial >= ledger.serial and stored.digest != ledger.jwks_digest)


def note_place(ledger: Ledger, seen: Pass, before: Ledger) -> Ledger:
    """R9: note whether the public URL is known to lead to the place of the documents; what is written then says so.

    Until then it may lead elsewhere: to where the documents were before, or to what somebody keeps by hand. It is known
    once every read shows exactly what is stored, with a key that no such place can hold: one that entered the ledger since,
    in a pass that read the wire, and was not there. It is no longer known where another set is shown for longer than any copy
    of a former one can live, or under an age that no copy of ours has, or where for that long nothing could be read that
    shows a new key. `before`: the ledger before this pass.
    """
    stored = seen.stored
    led_away = stored.moved or _leads_away(ledger, seen) or _states_another_age(before, seen)
    if ledger.shown and not led_away:
        return ledger
    if stored.ours and not led_away and seen.shows_stored:
        proven = any(entry.only_here and entry.key in seen.stored_keys for entry in ledger.keys)
        keys = tuple(replace(e, only_here=False) for e in ledger.keys) if proven else ledger.keys
        return replace(ledger, keys=keys, shown=proven)
    keys = tuple(replace(e, only_here=(e.only_here or ledger.shown) and _is_new(e, seen)) for e in ledger.keys)
    return replace(ledger, keys=keys, shown=False)


def _is_new(entry: LedgerKey, seen: Pass) -> bool:
    """Whether no other place seems to hold the key. An unread wire may show any; a read of just our set tells nothing."""
    if seen.wire is None or (seen.stored.moved and entry.published_time is not None):
        return False
    reads = (read for read in seen.wire.reads if not seen.stored.ours or read != seen.stored_keys)
    return not any(entry.key in read for read in reads)


def note_wire(ledger: Ledger, seen: Pass) -> Ledger:
    """Note each key as served once every read showed it (R2). One parsed set without the key restarts the wait."""

    def note(entry: LedgerKey) -> LedgerKey:
        if seen.off_wire(entry.key):
            entry = _not_served(entry)
        waits = entry.served_since_time is not None and not entry.known_to_caches
        if not waits or entry.unused_since_time is not None:
            # R3: until the key is served, caches store sets without it under every age that is in force. A key that has
            # waited already keeps the longest age, which the owner mark stores (R9) and a lost ledger is rebuilt from.
            entry = replace(entry, stale_age=max(entry.stale_age, *measured_ages(seen)))
        # Another owner's set may hold the same keys, and that owner may remove them at any time.
        ours = entry.published_time is not None and not seen.stored.anothers
        if not seen.on_wire(entry.key):
            # What the URL shows is not known from look to look: a key that was rebuilt is as new as its first sighting.
            entry = replace(entry, rebuilt_time=None)
        served = seen.trusted and ours and seen.on_wire(entry.key)
        if served and entry.served_since_time is None:
            entry = replace(entry, served_since_time=entry.rebuilt_time or seen.now, rebuilt_time=None)
        return entry

    return replace(ledger, keys=tuple(note(entry) for entry in ledger.keys))


def _leads_away(ledger: Ledger, seen: Pass) -> bool:
    """Whether the wire shows a set that is no copy of a former one: the last of those has expired by now.

    So it may do where it has not been read for that long, and a key is stored that it was never seen to show.
    """
    stored, wire = seen.stored, seen.wire
    if not seen.trusted or stored.state is not StoreState.PRESENT or stored.last_modified is None:
        return False
    if seen.now <= stored.last_modified + stale_age_now(ledger, seen) + seen.policy.clock_skew:
        return False
    if wire is not None and wire.reads:
        return any(read != seen.stored_keys for read in wire.reads)
    return any(entry.served_since_time is None and entry.key in seen.stored_keys for entry in ledger.keys)


def _states_another_age(before: Ledger, seen: Pass) -> bool:
    """Whether another set is shown under a cache age above all that the copies of ours may have (a copy keeps its age)."""
    stored, wire = seen.stored, seen.wire
    if stored.state is not StoreState.PRESENT or wire is None or all(read == seen.stored_keys for read in wire.reads):
        return False
    known = (seen.policy.cache_max_age, *(c.age for c in before.cache_ages))
    return max(stated_ages(seen)) > max(known)


def _not_served(entry: LedgerKey) -> LedgerKey:
    # A set without the key may be cached from now on. The exemptions of `founding` (R3) and `baseline` (R10) cover the
    # first wait of a key, not this one.
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
    """Exempt the keys of the first pass over an empty location from the wait, if the issuer mints no tokens (R3).

    No object and a 404 do not prove that this is the first document: the issuer may have been deleted and made again,
    while caches hold its former set; a discovery document without its key set proves that. Where tokens are minted only the baseline (R10) is exempt.
    """
    if any(source.from_api_server for source in seen.sources):
        # An earlier version exempted every key. Keys that it made safe stay safe; keys that still wait do so in full.
        kept = (replace(e, founding=e.founding and e.known_to_caches) for e in ledger.keys)
        return replace(ledger, keys=tuple(kept))
    absent = seen.stored.state is StoreState.ABSENT and seen.wire is not None and seen.wire.absent
    if not absent or seen.stored.halved or ledger.serial:
        return ledger
    return replace(ledger, keys=tuple(replace(entry, founding=True) for entry in ledger.keys))


def promote(ledger: Ledger, seen: Pass) -> Ledger:
    """Forecast when every cache knows each key, and note it in a pass from then on that sees the key served (R3).

    A key is safe to sign with from the first such pass in which no API server lacks it (R15). An API server that lacks
    the key clears safeSinceTime, and no wait starts anew.
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
    # For exempt keys the forecast is servedSinceTime itself, which is rounded up and may lie up to a second ahead.
    at_once = entry.founding or entry.baseline
    if not shown or forecast is None or not (at_once or seen.instant >= forecast):
        return entry
    # Every cache knows the key now, so an early signature and a former material no longer matter. A later absence from
    # the public endpoint sets neither again.
    return replace(entry, known_to_caches=True, signed_before_safe=False, material_changed=False)


def safe_to_sign_time(entry: LedgerKey, policy: Policy) -> datetime | None:
    """Return when every cache knows a served key (R3), None for a key that is not served.

    For a founding key and for the baseline (R10) that is servedSinceTime itself.
    """
    if entry.served_since_time is None:
        return None
    if entry.founding or entry.baseline:
        return entry.served_since_time
    return entry.served_since_time + policy.pre_publish_period + entry.stale_age + policy.clock_skew
