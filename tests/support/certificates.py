"""Make a certificate authority of two tiers whose certificates name the URL of their issuer's, as public ones do."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from tests.support.pki import Certificate

_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class PublicAuthority:
    """A root, an intermediate below it, and certificates for localhost from the intermediate."""

    def __init__(self, folder: Path, name: str = "Example Trust") -> None:
        self._folder = folder
        self._root_key, self._intermediate_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self._root = _certificate(f"{name} Root", self._root_key, f"{name} Root", self._root_key)
        self.intermediate = _certificate(f"{name} R1", self._intermediate_key, f"{name} Root", self._root_key)

    @property
    def root_pem(self) -> str:
        """The root in PEM."""
        return self._root.public_bytes(Encoding.PEM).decode()

    @property
    def intermediate_pem(self) -> str:
        """The intermediate in PEM."""
        return self.intermediate.public_bytes(Encoding.PEM).decode()

    def serving_a_negative_serial(self, *, chain: bool = True) -> Certificate:
        """Issue a certificate whose serial number is negative, which cryptography does not make."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.intermediate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        leaf = _certificate(
            "localhost", key, str(issuer), self._intermediate_key, ca=False, aia=True, serial=0x7FFF << 112
        )
        serial = leaf.serial_number.to_bytes(16, "big")
        body = leaf.tbs_certificate_bytes.replace(b"\x02\x10" + serial, b"\x02\x10\x80" + serial[1:], 1)
        signature = self._intermediate_key.sign(body, ec.ECDSA(hashes.SHA256()))
        algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256, RFC 5758, 3.2
        der = _der(0x30, body + algorithm + _der(0x03, b"\x00" + signature))
        written = Certificate(self._folder / "negative.crt", self._folder / "negative.key")
        sent = ssl.DER_cert_to_PEM_cert(der) + (self.intermediate_pem if chain else "")
        written.chain_file.write_text(sent)
        written.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return written

    def serving(self, *, chain: bool, issuer_named: bool = True) -> Certificate:
        """Issue a certificate with or without the intermediate behind it, with or without AIA caIssuers."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.intermediate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        leaf = _certificate("localhost", key, str(issuer), self._intermediate_key, ca=False, aia=issuer_named)
        sent = leaf.public_bytes(Encoding.PEM) + (self.intermediate_pem.encode() if chain else b"")
        written = Certificate(self._folder / f"{leaf.serial_number}.crt", self._folder / f"{leaf.serial_number}.key")
        written.chain_file.write_bytes(sent)
        written.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return written


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = True,
    aia: bool = False,
    serial: int = 0,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
        public_key=key.public_key(),
        serial_number=serial or x509.random_serial_number(),
        not_valid_before=now - dt.timedelta(hours=1),
        not_valid_after=now + dt.timedelta(days=90),
    ).add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    for extension, critical in _strict(key, issuer_key, ca=ca):
        builder = builder.add_extension(extension, critical=critical)
    if not ca:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    if aia:
        place = x509.UniformResourceIdentifier("http://ca.example.test/r1.crt")
        access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, place)
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _strict(
    key: ec.EllipticCurvePrivateKey, issuer_key: ec.EllipticCurvePrivateKey, *, ca: bool
) -> Iterator[tuple[x509.ExtensionType, bool]]:
    """What RFC 5280 demands and Python's strict checks look for, so that a fault of a test stays the only one."""
    yield x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
    if ca:
        yield x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
        uses = {use: use in ("key_cert_sign", "crl_sign") for use in _USES}
        yield x509.KeyUsage(**uses), True


def _der(tag: int, content: bytes) -> bytes:
    """Encode a value of up to 65,535 bytes."""
    size = len(content)
    length = (
        bytes([size]) if size < 128 else b"\x81" + bytes([size]) if size < 256 else b"\x82" + size.to_bytes(2, "big")
    )
    return bytes([tag]) + length + content
