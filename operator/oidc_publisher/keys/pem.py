"""Read public keys from an entry of a ConfigMap, a Secret or a directory: PEM or DER, keys or certificates."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Reason
from oidc_publisher.keys.certificates import read_certificate
from oidc_publisher.keys.entryreading import EntryReading, KeyDefect
from oidc_publisher.keys.publickey import PublicKey
from oidc_publisher.keys.shape import Shape, is_encoded_twice, names_private_key, shape_of
from oidc_publisher.keys.stray import hides_private_key, is_private_in_base64, stray_key

#: Only a file can be larger, because no ConfigMap or Secret can, and such a file is no file of public keys.
MAX_ENTRY_BYTES = 1024 * 1024

#: id-RSASSA-PSS
_PSS = "1.2.840.113549.1.1.10"
_PRIVATE = "holds a private key; nothing of it is used"
_NOT_WHOLE = "is not whole: its BEGIN or END line, or its base64, is damaged"
_ON_ONE_LINE = (
    "is on one line; the BEGIN line, the base64 and the END line need lines of their own (in YAML write | and not >)"
)

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def read_entry(data: bytes) -> EntryReading:
    """Read one entry: concatenated PEM blocks of any label, or one DER key or certificate.

    The content of a block decides its kind, as in kube-apiserver: OpenShift writes SubjectPublicKeyInfo under the label
    "RSA PUBLIC KEY". A true PKCS1 public key is refused, because kube-apiserver does not accept it as a verify key
    either. An entry with a private key is refused as a whole, other blocks included, because it is the wrong file. Of
    any other entry the good blocks count, and text outside of them that looks like a key is a defect, so that the keys
    that were last read from the entry stay (R4). A zero-byte entry is empty and no defect (OpenShift keeps some).
    """
    if len(data) > MAX_ENTRY_BYTES:
        return EntryReading.refused(Reason.EntryUnreadable, f"is larger than {MAX_ENTRY_BYTES // 1024} KiB")
    if names_private_key(data) or hides_private_key(data):
        return EntryReading.refused(Reason.PrivateKeyInEntry, _PRIVATE)
    if not data:
        return EntryReading()
    if data[0] == 0x30 and b"-----BEGIN" not in data:  # noqa: PLR2004 - a SEQUENCE: DER, as kOps keeps certificates
        return _read_blocks([data], name="the DER")
    return _read_pem(data.removeprefix(_UTF8_BOM))


def _read_pem(text: bytes) -> EntryReading:
    parts = _split(text)
    if is_private_in_base64(parts.outside):
        return EntryReading.refused(Reason.PrivateKeyInEntry, _PRIVATE)
    if not parts.blocks:
        return EntryReading.refused(Reason.EntryUnreadable, _why_no_block(text))
    read = _read_blocks(parts.blocks, name="block")
    stray = stray_key(parts.outside)
    if stray is None or any(defect.reason is Reason.PrivateKeyInEntry for defect in read.defects):
        return read
    unseen = KeyDefect(Reason.EntryUnreadable, f"holds more than the PEM blocks that are read: {stray}")
    return EntryReading(read.keys, (*read.defects, unseen))


def _read_blocks(blocks: Sequence[bytes | str], *, name: str) -> EntryReading:
    """Read each block's DER (or its error) as a key or a defect. A private key among the blocks voids all of them."""
    keys: dict[PublicKey, None] = {}
    defects: list[KeyDefect] = []
    for number, der in enumerate(blocks, start=1):
        place = f"{name} {number}" if name == "block" else name
        try:
            keys[_read_der(der)] = None
        except KeyRefusedError as error:
            if error.reason is Reason.PrivateKeyInEntry:
                return EntryReading.refused(error.reason, f"{place} {error.message}; nothing of the entry is used")
            defects.append(KeyDefect(error.reason, f"{place} {error.message}"))
    return EntryReading(tuple(keys), tuple(defects))


def _read_der(der: bytes | str) -> PublicKey:
    if isinstance(der, str):
        raise KeyRefusedError(Reason.EntryUnreadable, der)
    shape = shape_of(der)
    if shape is Shape.PRIVATE:
        raise KeyRefusedError(Reason.PrivateKeyInEntry, "is a private key")
    if shape is Shape.PKCS1_PUBLIC:
        raise KeyRefusedError(
            Reason.EntryUnreadable,
            "is a PKCS#1 public key, which kube-apiserver does not accept either; convert it with "
            "openssl rsa -RSAPublicKey_in -pubout",
        )
    return _read_certificate(der) if shape is Shape.CERTIFICATE else PublicKey.from_spki(der)


def _read_certificate(der: bytes) -> PublicKey:
    try:
        certificate = read_certificate(der)
        material = certificate.public_key()
    except UnsupportedAlgorithm:
        raise KeyRefusedError(Reason.KeyUnsupported, "is a certificate for a key of an unknown type") from None
    except ValueError:
        raise KeyRefusedError(Reason.EntryUnreadable, "is neither a public key nor a certificate") from None
    if certificate.public_key_algorithm_oid.dotted_string == _PSS:
        raise KeyRefusedError(Reason.KeyUnsupported, "is a certificate for an RSA key for PSS only")
    return PublicKey.of(material)


@dataclass(slots=True)
class _Parts:
    """The parts of a text are each PEM block's DER (or its error), in order, and the lines outside of all blocks."""

    blocks: list[bytes | str] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)

    @property
    def outside(self) -> bytes:
        """The text outside of the blocks."""
        return b"\n".join(self.others)


def _split(text: bytes) -> _Parts:
    """Split a text into its PEM blocks and the rest.

    Text between blocks is a comment (RFC 7468, 5.2). The lines are read once, because a search per block would take
    quadratic time.
    """
    parts = _Parts()
    label: bytes | None = None
    lines: list[bytes] = []
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(b"-----BEGIN ") and line.endswith(b"-----"):
            if label is not None:
                parts.blocks.append(_NOT_WHOLE)
            label, lines = line[11:], []
            if b"-----END " in line:
                parts.blocks.append(_ON_ONE_LINE)
                label = None
        elif label is not None and line.startswith(b"-----END "):
            parts.blocks.append(_decode(lines) if line[9:] == label else _NOT_WHOLE)
            label = None
        elif label is None or b":" in line:  # a colon makes the line a header of RFC 1421, as base64 has none
            parts.others.append(raw)
        else:
            lines.append(line)
    if label is not None:
        parts.blocks.append(_NOT_WHOLE)
    return parts


def _decode(lines: list[bytes]) -> bytes | str:
    try:
        return base64.b64decode(b"".join(b"".join(lines).split()), validate=True)
    except binascii.Error:
        return _NOT_WHOLE


def _why_no_block(text: bytes) -> str:
    if text.startswith(_UTF16_BOMS):
        return "is UTF-16 text; write it as UTF-8"
    if is_encoded_twice(text):
        return "is base64 of a PEM file; it was encoded once too often"
    if b"-----BEGIN" in text and b"\\n" in text:
        return r"has its line breaks written as \n, so that its BEGIN line is not a line of its own; write real ones"
    stray = stray_key(text)
    return f"holds no PEM block and is no DER, but {stray}" if stray else "holds no PEM block and is no DER"
