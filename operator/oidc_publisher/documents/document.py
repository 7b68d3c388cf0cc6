"""A document as it is to be stored and as a store holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

#: No OIDC document is larger; a larger object in our place is somebody else's.
MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """What is to be stored: bytes and everything that a reader will see beside them.

    `metadata` keys are lower-case ASCII, values ASCII: what every store keeps byte for byte.
    """

    body: bytes
    content_type: str
    cache_control: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as the store holds it.

    `version` is the store's opaque token for compare-and-swap (an ETag, a generation). `content_encoding` is empty
    unless the store was made to serve one. `last_modified` is the store's time of the last write, aware UTC.
    """

    document: Document
    version: str
    last_modified: datetime | None = None
    content_encoding: str = ""
