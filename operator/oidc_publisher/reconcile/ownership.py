"""What is stored at the issuer's place, and whose it is (R9). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto

from oidc_publisher.api import Adoption, OIDCIssuer
from oidc_publisher.documents import MAX_BODY_BYTES, OwnerMark, StoredDocument, digest, read_jwks_document
from oidc_publisher.documents.otherissuer import Mismatch, mismatch
from oidc_publisher.errors import DocumentInvalidError, StoreError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.keys.strictjson import MAX_DOCUMENT_BYTES
from oidc_publisher.rotation import Ledger, OwnWrites, StoredReading, StoreState, TakeOver, own_writes


@dataclass(frozen=True, slots=True)
class StoredDocuments:
    """Both documents as the store holds them; None each where there is none. `error` when they could not be read."""

    discovery: StoredDocument | None = None
    jwks: StoredDocument | None = None
    error: StoreError | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the documents go, who we are there, and whether both have been ours there before.

    `adoption` speaks only before that (R9): two operators that both replaced what they find would fight for ever.
    `endpoint_url` is the server, None where the location alone says it all. `issuer_url` and `jwks_path` are the spec's:
    documents of another issuer are not merged. `writes` is what is known of our own writes; without it nobody is called a
    second writer.
    """

    location: str
    owner: str
    known: bool
    adoption: Adoption = Adoption.REFUSE
    endpoint_url: str | None = None
    issuer_url: str = ""
    jwks_path: str = ""
    writes: OwnWrites | None = None

    def is_at(self, location: str | None, endpoint_url: str | None) -> bool:
        """Whether a noted place is this one. Former versions noted no server: it counts as ours until it is noted."""
        return location == self.location and endpoint_url in (None, self.endpoint_url)


def place_of(issuer: OIDCIssuer, location: str, owner: str, endpoint_url: str | None) -> Place:
    """The issuer's place at the store's `location`; status.publication remembers whether we have written there."""
    place = Place(
        location,
        owner,
        known=False,
        adoption=issuer.spec.adoption,
        endpoint_url=endpoint_url,
        issuer_url=issuer.spec.issuer_url,
        jwks_path=issuer.spec.jwks_path,
    )
    noted = issuer.status.publication
    return replace(place, known=noted is not None and place.is_at(noted.location, noted.endpoint_url))


_TWO_WRITERS = (
    "Two clusters with the same identity publish here; one of them may be a copy from an etcd snapshot. Stop the one that must "
    "not (suspend it, or delete its OIDCIssuer with deletionPolicy Retain), then let this one go on: remove "
    "status.ledger.secondWriterTime (docs/how-to/take-over-documents.md)."
)


def remembering(
    place: Place,
    issuer: OIDCIssuer,
    ledger: Ledger,
    saved: Ledger | None,
    now: datetime,
    *,
    remembered: Iterable[str] = (),
) -> Place:
    """The place with what is known of our own writes there (R9); `saved` and `remembered` as for `own_writes`."""
    lifetime = issuer.spec.rotation.max_token_lifetime
    writes = own_writes(ledger, saved, remembered=remembered, token_lifetime=lifetime, now=now)
    return replace(place, writes=writes)


class Standing(Enum):
    """Whose the stored documents are. What is not there is nobody's, and ours to write."""

    OURS = auto()  # also one without a mark where we have written before: that is drift
    MERGE = auto()  # another owner's, to be taken over with its keys
    REPLACE = auto()  # another owner's, to be written over
    FOREIGN = auto()  # another owner's, and not to be touched
    ANOTHER_ISSUER = auto()  # another owner's and another issuer's, so that Merge must not touch them
    LOST = auto()  # ours before, and another owner's now
    SECOND_WRITER = auto()  # under our mark, and another operator wrote them


_ADOPTED = {Adoption.REFUSE: Standing.FOREIGN, Adoption.MERGE: Standing.MERGE, Adoption.REPLACE: Standing.REPLACE}
_STATES = {
    Standing.FOREIGN: StoreState.FOREIGN,
    Standing.ANOTHER_ISSUER: StoreState.FOREIGN,
    Standing.LOST: StoreState.LOST,
    Standing.SECOND_WRITER: StoreState.LOST,
}
_TAKE_OVERS = {Standing.MERGE: TakeOver.MERGE, Standing.REPLACE: TakeOver.REPLACE}


def standing(place: Place, stored: StoredDocuments) -> Standing:
    """Whose the documents are that were read at `place`.

    As long as one of the two is another owner's and ours were never both there, the place is still to be taken over: a
    take-over that was cut short between its two writes goes on. One without a mark beside one with ours is drift.
    """
    others = _others(place, stored)
    if place.known or half_marked(place, stored):
        if any(others):
            return Standing.LOST
        certain = place.writes is not None and place.writes.certain
        return Standing.SECOND_WRITER if certain and _unknown(place, stored) else Standing.OURS
    if not others:
        return Standing.OURS
    if place.adoption is Adoption.MERGE and _mismatch(place, stored):
        return Standing.ANOTHER_ISSUER
    return _ADOPTED[place.adoption]


def half_marked(place: Place, stored: StoredDocuments) -> bool:
    """Whether one of the documents bears our mark and the other none: somebody rewrote that one."""
    return _owners(stored) in ((place.owner, ""), ("", place.owner))


