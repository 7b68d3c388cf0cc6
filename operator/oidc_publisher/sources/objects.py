"""Read key sources that are objects of the cluster: the entries of a ConfigMap or a Secret."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

from oidc_publisher.cluster import ClusterAPI, ObjectReference, get_object
from oidc_publisher.cluster.access import is_allowed
from oidc_publisher.cluster.answer import object_in
from oidc_publisher.errors import ClusterError
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.rotation import SourceReading
from oidc_publisher.sources.confirming import confirmed
from oidc_publisher.sources.entries import EntryContent, EntryPattern, read_entries
from oidc_publisher.sources.port import SourceResult

#: How long a right to watch counts as given without another review: a thousand issuers may name one object.
_ALLOWED_S = 3600.0


class WatchRight:
    """A WatchRight tells whether the operator may watch one object.

    A right that is not given is asked for at each reading, so that its finding ends with the next pass.
    """

    __slots__ = ("__weakref__", "_given_until_s", "_monotonic", "_reference")

    def __init__(self, reference: ObjectReference, monotonic: Callable[[], float]) -> None:
        self._reference = reference
        self._monotonic = monotonic
        self._given_until_s = float("-inf")

    async def lacks(self, client: ClusterAPI) -> bool:
        """Tell whether the operator may not watch the object; False where the API server does not say."""
        now_s = self._monotonic()
        if now_s < self._given_until_s:
            return False
        allowed = await is_allowed(client, self._reference.watching)
        if allowed:
            self._given_until_s = now_s + _ALLOWED_S
        return allowed is False

    async def unwatched(self, client: ClusterAPI) -> tuple[Finding, ...]:
        """Report that the operator sees changes of the object late, as long as it may not watch the object."""
        if not await self.lacks(client):
            return ()
        message = f"The operator may not watch {self._reference}, whose changes it sees at the interval only"
        return (
            Finding.of(
                Reason.SourceForbidden,
                message,
                hint=self._reference.grant,
                subject=str(self._reference),
                severity=Severity.WARNING,
            ),
        )


class WatchRights:
    """WatchRights holds one WatchRight for each object that sources of one cluster read; it goes with the last of them."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._rights: WeakValueDictionary[ObjectReference, WatchRight] = WeakValueDictionary()

    def of(self, reference: ObjectReference) -> WatchRight:
        """Return the right on an object, for a source that keeps it."""
        right = self._rights.get(reference)
        if right is None:
            right = self._rights[reference] = WatchRight(reference, self._monotonic)
        return right


@dataclass(frozen=True, slots=True)
class _LastRead:
    """The last reading is that of an answer with this digest; the answer itself may hold a Secret, and is not kept."""

    digest: bytes
    result: SourceResult


class ObjectSource:
    """An ObjectSource reads the entries of one ConfigMap or Secret whose names match a pattern.

    No other entry is decoded. A private key in a matching entry is a finding, which does not repeat the key. Every reading
    asks the API server, or shares what another issuer at rest has just asked; the same bytes are not parsed again.
    """

    def __init__(
        self,
        client: ClusterAPI,
        name: str,
        reference: ObjectReference,
        pattern: EntryPattern,
        rights: WatchRights | None = None,
    ) -> None:
        self._client = client
        self._name = name
        self._reference = reference
        self._pattern = pattern
        self._right = (rights or WatchRights()).of(reference)
        self._last: _LastRead | None = None

    async def read(self) -> SourceResult:
        """Read the object, twice if the first read fails; a failure gives an incomplete reading that names it."""
        try:
            result = await confirmed(self._read)
        except ClusterError as error:
            where = str(self._reference)
            reading = SourceReading(self._name, complete=False, missing=(where,))
            return SourceResult(reading, (error.finding(subject=where),), watched={self._reference: None})
        unwatched = await self._right.unwatched(self._client)
        return replace(result, findings=(*result.findings, *unwatched))

    async def _read(self, left_s: float) -> SourceResult:
        answer = await get_object(self._client, self._reference, timeout_s=left_s)
        digest = hashlib.sha256(answer.body).digest()
        if self._last is None or self._last.digest != digest:
            # A full ConfigMap of damaged entries takes a second of CPU.
            self._last = _LastRead(digest, await asyncio.to_thread(self._result, answer.object()))
        return self._last.result

    def _result(self, found: Mapping[str, Any]) -> SourceResult:
        data, binary = object_in(found, "data"), object_in(found, "binaryData")
        if self._reference.kind == "Secret":
            data, binary = {}, data

        def content(name: str) -> EntryContent:
            # Go reads null as the empty string.
            return (
                _decoded(str(binary[name] or "")) if name in binary else EntryContent(_encoded(str(data[name] or "")))
            )

        where = str(self._reference)
        names = data.keys() | binary.keys()
        result = read_entries(self._name, where, names, content, self._pattern, empty_is_normal=True)
        version = object_in(found, "metadata").get("resourceVersion")
        return replace(result, watched={self._reference: version if isinstance(version, str) else None})


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")  # JSON can hold lone surrogates, which UTF-8 cannot; such text is no key


def _decoded(text: str) -> EntryContent:
    try:
        return EntryContent(base64.b64decode(text, validate=True))
    except ValueError:
        return EntryContent(problem="is not base64")
