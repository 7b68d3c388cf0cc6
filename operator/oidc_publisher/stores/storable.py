"""Check that every store can keep a document. All stores have the same limits, so that a dry run gives S3's result."""

from __future__ import annotations

import re

from oidc_publisher.documents import MAX_BODY_BYTES, Document

__all__ = ["MAX_BODY_BYTES", "MAX_METADATA_BYTES", "check_document", "check_path"]

#: S3's limit for keys and values of user metadata together (Amazon S3 User Guide, UsingMetadata).
MAX_METADATA_BYTES = 2048

_METADATA_KEY = re.compile(r"[a-z0-9-]+")
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?|")


def check_path(path: str) -> str:
    """Return `path` if it is relative, without empty, `.` and `..` segments; raise ValueError otherwise."""
    segments = path.split("/")
    if any(segment in {"", ".", ".."} for segment in segments) or "\\" in path or not path.isprintable():
        raise ValueError(f"not a path below a store: {path!r}")
    return path


def check_document(document: Document) -> Document:
    """Return `document` if every store keeps it byte for byte; raise ValueError otherwise.

    HTTP headers and S3's user metadata carry lower-case names and printable ASCII, and lose outer spaces.
    """
    values = (document.content_type, document.cache_control, *document.metadata.values())
    if not all(_HEADER_VALUE.fullmatch(value) for value in values):
        raise ValueError("a header or metadata value is not printable ASCII, or has outer spaces")
    if not all(_METADATA_KEY.fullmatch(key) for key in document.metadata):
        raise ValueError("a metadata key is not lower-case letters, digits and -")
    if sum(len(key) + len(value) for key, value in document.metadata.items()) > MAX_METADATA_BYTES:
        raise ValueError(f"more than {MAX_METADATA_BYTES} bytes of metadata")
    if len(document.body) > MAX_BODY_BYTES:
        raise ValueError(f"a body of more than {MAX_BODY_BYTES} bytes")
    return document
