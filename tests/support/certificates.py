"""Make a certificate authority of two tiers whose certificates name the URL of their issuer's, as public ones do."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from tests.support.pki import Certificate


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
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - dt.timedelta(hours=1),
        not_valid_after=now + dt.timedelta(days=90),
    ).add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if not ca:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    if aia:
        place = x509.UniformResourceIdentifier("http://ca.example.test/r1.crt")
        access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, place)
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
