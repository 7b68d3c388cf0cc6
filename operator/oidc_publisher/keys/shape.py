"""Recognize the kind of a piece of DER or text from its outer structure alone.

This module recognizes a private key without parsing it, because no code of this program loads private keys.
"""

from __future__ import annotations

import base64
import binascii
import re
from enum import Enum, auto

_SEQUENCE, _INTEGER, _BIT_STRING, _OCTET_STRING = 0x30, 0x02, 0x03, 0x04
_BASE64_OF_BEGIN = b"LS0tLS1CRUdJTi"  # base64 of "-----BEGIN"

# The forms that name themselves: PKCS1, PKCS8, SEC1, encrypted, OpenSSH, PGP; PuTTY; a private JWK.
_NAMES_PRIVATE = re.compile(
    rb'PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File|"(?:d|p|q|dp|dq|qi|oth|k|priv)"\s*:\s*["\[]'
)


class Shape(Enum):
    """A Shape is the kind of a piece of DER by the children of its outermost SEQUENCE."""

    SPKI = auto()
    CERTIFICATE = auto()  # a signing request and a revocation list have the same structure
    PKCS1_PUBLIC = auto()
    PRIVATE = auto()
    OTHER = auto()


def shape_of(der: bytes) -> Shape:
    """Return the shape of `der`. A truncated private key is still PRIVATE; nothing is raised."""
    children = _children(der)
    tags = bytes(tag for tag, _ in children)
    if tags == bytes([_SEQUENCE, _BIT_STRING]):
        return Shape.SPKI
    if tags == bytes([_SEQUENCE, _SEQUENCE, _BIT_STRING]):
        return Shape.CERTIFICATE
    if tags == bytes([_SEQUENCE, _OCTET_STRING]):  # EncryptedPrivateKeyInfo, RFC 5958
        return Shape.PRIVATE
    if children and children[0][0] == _INTEGER:
        # PKCS1, PKCS8, SEC1 and PKCS12 begin with a version of one byte; a PKCS1 public key begins with its modulus.
        return Shape.PRIVATE if children[0][1] == 1 else Shape.PKCS1_PUBLIC
    return Shape.OTHER


def names_private_key(text: bytes) -> bool:
    """Return whether a text names a private key, well-formed or not, encoded once or twice."""
    if _NAMES_PRIVATE.search(text.replace(b"\0", b"")):  # UTF-16 without its zero bytes equals ASCII
        return True
    return is_encoded_twice(text) and _NAMES_PRIVATE.search(_decoded(text)) is not None


def is_encoded_twice(text: bytes) -> bool:
    """Return whether a text is base64 of a PEM file, as when base64 was put into a Secret's `stringData`."""
    return text.lstrip().startswith(_BASE64_OF_BEGIN)


def _decoded(text: bytes) -> bytes:
    joined = b"".join(text.split())
    try:
        return base64.b64decode(joined[: len(joined) // 4 * 4])
    except binascii.Error:
        return b""


def _children(der: bytes) -> list[tuple[int, int]]:
    """Return the tag and length of each child of the outermost SEQUENCE, at most ten; one that does not fit ends it."""
    outer = _header(der, 0)
    if outer is None or der[0] != _SEQUENCE:
        return []
    place, length = outer
    end = min(len(der), place + length)
    found: list[tuple[int, int]] = []
    while place < end and len(found) < 10:  # noqa: PLR2004 - a PKCS1 private key has nine, or ten with more primes
        child = _header(der, place)
        if child is None:
            break
        start, size = child
        found.append((der[place], size))
        place = start + size
    return found


def _header(der: bytes, place: int) -> tuple[int, int] | None:
    """Return the start and length of the content of the element at `place` (X.690, 8.1.3, definite form)."""
    if place + 2 > len(der):
        return None
    first = der[place + 1]
    if first < 0x80:  # noqa: PLR2004 - the short form
        return place + 2, first
    count = first & 0x7F
    if not 1 <= count <= 4 or place + 2 + count > len(der):  # noqa: PLR2004 - four bytes hold up to 4 GiB
        return None
    return place + 2 + count, int.from_bytes(der[place + 2 : place + 2 + count])
