"""Find keys in an entry that are not read as such: in another form, or between damaged lines.

A key that is not read, beside one that is, would retire without a report. So the text of an entry outside of its PEM
blocks is searched for the beginnings of keys, in the encodings in which people paste keys.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from oidc_publisher.keys.shape import Shape, shape_of

_RSA_ARC = bytes.fromhex("2a864886f70d0101")  # 1.2.840.113549.1.1: RSA keys, and signatures with them
_EC_KEY = bytes.fromhex("2a8648ce3d0201")  # 1.2.840.10045.2.1
# The curves, with the beginning of the point that follows; P-384 and P-521 have short identifiers.
_CURVES = tuple(map(bytes.fromhex, ("2a8648ce3d030107", "2b8104002203620004", "2b810400230381860004")))
_OIDS = (_RSA_ARC, _EC_KEY, *_CURVES)

# Unicode's dashes and minus signs; NFKC leaves most of them as they are.
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\u2500\u2501\u2e3a\u2e3b"), "-")
_NOT_LETTERS = re.compile("[^A-Z0-9\n-]+")
# Searched in lines reduced to capital letters, digits and dashes. A single dash may mark an item of a list.
_BOUNDARY = re.compile(
    "--(?:BEGIN|END[A-Z0-9]{0,40}(?:KEY|CERTIFICATE))|(?:BEGIN|END)[A-Z0-9]{0,40}(?:KEY|CERTIFICATE)[A-Z0-9]{0,8}--"
)
_PRIVATE_BOUNDARY = re.compile(
    "--BEGIN[A-Z0-9]{0,40}PRIVATEKEY(?:BLOCK)?(?:-|$)|PRIVATEKEY(?:BLOCK)?-----", re.MULTILINE
)

_JWK = re.compile(rb"""\bkty\\*["']?\s*[:=]|<RSAKeyValue\b""")
_ESCAPED_BREAKS = re.compile(rb"(?:\\r)?\\n|[0\\]x")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_HEAD = re.compile(rb"(?<![A-Za-z0-9+/_-])M[A-P][A-Za-z0-9+/_-]{38}")
_SMALLEST_MODULUS = 64  # bytes


def _in_base64(mark: bytes) -> tuple[bytes, ...]:
    """Return what base64 of a text with `mark` contains, for each of the three positions where `mark` can begin."""
    forms = []
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + mark)
        # Characters that also hold bits of the text before or after `mark` are cut off.
        forms.append(encoded[-(-8 * before // 6) : 8 * (before + len(mark)) // 6])
    return tuple(forms)


def _forms(marks: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(form for mark in marks for form in _in_base64(mark))


_BEGIN = _forms((b"-----BEGIN",))
_ENCODED_PEM = (*_BEGIN, *_forms(_BEGIN))
_ENCODED_PRIVATE = _forms((b"PRIVATE KEY-----",))
_ENCODED_JWK = _forms((b'"kty"',))
_SSH = _forms((b"ssh-rsa", b"ecdsa-sha2-nistp"))
_ENCODED_OIDS = _forms(_OIDS)
_RAW_OIDS = tuple(oid.replace(b"\r", b"\n") for oid in _OIDS)  # as in _Sight.raw
_HEX = tuple(mark.hex().encode() for mark in (*_OIDS, b"-----BEGIN"))
_GZIP = base64.b64encode(b"\x1f\x8b\x08")


@dataclass(frozen=True, slots=True)
class _Sight:
    """A text in the three forms that the signs are searched in."""

    raw: bytes
    plain: bytes
    compact: bytes

    @classmethod
    def of(cls, text: bytes) -> Self:
        """Return the forms of a text, two of them without zero bytes, so that UTF-16 equals ASCII."""
        plain = text.replace(b"\0", b"")
        return cls(text.replace(b"\r", b"\n"), plain, _compact(plain))

    def has(self, *marks: bytes) -> bool:
        """Return whether the text holds one of the marks, whatever characters interrupt the mark."""
        return any(mark in self.compact for mark in marks)


#: The signs of a key, each with its text, which continues after "it holds". The first match is reported.
_SIGNS: tuple[tuple[Callable[[_Sight], object], str], ...] = (
    (lambda s: s.has(*_SSH), "an OpenSSH public key, which ssh-keygen -e -m PKCS8 -f FILE converts to PEM"),
    (
        lambda s: _JWK.search(s.plain) or s.has(*_ENCODED_JWK),
        "a JSON Web Key or an XML key, which has to be written as PEM",
    ),
    (lambda s: s.has(*_ENCODED_PEM), "base64 of a PEM file, which was encoded once too often"),
    (
        lambda s: _BOUNDARY.search(_letters(s.plain)),
        "a BEGIN or END line that is damaged, in another encoding, or not a line of its own",
    ),
    (
        lambda s: s.has(*_ENCODED_OIDS) or _shapes(s.plain),
        "base64 of a key or certificate without its BEGIN line",
    ),
    (
        lambda s: any(mark in s.compact.lower() for mark in _HEX) or any(oid in s.raw for oid in _RAW_OIDS),
        "a key in hexadecimal or DER, which has to be written as PEM",
    ),
    (lambda s: s.has(_GZIP), "base64 of what was compressed with gzip; write each key as PEM"),
    (lambda s: _NO_TEXT.search(s.raw), "bytes that are no text; write each key as PEM, not encoded or compressed"),
)


def stray_key(text: bytes) -> str | None:
    """Return what in `text` looks like a key and what to do about it, None when nothing does.

    The result continues after "it holds", and repeats nothing of the text. The time is linear in the text.
    """
    sight = _Sight.of(text)
    return next((said for sign, said in _SIGNS if sign(sight)), None)


def hides_private_key(text: bytes) -> bool:
    """Return whether `text` names a private key in a form other than PEM: odd dashes or letters, encoded, no lines."""
    plain = text.replace(b"\0", b"")
    if _PRIVATE_BOUNDARY.search(_letters(plain)):
        return True
    compact = _compact(plain)
    return any(mark in compact for mark in _ENCODED_PRIVATE)


def is_private_in_base64(text: bytes) -> bool:
    """Return whether `text` has base64 of a private key without its BEGIN line."""
    return Shape.PRIVATE in _shapes(text.replace(b"\0", b""))


def _shapes(text: bytes) -> set[Shape]:
    """Return the shapes of all text that looks like base64 of DER."""
    return {shape for match in _HEAD.finditer(text) for shape in _shape_of_head(match[0])}


def _shape_of_head(head: bytes) -> Iterator[Shape]:
    try:
        der = base64.b64decode(head.translate(bytes.maketrans(b"-_", b"+/")))
    except binascii.Error:
        return
    shape = shape_of(der)
    # A PKCS#1 public key begins with its modulus, and a number of a few bytes is no modulus.
    if shape is Shape.PKCS1_PUBLIC and int.from_bytes(der[2:4]) < _SMALLEST_MODULUS:
        return
    if shape is not Shape.OTHER:
        yield shape


def _compact(text: bytes) -> bytes:
    """Return the text's base64 characters, without breaks, quotes and comment marks; URL-safe ones are replaced."""
    unbroken = _ESCAPED_BREAKS.sub(b"", text).translate(bytes.maketrans(b"-_", b"+/"))
    return _NOT_BASE64.sub(b"", unbroken)


def _letters(text: bytes) -> str:
    """Return the text's lines in capital letters, digits and plain dashes, into which wide letters and dashes turn."""
    shown = unicodedata.normalize("NFKC", text.decode(errors="replace")).translate(_DASHES)
    return _NOT_LETTERS.sub("", shown.upper().replace("\r", "\n"))
