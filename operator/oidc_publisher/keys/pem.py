"""Public keys in an entry of a ConfigMap, a Secret or a directory: PEM or DER, keys or certificates."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import PublicKeyAlgorithmOID

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Reason
from oidc_publisher.keys.publickey import PublicKey
from oidc_publisher.keys.reading import EntryReading, KeyDefect
from oidc_publisher.keys.shape import Shape, is_encoded_twice, names_private_key, shape_of

#: No ConfigMap or Secret can be larger, so only a file can, and then it is not a file of public keys.
MAX_ENTRY_BYTES = 1024 * 1024

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def read_entry(data: bytes) -> EntryReading:
    """Read one entry: concatenated PEM blocks of any label, or one DER key or certificate.

    What a block is decides its content, as in kube-apiserver: OpenShift writes SubjectPublicKeyInfo under the label
    "RSA PUBLIC KEY". A true PKCS1 public key is refused, for kube-apiserver does not accept it as a verify key either.
    An entry with a private key is refused as a whole, other blocks included: whoever wrote it mistook the file. Of any
    other entry the good blocks count. A zero-byte entry is empty and no defect (OpenShift keeps some).
    """
    if len(data) > MAX_ENTRY_BYTES:
        return EntryReading.refused(Reason.EntryUnreadable, f"is larger than {MAX_ENTRY_BYTES // 1024} KiB")
    if names_private_key(data):
        return EntryReading.refused(Reason.PrivateKeyInEntry, "holds a private key; nothing of it is used")
    if not data:
        return EntryReading()
    if data[0] == 0x30 and b"-----BEGIN" not in data:  # noqa: PLR2004 - a SEQUENCE: DER, as kOps keeps certificates
        return _read_blocks([data], name="the DER")
    return _read_pem(data.removeprefix(_UTF8_BOM))


def _read_pem(text: bytes) -> EntryReading:
    blocks = list(_split(text))
    if not blocks:
        return EntryReading.refused(Reason.EntryUnreadable, _why_no_block(text))
    return _read_blocks(blocks, name="block")


def _read_blocks(blocks: list[bytes | None], *, name: str) -> EntryReading:
    """Each block's DER (None: not decodable) as a key or a defect; a private key among them voids them all."""
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


def _read_der(der: bytes | None) -> PublicKey:
    if der is None:
        raise KeyRefusedError(Reason.EntryUnreadable, "is not whole: its BEGIN or END line, or its base64, is damaged")
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
        certificate = x509.load_der_x509_certificate(der)
        material = certificate.public_key()
    except UnsupportedAlgorithm:
        raise KeyRefusedError(Reason.KeyUnsupported, "is a certificate for a key of an unknown type") from None
    except (ValueError, x509.InvalidVersion):
        raise KeyRefusedError(Reason.EntryUnreadable, "is neither a public key nor a certificate") from None
    if certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
        raise KeyRefusedError(Reason.KeyUnsupported, "is a certificate for an RSA key for PSS only")
    return PublicKey.of(material)


def _split(text: bytes) -> Iterator[bytes | None]:
    """The content of each PEM block in turn, None for one that does not end or does not decode.

    Text between blocks is a comment (RFC 7468, 5.2). One pass over the lines: a search per block would be quadratic.
    """
    label: bytes | None = None
    lines: list[bytes] = []
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(b"-----BEGIN ") and line.endswith(b"-----"):
            if label is not None:
                yield None
            label, lines = line[11:], []
        elif label is not None and line.startswith(b"-----END "):
            yield _decode(lines) if line[9:] == label else None
            label = None
        elif b":" not in line:  # a header of RFC 1421, which base64 cannot be
            lines.append(line)
    if label is not None:
        yield None


def _decode(lines: list[bytes]) -> bytes | None:
    try:
        return base64.b64decode(b"".join(b"".join(lines).split()), validate=True)
    except binascii.Error:
        return None


def _why_no_block(text: bytes) -> str:
    if text.startswith(_UTF16_BOMS):
        return "is UTF-16 text; write it as UTF-8"
    if is_encoded_twice(text):
        return "is base64 of a PEM file; it was encoded once too often"
    if b"-----BEGIN" in text:
        return "has a PEM block whose BEGIN line is not a line of its own"
    return "holds no PEM block and is no DER"
