"""What is stored at the issuer's place, and whose it is (R9). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from functools import cached_property

from oidc_publisher.api import Adoption, OIDCIssuer
from oidc_publisher.documents import OwnerMark, StoredDocuments, digest
from oidc_publisher.documents.otherissuer import Mismatch, mismatch
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.rotation import Ledger, OwnWrites, StoredReading, StoreState, TakeOver, own_writes


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


@dataclass(frozen=True)
class Stored:
    """The stored documents at the issuer's place, and whose they are.

    Every step of a pass asks this one value. It is made when the documents were read, and anew when they were written;
    what is asked of it is worked out once.
    """

    place: Place
    documents: StoredDocuments

    @cached_property
    def standing(self) -> Standing:
        """Whose the documents are.

        As long as one of the two is another owner's and ours were never both there, the place is still to be taken over:
        a take-over that was cut short between its two writes goes on. One without a mark beside one with ours is drift.
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
        """The same documents where both are known as ours."""
        return self if self.place.known else Stored(replace(self.place, known=True), self.documents)

    @property
    def anothers(self) -> bool:
        """Whether the place is another owner's: nothing is written there."""
        return self.standing in _STATES

    @property
    def half_marked(self) -> bool:
        """Whether one of the documents bears our mark and the other none: somebody rewrote that one."""
        return self.documents.owners in ((self.place.owner, ""), ("", self.place.owner))

    @cached_property
    def others(self) -> tuple[str, ...]:
        """The owner of each document that is there and not ours, empty for one that nobody signed."""
        return tuple(owner for owner in self.documents.owners if owner != self.place.owner)

    @property
    def owner_found(self) -> str:
        """The other owner's name as the mark gives it, `none` where nobody signed."""
        return next((owner for owner in self.others if owner), "none")

    @property
    def our_marks(self) -> tuple[OwnerMark, ...]:
        """The marks that bear our name, the key set's last."""
        return self.documents.marks_of(self.place.owner)

    @property
    def mark(self) -> OwnerMark | None:
        """The mark of the key set; that of the discovery document, where only that one still bears ours."""
        documents = self.documents
        # It speaks for both, which are written together.
        return documents.discovery_mark if documents.jwks_mark is None and self.half_marked else documents.jwks_mark

    @property
    def unknown_writer(self) -> bool:
        """Whether a document under our mark was written by nobody we remember; asked only where we have written before."""
        if self.place.writes is None or not self.place.known:
            return False
        return self.place.writes.unknown(mark.nonce for mark in self.our_marks)

    @cached_property
    def mismatch(self) -> Mismatch | None:
        """What keeps the documents from being this issuer's, None when nothing does."""
        place = self.place
        return mismatch(place.issuer_url, place.jwks_path, self.documents) if place.issuer_url else None


def refusal(stored: Stored) -> Finding | None:
    """Why nothing may be written at the place, None when we may."""
    place, whose = stored.place, stored.standing
    if whose is Standing.LOST:
        message = f"{place.location} now belongs to {stored.owner_found}, and nothing is written there any more"
        return Finding.of(Reason.OwnershipLost, message, subject=place.location)
    if whose is Standing.SECOND_WRITER:
        return _second_writer(stored)
    if whose is Standing.ANOTHER_ISSUER and stored.mismatch is not None:
        found = stored.mismatch
        message = f"The documents at {place.location} are not merged, for they are another issuer's: {found.message}"
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
    """The stored key set as the rules of rotation take it; bytes that are no key set hold no keys."""
    documents, whose = stored.documents, stored.standing
    if documents.error is not None:
        return StoredReading(StoreState.UNREADABLE)
    if whose in _STATES:
        return StoredReading(_STATES[whose], second_writer=whose is Standing.SECOND_WRITER)
    if documents.jwks is None:
        return StoredReading(StoreState.ABSENT)
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
    )


def former_place(location: str, endpoint_url: str | None, present: str | None) -> str:
    """A former place for people; with its server where the `present` location is the same, for no URL proves another one."""
    return f"{location} on {endpoint_url} (if that is another server)" if location == present else location


def _second_writer(stored: Stored) -> Finding:
    writes, location = stored.place.writes, stored.place.location
    theirs = max(mark.serial for mark in stored.our_marks if writes is None or writes.unknown([mark.nonce]))
    message = (
        f"{location} was written by another operator under this issuer's own mark (its serial is {theirs}, ours is "
        f"{writes.serial if writes else 0}); nothing is written or removed any more"
    )
    return Finding.of(Reason.OwnershipLost, message, subject=location, hint=_TWO_WRITERS)
