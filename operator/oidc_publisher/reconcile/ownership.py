"""Ownership says whose the documents at the issuer's place are, and whether the operator may write there (R9). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import cached_property

from oidc_publisher.api import Adoption, OIDCIssuer
from oidc_publisher.documents import OwnerMark, StoredDocuments, digest
from oidc_publisher.documents.otherissuer import Mismatch, mismatch
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.probe.cachecontrol import longest_age
from oidc_publisher.rotation import UNSTATED_AGE, Ledger, OwnWrites, StoredReading, StoreState, TakeOver, own_writes


@dataclass(frozen=True, slots=True)
class Place:
    """A place says where the issuer's documents go and who owns them there.

    `known` says that both documents at this location have been ours before. `adoption` counts only while `known` is
    False (R9): two operators that each replaced the other's documents would fight for ever. `endpoint_url` is the server,
    None where the location alone names it. `issuer_url` and `jwks_path` are those of the spec, because documents of
    another issuer are never merged. `uid` is that of the object. `moved` says that the status names another location. `writes` is what the ledger
    knows of our own writes; without `writes` no operator is called a second writer.
    """

    location: str
    owner: str
    known: bool
    adoption: Adoption = Adoption.REFUSE
    endpoint_url: str | None = None
    issuer_url: str = ""
    jwks_path: str = ""
    uid: str = ""
    moved: bool = False
    writes: OwnWrites | None = None

    def is_at(self, location: str | None, endpoint_url: str | None) -> bool:
        """Tell whether a place that the status notes is this place.

        Former versions noted no server. A place without a noted server counts as this one until the server is noted.
        """
        return location == self.location and endpoint_url in (None, self.endpoint_url)

    @property
    def name(self) -> str:
        """The name of this place in our marks, which a copy of them at another place does not bear, nor another object's.

        Nobody looked at the public URL between the deletion of an object and its re-creation (R3, R9).
        """
        return hashlib.sha256("\n".join((self.uid, self.location, self.endpoint_url or "")).encode()).hexdigest()[:16]


def place_of(issuer: OIDCIssuer, location: str, owner: str, endpoint_url: str | None) -> Place:
    """Return the issuer's place at the store's `location`, which is known where status.publication notes the location."""
    place = Place(
        location,
        owner,
        known=False,
        adoption=issuer.spec.adoption,
        endpoint_url=endpoint_url,
        issuer_url=issuer.spec.issuer_url,
        jwks_path=issuer.spec.jwks_path,
        uid=issuer.metadata.uid,
    )
    noted = issuer.status.publication
    known = noted is not None and place.is_at(noted.location, noted.endpoint_url)
    return replace(place, known=known, moved=not known and noted is not None and noted.location is not None)


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
    """Return the place with our own writes there (R9); `saved` and `remembered` are those of `own_writes`."""
    lifetime = issuer.spec.rotation.max_token_lifetime
    writes = own_writes(ledger, saved, remembered=remembered, token_lifetime=lifetime, now=now)
    return replace(place, writes=writes)


class Standing(Enum):
    """A standing says whose the stored documents are. A document that does not exist has no owner, and we may write it."""

    OURS = auto()  # also a document without a mark where we have written before: somebody's drift
    MERGE = auto()  # another owner's; we take the documents over with their keys
    REPLACE = auto()  # another owner's; we write over the documents
    FOREIGN = auto()  # another owner's; we may not touch the documents
    ANOTHER_ISSUER = auto()  # another owner's and another issuer's; Merge must not touch the documents
    LOST = auto()  # the documents were ours, and another owner has written since
    SECOND_WRITER = auto()  # the documents bear our mark, and another operator wrote them


_ADOPTED = {Adoption.REFUSE: Standing.FOREIGN, Adoption.MERGE: Standing.MERGE, Adoption.REPLACE: Standing.REPLACE}
_STATES = {
    Standing.FOREIGN: StoreState.FOREIGN,
    Standing.ANOTHER_ISSUER: StoreState.FOREIGN,
    Standing.LOST: StoreState.LOST,
    Standing.SECOND_WRITER: StoreState.LOST,
}
_TAKE_OVERS = {Standing.MERGE: TakeOver.MERGE, Standing.REPLACE: TakeOver.REPLACE}


@dataclass(frozen=True)
class Stored:
    """Stored is what the store holds at the issuer's place, and the standing of those documents.

    Every step of a pass asks this one value. A round makes the value when the documents have been read, and anew when the
    documents have been written. Each member is worked out when a step first asks for the member, and once.
    """

    place: Place
    documents: StoredDocuments

    @cached_property
    def standing(self) -> Standing:
        """Decide whose the documents are.

        While one of the two documents is another owner's and both were never ours, the place is still to be taken over:
        a take-over that was cut short between its two writes goes on. A document without a mark beside a document with
        our mark is drift.
        """
        place = self.place
        if place.known or self.half_marked:
            if any(self.others):
                return Standing.LOST
            certain = place.writes is not None and place.writes.certain
            return Standing.SECOND_WRITER if certain and self.unknown_writer else Standing.OURS
        if not self.others:
            return Standing.OURS
        if place.adoption is Adoption.MERGE and self.mismatch:
            return Standing.ANOTHER_ISSUER
        return _ADOPTED[place.adoption]

    def known(self) -> Stored:
        """Return the same documents at a place where both are known as ours."""
        return self if self.place.known else Stored(replace(self.place, known=True), self.documents)

    @property
    def anothers(self) -> bool:
        """Whether the place is another owner's, so that the operator writes nothing there."""
        return self.standing in _STATES

    @property
    def half_marked(self) -> bool:
        """Whether one document bears our mark and the other bears none, because somebody rewrote the other."""
        return self.documents.owners in ((self.place.owner, ""), ("", self.place.owner))

    @cached_property
    def others(self) -> tuple[str, ...]:
        """The owner of each document that exists and is not ours; an empty name stands for a document without a mark."""
        return tuple(owner for owner in self.documents.owners if owner != self.place.owner)

    @property
    def owner_found(self) -> str:
        """The other owner's name as the mark gives the name, `none` where no document bears a mark."""
        return next((owner for owner in self.others if owner), "none")

    @property
    def our_marks(self) -> tuple[OwnerMark, ...]:
        """The marks that bear our name, the key set's last."""
        return self.documents.marks_of(self.place.owner)

    @property
    def mark(self) -> OwnerMark | None:
        """The owner mark of the key set, or of the discovery document where only that document still bears our mark."""
        documents = self.documents
        # The mark of one document speaks for both, because both documents are written together.
        return documents.discovery_mark if documents.jwks_mark is None and self.half_marked else documents.jwks_mark

    @property
    def unknown_writer(self) -> bool:
        """Whether a document under our mark carries a nonce of no write that the ledger knows.

        At a place that we have never written, no nonce says anything, and the answer is False.
        """
        if self.place.writes is None or not self.place.known:
            return False
        return self.place.writes.unknown(mark.nonce for mark in self.our_marks)

    @cached_property
    def mismatch(self) -> Mismatch | None:
        """How the documents differ from this issuer's, None where they do not differ."""
        place = self.place
        return mismatch(place.issuer_url, place.jwks_path, self.documents) if place.issuer_url else None


