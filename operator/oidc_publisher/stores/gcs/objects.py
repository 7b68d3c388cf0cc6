"""Make single calls on the objects of one bucket. Calls block; stores/gcs/store.py runs them in threads and decides."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.calls import Call
from oidc_publisher.stores.gcs.clients import GCSClients, SharedSession, client_of
from oidc_publisher.stores.gcs.errors import is_absent, translated
from oidc_publisher.stores.port import Document, StoredDocument
from oidc_publisher.stores.refusals import RefusedCredentialsError, too_large
from oidc_publisher.stores.storable import MAX_BODY_BYTES

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Client

_OFFSETS_KEPT = 64


@dataclass(frozen=True, slots=True)
class GCSPlace:
    """A GCSPlace names a folder in a bucket."""

    bucket: str
    prefix: str | None = None

    @property
    def location(self) -> str:
        """The folder as a URL."""
        return f"gs://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


@dataclass(frozen=True, slots=True)
class Version:
    """A Version identifies an object's state: new content changes `generation`, new metadata `metageneration`."""

    generation: int
    metageneration: int

    def __str__(self) -> str:
        return f"{self.generation}.{self.metageneration}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """Return the version that `str` wrote."""
        generation, _, metageneration = text.partition(".")
        return cls(int(generation), int(metageneration))


@dataclass(frozen=True, slots=True)
class Found:
    """Found describes an object without its bytes; `blank` is the document without its body."""

    version: Version
    size_bytes: int
    blank: Document
    content_encoding: str
    updated: datetime | None

    def with_body(self, body: bytes) -> StoredDocument:
        """Return the stored document with these bytes."""
        document = dataclasses.replace(self.blank, body=body)
        return StoredDocument(document, str(self.version), self.updated, self.content_encoding)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class GCSObjects:
    """GCSObjects calls Cloud Storage about the objects below one location, over connections shared with others.

    No call names an ACL, a predefined ACL or a project that pays. Access is configured on the bucket (uniform
    bucket-level access), and anonymous readers could not pay either.
    """

    def __init__(self, place: GCSPlace, clients: GCSClients, now: Callable[[], datetime] = _utc_now) -> None:
        self.place = place
        self.offsets: deque[timedelta] = deque(maxlen=_OFFSETS_KEPT)
        self._clients = clients
        self._now = now
        self._open: tuple[SharedSession, Client] | None = None

    def let_go(self) -> None:
        """Release the session; the next call takes one again."""
        self._open = None

    def account(self) -> str:
        """Return whom the credentials belong to, as far as they say so; those of a machine do once they were used."""
        with self._calling("storage.objects.get", "") as client:
            # Each kind of google-auth's credentials has a class of its own, and not every class an email address.
            credentials = client._credentials  # noqa: SLF001 - google-cloud-storage has no other name for it
        email = getattr(credentials, "service_account_email", None)
        return str(email or f"credentials of {type(credentials).__module__}")

    def name(self, path: str) -> str:
        """Return the object's URL, for messages."""
        return f"{self.place.location}/{path}"

    def look(self, path: str) -> Found | None:
        """Return the metadata of an object without its bytes, None when there is no object."""
        from google.api_core.exceptions import NotFound  # noqa: PLC0415 - clouds are imported only when used

        with self._calling("storage.objects.get", path) as client:
            blob = self._blob(client, path)
            try:
                blob.reload(retry=None)
            except NotFound as error:
                if is_absent(error):
                    return None
                raise
            return self._found(path, blob)

    def fetch(self, path: str, found: Found) -> bytes | None:
        """Return the bytes of the found generation, None when the object was replaced or deleted since."""
        from google.api_core.exceptions import NotFound  # noqa: PLC0415 - clouds are imported only when used

        if found.size_bytes > MAX_BODY_BYTES:
            raise too_large(self.name(path))
        with self._calling("storage.objects.get", path) as client:
            body = BytesIO()
            # Raw gives the stored bytes. Otherwise the library decompresses an object with Content-Encoding gzip.
            try:
                self._blob(client, path, found.version.generation).download_to_file(body, raw_download=True, retry=None)
            except NotFound as error:
                if is_absent(error):
                    return None
                raise
            return body.getvalue()

    def put(self, path: str, document: Document, expected: Version | None) -> Found:
        """Write an object over this version, or where there is no object (None)."""
        with self._calling("storage.objects.create", path, conditional=expected is not None) as client:
            blob = self._blob(client, path)
            blob.cache_control = document.cache_control
            blob.metadata = dict(document.metadata)
            blob.upload_from_string(
                document.body,
                content_type=document.content_type,
                if_generation_match=expected.generation if expected else 0,
                if_metageneration_match=expected.metageneration if expected else None,
                retry=None,
            )
            return self._found(path, blob)

    def delete(self, path: str, expected: Version) -> None:
        """Delete an object if it has this version."""
        with self._calling("storage.objects.delete", path, conditional=True) as client:
            self._blob(client, path).delete(
                if_generation_match=expected.generation,
                if_metageneration_match=expected.metageneration,
                retry=None,
            )

    @contextlib.contextmanager
    def _calling(self, permission: str, path: str, *, conditional: bool = False) -> Iterator[Client]:
        shared: SharedSession | None = None
        try:
            with translated(Call(permission, self.name(path), self.place.bucket, conditional)):
                shared, client = self._open = self._open or self._opened()
                yield client
        except RefusedCredentialsError:
            if shared:
                self._clients.forget_refused(shared)
            self.let_go()
            raise

    def _opened(self) -> tuple[SharedSession, Client]:
        shared = self._clients.get()
        return shared, client_of(shared, lambda date: self.offsets.append(date - self._now()))

    def _blob(self, client: Client, path: str, generation: int | None = None) -> Blob:
        prefix = self.place.prefix
        bucket = client.bucket(self.place.bucket)
        return bucket.blob(f"{prefix}/{path}" if prefix else path, generation=generation)

    def _found(self, path: str, blob: Blob) -> Found:
        """Return the state of an object from an answer of the JSON API."""
        if blob.generation is None or blob.metageneration is None:
            raise StoreError(
                Reason.StoreUnavailable,
                f"{self.name(path)}: the server answers without a generation, as Cloud Storage does not",
                hint="Look at what answers at STORAGE_EMULATOR_HOST.",
                subject=self.name(path),
            )
        metadata = {key.lower(): value for key, value in (blob.metadata or {}).items()}
        return Found(
            version=Version(blob.generation, blob.metageneration),
            size_bytes=blob.size or 0,
            blank=Document(b"", blob.content_type or "", blob.cache_control or "", metadata),
            content_encoding=blob.content_encoding or "",
            # The time of the last edit of the metadata counts too, because it changed the headers that readers get.
            updated=blob.updated.astimezone(UTC) if blob.updated else None,
        )