def refusal(place: Place, stored: StoredDocuments) -> Finding | None:
    """Why nothing may be written at `place`, None when we may."""
    whose = standing(place, stored)
    if whose is Standing.LOST:
        message = f"{place.location} now belongs to {owner_found(place, stored)}, and nothing is written there any more"
        return Finding.of(Reason.OwnershipLost, message, subject=place.location)
    if whose is Standing.SECOND_WRITER:
        return _second_writer(place, stored)
    found = _mismatch(place, stored)
    if whose is Standing.ANOTHER_ISSUER and found is not None:
        message = f"The documents at {place.location} are not merged, for they are another issuer's: {found.message}"
        return Finding.of(Reason.DocumentsOfAnotherIssuer, message, subject=place.location, hint=found.advice)
    if whose is Standing.FOREIGN:
        owner = owner_found(place, stored)
        message = f"{place.location} holds documents that this issuer did not write (owner: {owner})"
        if found is not None:
            return Finding.of(
                Reason.DocumentsNotOurs, f"{message}; {found.message}", subject=place.location, hint=found.advice
            )
        return Finding.of(Reason.DocumentsNotOurs, message, subject=place.location)
    return None


def owner_found(place: Place, stored: StoredDocuments) -> str:
    """The other owner's name as the mark gives it, `none` where nobody signed."""
    return next((owner for owner in _others(place, stored) if owner), "none")


def stored_reading(place: Place, stored: StoredDocuments) -> StoredReading:
    """The stored key set as the rules of rotation take it; bytes that are no key set hold no keys."""
    if stored.error is not None:
        return StoredReading(StoreState.UNREADABLE)
    whose = standing(place, stored)
    if whose in _STATES:
        return StoredReading(_STATES[whose], second_writer=whose is Standing.SECOND_WRITER)
    if stored.jwks is None:
        return StoredReading(StoreState.ABSENT)
    mark = OwnerMark.read(stored.jwks.document.metadata)
    ours = mark is not None and mark.owner == place.owner
    half = mark is None and half_marked(place, stored)
    if half and stored.discovery is not None:
        mark = OwnerMark.read(stored.discovery.document.metadata)  # it speaks for both, which are written together
    return StoredReading(
        StoreState.PRESENT,
        keys=stored_keys(stored),
        digest=digest(stored.jwks.document.body),
        ours=ours,
        half_ours=half,
        serial=mark.serial if mark else 0,
        token_lifetime=mark.token_lifetime if mark else None,
        stale_age=mark.stale_age if mark else None,
        last_modified=stored.jwks.last_modified,
        take_over=None if ours else _TAKE_OVERS.get(whose),
        nonces=tuple(mark.nonce for mark in _our_marks(place, stored) if mark.nonce),
        unknown_writer=_unknown(place, stored),
    )


def stored_keys(stored: StoredDocuments) -> tuple[PublicKey, ...]:
    """The usable keys of the stored set, in stored order.

    A set that bears an owner mark is read up to the store's limit, not to the probe's: it may be ours, however large.
    """
    if stored.jwks is None:
        return ()
    document = stored.jwks.document
    limit = MAX_BODY_BYTES if OwnerMark.read(document.metadata) else MAX_DOCUMENT_BYTES
    try:
        return read_jwks_document(document.body, max_bytes=limit).keys
    except DocumentInvalidError:
        return ()


def former_place(location: str, endpoint_url: str | None, present: str | None) -> str:
    """A former place for people; with its server where the `present` location is the same, for no URL proves another one."""
    return f"{location} on {endpoint_url} (if that is another server)" if location == present else location


def _owners(stored: StoredDocuments) -> tuple[str, ...]:
    """The owner of each document that is there, empty for one that nobody signed."""
    documents = (document for document in (stored.jwks, stored.discovery) if document is not None)
    marks = (OwnerMark.read(document.document.metadata) for document in documents)
    return tuple(mark.owner if mark else "" for mark in marks)


def _others(place: Place, stored: StoredDocuments) -> tuple[str, ...]:
    """The owner of each document that is there and not ours, empty for one that nobody signed."""
    return tuple(owner for owner in _owners(stored) if owner != place.owner)


def _our_marks(place: Place, stored: StoredDocuments) -> tuple[OwnerMark, ...]:
    """The marks that bear our name, the key set's last."""
    documents = (document for document in (stored.discovery, stored.jwks) if document is not None)
    marks = (OwnerMark.read(document.document.metadata) for document in documents)
    return tuple(mark for mark in marks if mark is not None and mark.owner == place.owner)


def _unknown(place: Place, stored: StoredDocuments) -> bool:
    """Whether a document under our mark was written by nobody we remember; asked only where we have written before."""
    if place.writes is None or not place.known:
        return False
    return place.writes.unknown(mark.nonce for mark in _our_marks(place, stored))


def _second_writer(place: Place, stored: StoredDocuments) -> Finding:
    marks, serial = _our_marks(place, stored), place.writes.serial if place.writes else 0
    theirs = max(mark.serial for mark in marks if place.writes is None or place.writes.unknown([mark.nonce]))
    message = (
        f"{place.location} was written by another operator under this issuer's own mark (its serial is {theirs}, ours is "
        f"{serial}); nothing is written or removed any more"
    )
    return Finding.of(Reason.OwnershipLost, message, subject=place.location, hint=_TWO_WRITERS)


def _mismatch(place: Place, stored: StoredDocuments) -> Mismatch | None:
    return mismatch(place.issuer_url, place.jwks_path, stored.discovery) if place.issuer_url else None
