"""What a write is worth telling for: drift that it repairs, another owner's documents that it takes over. Pure."""

from __future__ import annotations

from oidc_publisher.api.durations import format_duration
from oidc_publisher.documents import (
    DISCOVERY_PATH,
    Difference,
    OwnerMark,
    StoredDocument,
    WriteReason,
    read_jwks_document,
)
from oidc_publisher.errors import DocumentInvalidError
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.reconcile.ownership import (
    Place,
    Standing,
    StoredDocuments,
    half_marked,
    owner_found,
    standing,
    stored_keys,
)
from oidc_publisher.rotation import Ledger


def notes_on_write(
    place: Place, stored: StoredDocuments, ledger: Ledger, differing: tuple[Difference, ...], *, settled: bool
) -> tuple[Finding, ...]:
    """The events of a write that mends `differing`. `settled`: the plan is the one that was last written."""
    whose = standing(place, stored)
    if whose in (Standing.MERGE, Standing.REPLACE):
        return (_taken_over(place, stored, ledger, whose),)
    # Beside our own mark it is drift, also where the status that remembered the place was lost; but not where a take-over
    # was cut short between its two writes.
    damage = _damage(place, stored)
    half = half_marked(place, stored) and (place.known or ledger.adopted_time is None)
    if not place.known and not half and not damage:
        return ()
    strangers = _strangers(stored, ledger)
    drifted = tuple(d for d in differing if (settled or half) and _is_drift(d, stored, ledger))
    if not strangers and not drifted and not damage:
        return ()
    what = [f"{difference.path}: {difference.reason}" for difference in drifted] + damage
    what += [f"key {key_id} is not known to this issuer and was removed" for key_id in strangers]
    return (Finding.of(Reason.DriftRepaired, f"{place.location} is repaired ({'; '.join(what)})"),)


def _damage(place: Place, stored: StoredDocuments) -> list[str]:
    """What our own mark says that cannot be (R9); it is ignored, and written anew."""
    marks = (_mark(document) for document in (stored.jwks, stored.discovery))
    damaged = [m.damaged_lifetime for m in marks if m is not None and m.owner == place.owner and m.damaged_lifetime]
    told = (
        f"the token lifetime of {format_duration(lifetime)} in its owner mark is beyond 8784h and ignored"
        for lifetime in damaged
    )
    return list(dict.fromkeys(told))


def _is_drift(difference: Difference, stored: StoredDocuments, ledger: Ledger) -> bool:
    """Whether somebody else changed the document, and not we ourselves what is planned or a write that was cut short."""
    document = stored.discovery if difference.path == DISCOVERY_PATH else stored.jwks
    mark = _mark(document)
    if mark is None:
        return True
    if mark.serial < ledger.serial:
        return False  # the write of this serial is still to come (R12)
    return difference.reason is not WriteReason.MARK_CHANGED  # a lifetime or a cache age rose


def _strangers(stored: StoredDocuments, ledger: Ledger) -> tuple[str, ...]:
    """Stored keys that the ledger does not know; an older ledger would have learnt them (R9)."""
    return tuple(key.key_id for key in stored_keys(stored) if ledger.get(key.key_id) is None)


def _taken_over(place: Place, stored: StoredDocuments, ledger: Ledger, whose: Standing) -> Finding:
    message = f"The documents at {place.location} are taken over (owner: {owner_found(place, stored)})"
    if whose is Standing.REPLACE:
        return Finding.of(Reason.DocumentsAdopted, f"{message}; their keys were replaced at once")
    kept = [key for key in stored_keys(stored) if key in {entry.key for entry in ledger.keys}]
    message = f"{message}; {len(kept)} of their keys stay published until no token signed with them can live"
    left_out = [*_unusable(stored), *_other_materials(stored, ledger)]
    if not left_out:
        return Finding.of(Reason.DocumentsAdopted, message)
    return Finding.of(Reason.DocumentsAdopted, f"{message}; left out: {', '.join(left_out)}", severity=Severity.WARNING)


def _unusable(stored: StoredDocuments) -> tuple[str, ...]:
    if stored.jwks is None:
        return ()
    try:
        return read_jwks_document(stored.jwks.document.body).left_out
    except DocumentInvalidError as error:
        return (error.message,)


def _other_materials(stored: StoredDocuments, ledger: Ledger) -> tuple[str, ...]:
    """Stored keys whose ID is that of a key of ours: one ID cannot stand for two keys (R8)."""
    known = ((key, ledger.get(key.key_id)) for key in stored_keys(stored))
    return tuple(f"key {key.key_id} (ours is another one)" for key, entry in known if entry and entry.key != key)


def _mark(document: StoredDocument | None) -> OwnerMark | None:
    return OwnerMark.read(document.document.metadata) if document else None
