"""Read key sources that are objects of the cluster: the entries of a ConfigMap or a Secret."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from oidc_publisher.cluster import ClusterAPI, ObjectReference, get_object
from oidc_publisher.cluster.access import is_allowed
from oidc_publisher.cluster.answer import object_in
from oidc_publisher.errors import ClusterError
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.rotation import SourceReading
from oidc_publisher.sources.confirming import confirmed
from oidc_publisher.sources.entries import EntryContent, EntryPattern, read_entries
from oidc_publisher.sources.port import SourceResult


class ObjectSource:
    """An ObjectSource reads the entries of one ConfigMap or Secret whose names match a pattern.

    No other entry is decoded. A private key in a matching entry is a finding, which does not repeat the key.
    """

    def __init__(self, client: ClusterAPI, name: str, reference: ObjectReference, pattern: EntryPattern) -> None:
        self._client = client
        self._name = name
        self._reference = reference
        self._pattern = pattern
        self._may_watch = False

    @property
    def watches(self) -> tuple[ObjectReference, ...]:
        """The object itself: each change of it starts a pass at once."""
        return (self._reference,)

    async def read(self) -> SourceResult:
        """Read the object, twice if the first read fails; a failure gives an incomplete reading that names it."""
        try:
            found = await confirmed(lambda left_s: get_object(self._client, self._reference, timeout_s=left_s))
        except ClusterError as error:
            where = str(self._reference)
            reading = SourceReading(self._name, complete=False, missing=(where,))
            return SourceResult(reading, (error.finding(subject=where),))
        # A full ConfigMap of damaged entries takes a second of CPU.
        result = await asyncio.to_thread(self._result, found)
        return replace(result, findings=(*result.findings, *await self._unwatched()))

    async def _unwatched(self) -> tuple[Finding, ...]:
        """Report that the operator sees changes of the object late, as long as it may not watch the object."""
        if self._may_watch:
            return ()
        allowed = await is_allowed(self._client, self._reference.watching)
        self._may_watch = allowed is True
        if allowed is not False:
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
        return read_entries(self._name, where, names, content, self._pattern, empty_is_normal=True)


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")  # JSON can hold lone surrogates, which UTF-8 cannot; such text is no key


def _decoded(text: str) -> EntryContent:
    try:
        return EntryContent(base64.b64decode(text, validate=True))
    except ValueError:
        return EntryContent(problem="is not base64")
