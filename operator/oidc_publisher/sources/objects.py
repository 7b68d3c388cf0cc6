"""Key sources that are objects of the cluster: the entries of a ConfigMap or a Secret."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from oidc_publisher.cluster import ClusterClient, ObjectReference, get_object
from oidc_publisher.errors import ClusterError
from oidc_publisher.rotation import SourceReading
from oidc_publisher.sources.entries import Entry, EntryPattern, read_entries
from oidc_publisher.sources.port import SourceResult


class ObjectSource:
    """Reads the entries of one ConfigMap or Secret whose names match a pattern.

    Of a Secret nothing is kept but the entries that match; a private key among those is a finding, and is not repeated.
    """

    def __init__(
        self, client: ClusterClient, name: str, identity: str, reference: ObjectReference, pattern: EntryPattern
    ) -> None:
        self._client = client
        self._name = name
        self._identity = identity
        self._reference = reference
        self._pattern = pattern

    @property
    def watches(self) -> tuple[ObjectReference, ...]:
        """A change of the object is worth a pass at once."""
        return (self._reference,)

    async def read(self) -> SourceResult:
        """Read the object once; a failure is an incomplete reading that names it."""
        where = str(self._reference)
        try:
            found = await get_object(self._client, self._reference)
        except ClusterError as error:
            reading = SourceReading(self._name, self._identity, complete=False, missing=(where,))
            return SourceResult(reading, (error.finding(subject=where),))
        entries = self._entries(found)
        return read_entries(self._name, self._identity, where, entries, self._pattern, empty_is_normal=True)

    def _entries(self, found: Mapping[str, Any]) -> dict[str, Entry]:
        data, binary = found.get("data") or {}, found.get("binaryData") or {}
        if self._reference.kind == "Secret":
            data, binary = {}, data
        entries = {name: Entry(str(text).encode()) for name, text in data.items()}
        for name, text in binary.items():
            if self._pattern.match(name)[0]:
                entries[name] = _decoded(str(text))
            else:
                entries[name] = Entry()
        return entries


def _decoded(text: str) -> Entry:
    try:
        return Entry(base64.b64decode(text, validate=True))
    except binascii.Error:
        return Entry(problem="is not base64")
