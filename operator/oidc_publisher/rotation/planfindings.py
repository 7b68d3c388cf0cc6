"""Derive the findings and the permission to sign from the ledger and the readings of one pass."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from oidc_publisher.api.durations import format_duration
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.rotation.cacheages import UNSTATED_AGE
from oidc_publisher.rotation.clock import clock_offset, stamp
from oidc_publisher.rotation.listing import unreadable_entries_of
from oidc_publisher.rotation.signing import signing_key_ids
from oidc_publisher.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidc_publisher.rotation.ledger import Ledger, LedgerKey
    from oidc_publisher.rotation.publishedset import Publication
    from oidc_publisher.rotation.readings import Pass


#: Some gateways accept at most 10 keys; AWS accepts 100 of a type (R11).
MANY_KEYS = 10

#: Clouds cache key sets for an undocumented time; two hours is the shortest period to plan with.
SHORTEST_PRE_PUBLISH = timedelta(hours=2)

#: A key is overdue when its retireTime is longer ago than this.
OVERDUE = timedelta(minutes=5)


def report(ledger: Ledger, publication: Publication, seen: Pass) -> tuple[Finding, ...]:
    """Return every finding that follows from the ledger and the readings."""
    found = [*_about_materials(ledger, seen), *_about_versions(ledger), *_about_endpoints(ledger)]
    found.extend((*_about_signers(ledger), *_about_set(publication), *_about_room(ledger, seen)))
    for entry in ledger.keys:
        found.extend(_about_key(entry, ledger, seen))
    found.extend(_about_policy(ledger, seen))
    return tuple(found)


def _about_materials(ledger: Ledger, seen: Pass) -> Iterator[Finding]:
    materials: dict[str, set[bytes]] = defaultdict(set)
    for key in (*(entry.key for entry in ledger.keys), *seen.listed):
        materials[key.key_id].add(key.spki)
    for key_id, known in sorted(materials.items()):
        if len(known) > 1:
            message = f"Key ID {key_id} stands for {len(known)} different keys; published is the one that fresh tokens verify with, else the first seen"
            yield Finding.of(Reason.KeyMaterialChanged, message, subject=key_id)
    for entry in ledger.keys:
        if entry.material_changed and len(materials[entry.key_id]) == 1:
            message = f"Key ID {entry.key_id} stands for another key than before, which copies of older key sets lack; all is well {_from(entry, seen)}"
            yield Finding.of(Reason.KeyMaterialChanged, message, subject=entry.key_id)


def _about_versions(ledger: Ledger) -> Iterator[Finding]:
    versions: dict[int, set[str]] = defaultdict(set)
    for entry in ledger.keys:
        if entry.version_named:
            versions[entry.version].add(entry.key_id)
    for version, key_ids in sorted(versions.items()):
        if len(key_ids) > 1:
            message = f"Version {version} is the number of {len(key_ids)} keys: {', '.join(sorted(key_ids))}"
            yield Finding.of(Reason.VersionReused, message, subject=str(version))


def _about_endpoints(ledger: Ledger) -> Iterator[Finding]:
    for endpoint in ledger.endpoints:
        if endpoint.gone_since_time is not None:
            message = (
                f"API server {endpoint.address} is no longer one of this issuer's "
                f"(gone since {stamp(endpoint.gone_since_time)}; it signed with key {endpoint.key_id})"
            )
            yield Finding.of(Reason.EndpointGone, message, subject=endpoint.address)


def _about_signers(ledger: Ledger) -> Iterator[Finding]:
    for endpoint in ledger.endpoints:
        if endpoint.gone_since_time is not None:
            continue
        entry = ledger.get(endpoint.key_id)
        if entry is None:
            message = f"API server {endpoint.address} signs with key {endpoint.key_id}, which no source lists"
            yield Finding.of(Reason.SigningKeyUnknown, message, subject=endpoint.key_id)
        elif not entry.origins:
            message = f"API server {endpoint.address} signs with key {endpoint.key_id}, which no source lists any more; it is kept"
            yield Finding.of(Reason.SigningKeyUnlisted, message, subject=endpoint.key_id)


def _about_set(publication: Publication) -> Iterator[Finding]:
    count = len(publication.keys)
    if not count:
        yield Finding.of(Reason.NoUsableKey, "No source has named a usable key so far; nothing was written")
    if publication.pending:
        message = f"{len(publication.pending)} keys wait until others leave: at most 100 keys of one type and 51,200 bytes are published"
        yield Finding.of(Reason.TooManyKeys, message, severity=Severity.CRITICAL)
    elif count > MANY_KEYS:
        yield Finding.of(Reason.TooManyKeys, f"More than {MANY_KEYS} keys are published")


def _about_room(ledger: Ledger, seen: Pass) -> Iterator[Finding]:
    """Report keys that a source lists and the full ledger did not take up. No state and no other finding names them."""
    left_out = {key.key_id for key in seen.listed} - {entry.key_id for entry in ledger.keys}
    if left_out:
        message = f"{len(left_out)} listed keys are not taken up: the ledger holds {len(ledger.keys)} keys, and no more fit into the object"
        yield Finding.of(Reason.TooManyKeys, message, subject="ledger", severity=Severity.CRITICAL)


def _about_key(entry: LedgerKey, ledger: Ledger, seen: Pass) -> Iterator[Finding]:
    key_id = entry.key_id
    signs = key_id in signing_key_ids(ledger)
    listed = bool(entry.origins)
    if key_id in seen.policy.withdrawn_key_ids:
        if listed or signs:
            doing = "still signs" if signs else "is still listed"
            yield Finding.of(Reason.KeyWithdrawn, f"Key {key_id} is withdrawn and {doing}", subject=key_id)
        return
    if entry.signed_before_safe and not entry.known_to_caches and entry.unused_since_time is None:
        yield Finding.of(
            Reason.SignedBeforeSafe,
            f"Key {key_id} signed before it was safe; all is well {_from(entry, seen)}",
            subject=key_id,
        )
    elif listed and not entry.known_to_caches and not signs:
        yield Finding.of(Reason.PrePublishing, _waits(entry, seen), subject=key_id)
    if entry.unlisted_by and (listed or signs):
        message = f"Key {key_id} is not listed by API server {', '.join(entry.unlisted_by)}"
        yield Finding.of(Reason.KeyUnlistedSomewhere, message, subject=key_id)
    why = _unconfirmed(entry, seen)
    if why and not signs:
        message = f"Key {key_id} cannot be confirmed as unused and stays, because {why}"
        yield Finding.of(Reason.RetirementBlocked, message, subject=key_id)
    if entry.retire_time is not None and seen.instant > entry.retire_time + OVERDUE:
        message = f"Key {key_id} should have left at {stamp(entry.retire_time)} and is still published"
        yield Finding.of(Reason.RetirementOverdue, message, subject=key_id)
    if _unknown_to_api_servers(entry, seen) and listed:
        names = ", ".join(sorted({o.source for o in entry.origins}))
        message = f"Key {key_id} is listed by {names} but by no API server"
        yield Finding.of(Reason.KeyUnknownToAPIServer, message, subject=key_id)


def _waits(entry: LedgerKey, seen: Pass) -> str:
    if entry.safe_to_sign_time is not None:
        aged = "" if _overdue(entry, seen) else _aged(entry, seen)
        return f"Key {entry.key_id} is safe to sign with {_from(entry, seen)}{aged}"
    where = "published" if entry.published_time is None else "at the public URL"
    return f"Key {entry.key_id} is not {where} yet, so nobody can say from when it is safe to sign with"


def _from(entry: LedgerKey, seen: Pass) -> str:
    """From when every cache knows the key. Its time alone is not enough: R3 wants a pass that sees the key after it."""
    if entry.safe_to_sign_time is None:
        return "some time after it is seen at the public URL"
    time = stamp(entry.safe_to_sign_time)
    if _overdue(entry, seen):
        return f"as soon as the public URL shows it again (its time came at {time})"
    return f"from {time}"


def _overdue(entry: LedgerKey, seen: Pass) -> bool:
    return entry.safe_to_sign_time is not None and seen.instant >= entry.safe_to_sign_time


def _aged(entry: LedgerKey, seen: Pass) -> str:
    """Return the cache age that the key waits for and where that age was seen, if it is above spec.cacheMaxAge (R3)."""
    if entry.stale_age <= seen.policy.cache_max_age:
        return ""
    age, wire = format_duration(entry.stale_age), seen.wire
    if wire is not None and wire.reads and wire.max_age is None and entry.stale_age == UNSTATED_AGE:
        return f", for the public URL states no cache age and some verifiers then keep a copy for {age}"
    if wire is not None and wire.max_age is not None and wire.max_age >= entry.stale_age:
        return f", for copies of {age} ({wire.stated_at or 'the public URL'} states that cache age now, and spec.cacheMaxAge is shorter)"
    return (
        f", for copies of {age} (spec.cacheMaxAge or the public URL stated that cache age earlier; if no such copy can exist any "
        "more, set spec.rotation.forgetCacheAgesBefore)"
    )


def _unconfirmed(entry: LedgerKey, seen: Pass) -> str:
    """Return why a key that was seen nowhere may still be in use, empty when this pass read all that may hold it."""
    if entry.key in seen.listed:
        return ""
    # A source that answered nothing at all has a finding of its own. Only a source that named other keys makes the
    # absence of this one worth a finding.
    answered = {source.name for source in seen.sources if source.listings}
    hinted = not entry.origins or any(origin.source in answered for origin in entry.origins)
    if not seen.complete and hinted:
        return f"these did not answer: {', '.join(seen.missing)}"
    entries = [f"{name} of source {source}" for source, name in unreadable_entries_of(entry, seen)]
    return f"it may be in what cannot be read: {', '.join(entries)}" if entries else ""


def _unknown_to_api_servers(entry: LedgerKey, seen: Pass) -> bool:
    servers = [source for source in seen.sources if source.from_api_server]
    if not servers or not all(source.complete for source in servers):
        return False
    return entry.key not in seen.listed_by_api_servers


def _about_policy(ledger: Ledger, seen: Pass) -> Iterator[Finding]:
    if not seen.trusted:
        offset = clock_offset(seen.clock)
        seen_how = (
            "nobody stated a Date to compare with"
            if offset is None
            else "the API server, the store and the wire agree on another time"
        )
        yield Finding.of(Reason.ClockUntrusted, f"The operator's clock is not trusted: {seen_how}")
    if seen.policy.pre_publish_period < SHORTEST_PRE_PUBLISH:
        yield Finding.of(Reason.PrePublishShort, "rotation.prePublishPeriod is shorter than 2h")
    yield from _about_algorithms(ledger)


def _about_algorithms(ledger: Ledger) -> Iterator[Finding]:
    # Where no signature was seen, the first keys count as those that relying parties have verified with.
    oldest = min((entry.first_seen_time for entry in ledger.keys), default=None)
    met = {e.key.algorithm for e in ledger.keys if e.first_signed_time is not None} or {
        e.key.algorithm for e in ledger.keys if e.first_seen_time == oldest
    }
    for entry in ledger.keys:
        if entry.key.algorithm not in met and entry.published_time is not None:
            message = f"Key {entry.key_id} is the first {entry.key.algorithm} key of this issuer"
            yield Finding.of(Reason.KeyTypeChange, message, subject=entry.key_id)


#: Of more key IDs than this the rest is counted, not named: `status.keys` names all of them.
_NAMED = 16


@dataclass(frozen=True, slots=True)
class Permission:
    """A Permission states whether every listed key may sign (None where no key is listed), and names the key IDs.

    The sentence changes only with the keys and with `lastCompletePassTime`, which is coarse, so that an issuer at rest
    costs no PATCH.
    """

    granted: bool | None
    sentence: str = ""


def permission(ledger: Ledger) -> Permission:
    """Return the permission to sign that follows from this ledger (R10).

    The permission does not cover a key that no pass has seen, so its sentence states when everything was last read.
    """
    listed = [entry for entry in ledger.keys if entry.origins]
    if not listed:
        return Permission(None)
    waiting = [entry for entry in listed if not may_sign(entry)]
    if waiting:
        return Permission(granted=False, sentence=f"These listed keys may not sign yet: {_names(waiting)}.")
    since = max(entry.safe_since_time for entry in listed if entry.safe_since_time is not None)
    read = ledger.last_complete_pass_time
    seen = f"when everything was last read, about {stamp(read)}" if read else "so far, and never was everything read"
    sentence = f"All listed keys may sign since {stamp(since)}: {_names(listed)}. No other was listed {seen}."
    return Permission(granted=True, sentence=sentence)


def may_sign(entry: LedgerKey) -> bool:
    """Return whether the cluster may sign with the key: the key is safe, and no API server lacks it (R15)."""
    return entry.safe_since_time is not None and not entry.unlisted_by


def _names(entries: Sequence[LedgerKey]) -> str:
    return listed((entry.key_id for entry in entries), most=_NAMED)
