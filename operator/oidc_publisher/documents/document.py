"""This module holds the types of a document: as it is to be stored, and as a store holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

#: No OIDC document is larger. A larger object in the place of a document is somebody else's.
MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """A document to store consists of its bytes and of everything that a reader sees beside the bytes.

    `metadata` has names in lower-case ASCII and values in ASCII, because every store keeps these byte for byte.
    """

    body: bytes
    content_type: str
    cache_control: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A stored document is a document as the store holds it.

    `version` is the store's opaque token for compare-and-swap (an ETag, a generation). `content_encoding` is empty
    unless the store was made to serve one. `last_modified` is the store's time of the last write, aware UTC.
    """

    document: Document
    version: str
    last_modified: datetime | None = None
    content_encoding: str = ""