def refusal(stored: Stored) -> Finding | None:
    """Return the finding for which the operator may not write at the place, None where the operator may."""
    place, whose = stored.place, stored.standing
    if whose is Standing.LOST:
        message = f"{place.location} now belongs to {stored.owner_found}, and nothing is written there any more"
        return Finding.of(Reason.OwnershipLost, message, subject=place.location)
    if whose is Standing.SECOND_WRITER:
        return _second_writer(stored)
    if whose is Standing.ANOTHER_ISSUER and stored.mismatch is not None:
        found = stored.mismatch
        message = f"The documents at {place.location} are not merged: {found.message}"
        return Finding.of(Reason.DocumentsOfAnotherIssuer, message, subject=place.location, hint=found.advice)
    if whose is Standing.FOREIGN:
        return _foreign(stored)
    return None


def _foreign(stored: Stored) -> Finding:
    place, found = stored.place, stored.mismatch
    message = f"{place.location} holds documents that this issuer did not write (owner: {stored.owner_found})"
    if found is None:
        return Finding.of(Reason.DocumentsNotOurs, message, subject=place.location)
    return Finding.of(Reason.DocumentsNotOurs, f"{message}; {found.message}", subject=place.location, hint=found.advice)


def stored_reading(stored: Stored) -> StoredReading:
    """Return the stored key set as the rules of rotation take the key set; bytes that are no key set hold no keys."""
    documents, whose, moved = stored.documents, stored.standing, stored.place.moved
    if documents.error is not None:
        return StoredReading(StoreState.UNREADABLE, moved=moved)
    age = _cache_age(documents)
    if whose in _STATES:
        second = whose is Standing.SECOND_WRITER
        return StoredReading(_STATES[whose], second_writer=second, moved=moved, cache_age=age)
    if documents.jwks is None:
        return StoredReading(StoreState.ABSENT, moved=moved, halved=documents.discovery is not None)
    mark = stored.mark
    ours = documents.jwks_mark is not None and documents.jwks_mark.owner == stored.place.owner
    return StoredReading(
        StoreState.PRESENT,
        keys=documents.keys,
        digest=digest(documents.jwks.document.body),
        ours=ours,
        half_ours=documents.jwks_mark is None and stored.half_marked,
        serial=mark.serial if mark else 0,
        token_lifetime=mark.token_lifetime if mark else None,
        stale_age=mark.stale_age if mark else None,
        last_modified=documents.jwks.last_modified,
        take_over=None if ours else _TAKE_OVERS.get(whose),
        nonces=tuple(mark.nonce for mark in stored.our_marks if mark.nonce),
        unknown_writer=stored.unknown_writer,
        shown=bool(stored.our_marks) and all(mark.shown == stored.place.name for mark in stored.our_marks),
        moved=moved,
        cache_age=age,
    )


def _cache_age(documents: StoredDocuments) -> timedelta | None:
    """Return the age that the store states with the key set; caches assume the longest one where it states none."""
    if documents.jwks is None:
        return None
    stated = longest_age(documents.jwks.document.cache_control)
    return UNSTATED_AGE if stated is None else stated


def former_place(location: str, endpoint_url: str | None, present: str | None) -> str:
    """Name a former place for people.

    The name has the server in it where the `present` location is the same, because no URL proves that the servers differ.
    """
    return f"{location} on {endpoint_url} (if that is another server)" if location == present else location


def _second_writer(stored: Stored) -> Finding:
    writes, location = stored.place.writes, stored.place.location
    theirs = max(mark.serial for mark in stored.our_marks if writes is None or writes.unknown([mark.nonce]))
    message = (
        f"{location} was written by another operator under this issuer's own mark (its serial is {theirs}, ours is "
        f"{writes.serial if writes else 0}); nothing is written or removed any more"
    )
    return Finding.of(Reason.OwnershipLost, message, subject=location, hint=_TWO_WRITERS)
