"""Simulate the public side: buckets, the edges of a CDN in front of one of them, and verifiers with caches.

The model has limits: the CDN caches no 404, keeps no copy longer than the stored Cache-Control states (24 h where it
states nothing), and never replaces a newer copy by an older one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache

from oidc_publisher.documents import Document, StoredDocument, read_jwks_document
from oidc_publisher.keys import PublicKey

JWKS_PATH = "openid/v1/jwks"
#: Where no max-age is stated, caches and some verifiers assume one of up to 24 h (relying-parties.md).
HEURISTIC_AGE = timedelta(hours=24)
#: The longest that a verifier keeps a set by a clock of its own (relying-parties.md: Teleport, and Entra's planning
#: figure).
LONGEST_TTL = timedelta(hours=24)
COOLDOWN = timedelta(seconds=30)

#: Is called with a write: the path, the former document, the new one.
OnWrite = Callable[[str, Document | None, Document], None]

_MAX_AGE = re.compile(r"max-age=(\d+)")


class StoreDownError(Exception):
    """The store did not answer the operator."""


class PreconditionError(Exception):
    """Another writer wrote in between."""


@dataclass(frozen=True, slots=True)
class Era:
    """An Era is one edition of the key set at the origin: its keys, its cache age, its beginning and its end."""

    keys: frozenset[PublicKey]
    age: timedelta
    stated: bool
    since: datetime
    until: datetime | None = None
    document: Document | None = field(default=None, compare=False, repr=False)

    def usable_at(self, time: datetime) -> bool:
        """Return whether a verifier may still use a copy of this era, fetched from an edge at the last moment."""
        return self.until is None or time < self.until + self.age + LONGEST_TTL


@lru_cache(maxsize=4096)
def keys_in(body: bytes) -> frozenset[PublicKey]:
    """The usable keys of a key set, read by the real reader."""
    return frozenset(read_jwks_document(body).keys)


def era_of(document: Document, since: datetime) -> Era:
    """The era that begins with the writing of `document`."""
    stated = _MAX_AGE.search(document.cache_control)
    age = timedelta(seconds=int(stated[1])) if stated else HEURISTIC_AGE
    return Era(keys_in(document.body), age, stated is not None, since, document=document)


@dataclass
class Bucket:
    """A Bucket is an object store with compare-and-swap. `up` concerns the operator only; the public can always read.

    `era` is the key set that the bucket holds now; `shown_by` is the origin that shows this bucket, if any. `on_write`
    is called with each write of the operator: the path, the former document, and the new one. `claimed`: the operator
    has written both documents. `fits`: documents that the operator found there named this issuer. `seized`: another
    owner has overwritten the documents.
    """

    up: bool = True
    documents: dict[str, StoredDocument] = field(default_factory=dict)
    name: str = "simulated"
    era: Era | None = None
    shown_by: Origin | None = field(default=None, repr=False)
    on_write: OnWrite | None = field(default=None, repr=False)
    claimed: bool = False
    fits: bool = True
    seized: bool = False
    _version: int = 0

    @property
    def location(self) -> str:
        """Its name as the status has it."""
        return f"memory://{self.name}"

    def read(self, path: str) -> StoredDocument | None:
        """The stored document, None where there is none; raises StoreDownError."""
        if not self.up:
            raise StoreDownError
        return self.documents.get(path)

    def write(self, path: str, document: Document, expected: str | None, now: datetime) -> StoredDocument:
        """Compare and swap; raises StoreDownError and PreconditionError."""
        found = self.read(path)
        if (found.version if found else None) != expected:
            raise PreconditionError
        stored = self.overwrite(path, document, now)
        if self.on_write is not None:
            self.on_write(path, found.document if found else None, document)
        return stored

    def overwrite(self, path: str, document: Document, now: datetime) -> StoredDocument:
        """Store a document without a comparison, as another writer does."""
        self._version += 1
        stored = StoredDocument(document, str(self._version), last_modified=now)
        self.documents[path] = stored
        if path == JWKS_PATH:
            self.era = era_of(document, now)
            if self.shown_by is not None:
                self.shown_by.serve(self.era, now)
        return stored


@dataclass
class Origin:
    """An Origin is what the public URL leads to: one bucket at a time, with all editions of the key set so far.

    `led_to` holds the keys that the URL shows since it was led to their bucket, not since they were written, and since when.
    """

    bucket: Bucket
    eras: list[Era] = field(default_factory=list)
    led_to: dict[PublicKey, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bucket.shown_by = self

    @property
    def era(self) -> Era | None:
        """The edition that it serves now."""
        return self.eras[-1] if self.eras else None

    def serve(self, era: Era, now: datetime) -> None:
        """Serve another edition from now on."""
        before = self.era.keys if self.era else frozenset()
        self.led_to = {key: time for key, time in self.led_to.items() if key in before & era.keys}
        if self.eras:
            self.eras[-1] = replace(self.eras[-1], until=now)
        self.eras.append(replace(era, since=now))

    def show(self, bucket: Bucket, now: datetime) -> None:
        """Lead to another bucket from now on, which has a key set."""
        assert bucket.era is not None
        self.bucket.shown_by, bucket.shown_by = None, self
        self.bucket, before = bucket, self.era.keys if self.era else frozenset()
        self.serve(bucket.era, now)
        self.led_to |= dict.fromkeys(bucket.era.keys - before, now)

    def forget_unusable(self, now: datetime) -> None:
        """Drop the eras of which no copy can exist any more."""
        self.eras = [era for era in self.eras if era.usable_at(now)]


@dataclass
class Edge:
    """An Edge is one cache of the CDN, which keeps a copy for exactly its age."""

    origin: Origin
    copy: Era | None = None
    fetched: datetime | None = None

    def get(self, now: datetime) -> Era | None:
        """What this edge answers; None for 404."""
        if self.copy is None or self.fetched is None or now >= self.fetched + self.copy.age:
            self.copy, self.fetched = self.origin.era, now
        return self.copy


@dataclass(frozen=True, slots=True)
class Habit:
    """A Habit states how a relying party caches keys (relying-parties.md, "What they keep").

    `ttl` None: as long as the answer's max-age says, else 24 h. `refetches` on an unknown kid, `cooldown` apart.
    Parties that keep a set for ever and never fetch again (openidconnect-rs, uploaded sets) are left out: no schedule
    serves them.
    """

    name: str
    ttl: timedelta | None
    refetches: bool
    cooldown: timedelta = timedelta(0)


HABITS = (
    Habit("no cache", timedelta(0), refetches=False),
    Habit("PyJWT: 5 min, refetch, cooldown", timedelta(minutes=5), refetches=True, cooldown=COOLDOWN),
    Habit("5 min, no refetch", timedelta(minutes=5), refetches=False),
    Habit("jose: 10 min, refetch, cooldown", timedelta(minutes=10), refetches=True, cooldown=COOLDOWN),
    Habit("STS, planned: 1 h, no refetch", timedelta(hours=1), refetches=False),
    Habit("Entra, planned: 24 h, no refetch", timedelta(hours=24), refetches=False),
    Habit("Teleport: 24 h, refetch", timedelta(hours=24), refetches=True, cooldown=COOLDOWN),
    Habit("kube-apiserver: max-age or heuristic, no refetch", None, refetches=False),
    Habit("go-oidc v3: for ever, refetch", timedelta(days=3650), refetches=True),
)


@dataclass
class Verifier:
    """A relying party behind one edge."""

    habit: Habit
    edge: Edge
    copy: Era | None = None
    fetched: datetime | None = None

    def accepts(self, signer: PublicKey, now: datetime) -> bool:
        """Whether a live token of `signer` is accepted now."""
        if self._expired(now):
            self._fetch(now)
        if self._knows(signer):
            return True
        if self.habit.refetches and (self.fetched is None or now >= self.fetched + self.habit.cooldown):
            self._fetch(now)
        return self._knows(signer)

    def _expired(self, now: datetime) -> bool:
        if self.copy is None or self.fetched is None:
            return True
        ttl = self.copy.age if self.habit.ttl is None else self.habit.ttl
        return now >= self.fetched + ttl

    def _fetch(self, now: datetime) -> None:
        self.copy, self.fetched = self.edge.get(now), now

    def _knows(self, signer: PublicKey) -> bool:
        return self.copy is not None and signer in self.copy.keys
