"""Make single calls on the objects of one bucket. Calls block; stores/s3/store.py runs them in threads and decides."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.deadlines import deadline
from oidc_publisher.stores.port import Document, StoredDocument
from oidc_publisher.stores.refusals import RefusedCredentialsError, too_large
from oidc_publisher.stores.s3.clients import ConditionalWrites, S3Clients, SharedClient
from oidc_publisher.stores.s3.endpoint import S3Call, S3Endpoint
from oidc_publisher.stores.s3.errors import note_answer, translated
from oidc_publisher.stores.storable import MAX_BODY_BYTES
from oidc_publisher.timing.httpdate import parsed_date

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

    from oidc_publisher.stores.s3.transport import Question, Reply

_OFFSETS_KEPT = 64
#: Last-Modified has whole seconds. A write that is later by this much has a later Last-Modified.
_SETTLED_AFTER = timedelta(seconds=2)
#: The time for a question that a client's two attempts can follow within an operation.
_QUESTION_S = 2.0
#: The headers of an answer that belong to the object; all of its metadata does as well.
_OF_THE_OBJECT = frozenset(
    {"etag", "last-modified", "content-type", "content-length", "cache-control", "content-encoding"}
)


@dataclass(frozen=True, slots=True)
class S3Place:
    """An S3Place names a folder in a bucket, and the parameters of requests there.

    `expected_bucket_owner` is an account of 12 digits. `server_side_encryption` is AES256 or aws:kms, and `kms_key_id`
    the key for aws:kms.
    """

    bucket: str
    prefix: str | None = None
    expected_bucket_owner: str | None = None
    server_side_encryption: str | None = None
    kms_key_id: str | None = None

    @property
    def location(self) -> str:
        """The folder as a URL."""
        return f"s3://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


@dataclass(frozen=True, slots=True)
class FoundObject:
    """A FoundObject holds the stored document that a GET returned.

    `settled`: any later write gives another ETag or another Last-Modified, so that a later 304 with the same
    Last-Modified proves that nothing was written. `headers` are those of the answer that belong to the object.
    `question` asks for the object again, None where only a client can.
    """

    stored: StoredDocument
    settled: bool
    headers: Mapping[str, str] = field(default_factory=dict)
    question: Question | None = None


def _utc_now() -> datetime:
    return datetime.now(UTC)


class S3Objects:
    """S3Objects calls S3 about the objects below one location, with a client that is shared with other locations."""

    def __init__(
        self, place: S3Place, endpoint: S3Endpoint, clients: S3Clients, now: Callable[[], datetime] = _utc_now
    ) -> None:
        self.place = place
        self.endpoint = endpoint
        self.offsets: deque[timedelta] = deque(maxlen=_OFFSETS_KEPT)
        self._clients = clients
        self._now = now
        self._shared: SharedClient | None = None

    @property
    def conditional_writes(self) -> ConditionalWrites:
        """What is known of the server's preconditions; all users of the client share it."""
        return self._shared.conditional_writes if self._shared else ConditionalWrites.UNPROVEN

    def learn(self, verdict: ConditionalWrites) -> None:
        """Remember whether the server honours preconditions."""
        if self._shared:
            self._shared.conditional_writes = verdict

    def let_go(self) -> None:
        """Release the client; the next call takes one again."""
        self._shared = None

    def name(self, path: str) -> str:
        """Return the object's URL, for messages."""
        return f"{self.place.location}/{path}"

    def call(self, permission: str, path: str, *, conditional: bool = False) -> S3Call:
        """Return the description of a call, for the errors about it."""
        owner = self.place.expected_bucket_owner
        return S3Call(
            permission,
            self.name(path),
            self.place.bucket,
            conditional,
            endpoint=self.endpoint,
            expected_owner=owner,
        )

    def get(self, path: str, *, known: FoundObject | None = None, as_owner: bool = True) -> FoundObject | None:
        """Fetch an object, None when there is none; return `known` itself when nothing was written since."""
        with self._calling(self.call("s3:GetObject", path)) as shared:
            if known and self._is_unchanged(known, shared):
                return known
            usable = known if known and shared.conditional_reads else None
            condition = {"IfNoneMatch": usable.stored.version} if usable else {}
            arguments = self._arguments(path, condition, as_owner=as_owner)
            try:
                answer = shared.client.get_object(**arguments)
                return self._fetched(path, answer, shared)
            except shared.client.exceptions.NoSuchKey as error:
                self._note_clock(error.response)
                return None
            except shared.client.exceptions.ClientError as error:
                if usable is None or error.response["Error"]["Code"] != "304":
                    raise
                modified = self._note_clock(error.response).get("last-modified")
                if parsed_date(modified) == usable.stored.last_modified:
                    return usable
                # S3's ETag is the digest of the bytes: a change of headers or metadata does not change it.
                shared.conditional_reads = modified is not None
        return self.get(path, as_owner=as_owner)

    def put(
        self, path: str, document: Document, condition: Mapping[str, str], *, spoilt: bool = False
    ) -> StoredDocument:
        """Write an object under a condition (`IfMatch` or `IfNoneMatch`). The request names no ACL.

        `spoilt` promises other bytes than it sends, so that the server stores nothing (SpoiltWriteError).
        """
        promised = document.body + b"spoilt" if spoilt else document.body
        with self._calling(self.call("s3:PutObject", path, conditional=True)) as shared:
            answer = shared.client.put_object(
                **self._arguments(path, condition),
                **self._encryption(),
                Body=document.body,
                # Buckets with Object Lock accept no write without a checksum. All servers support this plain header.
                ContentMD5=b64encode(md5(promised, usedforsecurity=False).digest()).decode(),
                ContentType=document.content_type,
                CacheControl=document.cache_control,
                Metadata=dict(document.metadata),
            )
            headers = self._note_clock(answer)
            note_answer("PutObject", answer.get("ResponseMetadata", {}))
        written = parsed_date(headers.get("date")) or self._now()
        return StoredDocument(document, self._version(path, answer.get("ETag")), written)

    def delete(self, path: str, version: str | None) -> None:
        """Delete an object if it has this version, or in any case (None)."""
        condition = {"IfMatch": version} if version else {}
        with self._calling(self.call("s3:DeleteObject", path, conditional=bool(version))) as shared:
            answer = shared.client.delete_object(**self._arguments(path, condition))
            self._note_clock(answer)
            note_answer("DeleteObject", answer.get("ResponseMetadata", {}))

    @contextlib.contextmanager
    def _calling(self, call: S3Call) -> Iterator[SharedClient]:
        try:
            with translated(call):
                self._shared = shared = self._shared or self._clients.get(self.endpoint)
                try:
                    yield shared
                except shared.client.exceptions.ClientError as error:
                    self._note_clock(error.response)
                    raise
        except RefusedCredentialsError as error:
            if self._shared:
                error.others_may_do = self._clients.forget_refused(self.endpoint, self._shared)
            self.let_go()
            raise

    def _arguments(self, path: str, condition: Mapping[str, str], *, as_owner: bool = True) -> dict[str, Any]:
        prefix, owner = self.place.prefix, self.place.expected_bucket_owner
        arguments = {"Bucket": self.place.bucket, "Key": f"{prefix}/{path}" if prefix else path, **condition}
        return arguments | {"ExpectedBucketOwner": owner} if owner and as_owner else arguments

    def _encryption(self) -> dict[str, Any]:
        asked = {"ServerSideEncryption": self.place.server_side_encryption, "SSEKMSKeyId": self.place.kms_key_id}
        return {name: value for name, value in asked.items() if value is not None}

    def _is_unchanged(self, known: FoundObject, shared: SharedClient) -> bool:
        """Ask for a known object without the client's work, and tell whether the answer proves that it is as it was.

        Every other answer, and every failure, is left to the client, which asks again and says what it means.
        """
        if known.question is None or known.question.transport is not shared.transport:
            return False
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - clouds are imported only when used
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with botocore

        version = known.stored.version if shared.conditional_reads else None
        try:
            with deadline(_QUESTION_S):
                reply = known.question.ask(version, len(known.stored.document.body))
        except (BotoCoreError, HTTPError, OSError):
            return False
        if not _repeats(reply, known):
            return False
        self._note_date(reply.headers)
        return True

    def _fetched(self, path: str, answer: GetObjectOutputTypeDef, shared: SharedClient) -> FoundObject:
        headers = self._note_clock(answer)
        body = self._body(path, answer)
        metadata = {key.lower(): value for key, value in answer.get("Metadata", {}).items()}
        document = Document(body, answer.get("ContentType", ""), answer.get("CacheControl", ""), metadata)
        modified = answer["LastModified"].astimezone(UTC) if "LastModified" in answer else None
        version = self._version(path, answer.get("ETag"))
        stored = StoredDocument(document, version, modified, answer.get("ContentEncoding", ""))
        date = parsed_date(headers.get("date"))
        settled = bool(date and modified and date - modified >= _SETTLED_AFTER)
        return FoundObject(stored, settled, _of_the_object(headers), shared.transport.question)

    def _body(self, path: str, answer: GetObjectOutputTypeDef) -> bytes:
        body = b""
        with contextlib.closing(answer["Body"]) as stream:
            while chunk := stream.read(MAX_BODY_BYTES + 1 - len(body)):  # the empty read checks the promised length
                body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise too_large(self.name(path))
        return body

    def _version(self, path: str, etag: str | None) -> str:
        if not etag:
            raise StoreError(
                Reason.StoreUnavailable,
                f"{self.name(path)}: the server answers without an ETag, as S3 does not",
                hint="Look at what answers at endpointURL.",
                subject=self.name(path),
            )
        return etag

    def _note_clock(self, answer: Mapping[str, Any]) -> dict[str, str]:
        """Note by how much the server's clock is ahead of the operator's, and return the answer's headers."""
        headers: dict[str, str] = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        self._note_date(headers)
        return headers

    def _note_date(self, headers: Mapping[str, str]) -> None:
        date = parsed_date(headers.get("date"))
        if date is not None:
            self.offsets.append(date - self._now())


def _of_the_object(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: v for name, v in headers.items() if name in _OF_THE_OBJECT or name.startswith("x-amz-meta-")}


def _repeats(reply: Reply, known: FoundObject) -> bool:
    """Tell whether an answer proves that nothing was written since an object was found that had settled."""
    if reply.status == HTTPStatus.NOT_MODIFIED:
        return parsed_date(reply.headers.get("last-modified")) == known.stored.last_modified
    if reply.status != HTTPStatus.OK or reply.body != known.stored.document.body:
        return False
    return _of_the_object(reply.headers) == known.headers
