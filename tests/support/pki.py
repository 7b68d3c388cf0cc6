"""Issue certificates for all TLS servers and clients of the tests, broken ones included, from one authority."""

from __future__ import annotations

import datetime as dt
import ipaddress
import itertools
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

EVERY_LOCAL_NAME = (
    "localhost",
    "127.0.0.1",
    "::1",
    "10.201.0.10",
    "10.201.0.11",
    "10.201.0.12",
    "10.201.0.13",
    "10.96.0.1",  # the Service of the API servers, as pods reach it
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain and its private key as files, in PEM."""

    chain_file: Path
    key_file: Path

    def server_context(self) -> ssl.SSLContext:
        """Return a TLS context that serves this certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain_file, self.key_file)
        return context


class PKI:
    """A certificate authority that writes certificates below one folder.

    trustme's certificates carry the key usages that Python 3.13 and newer insist on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._authority = trustme.CA(organization_name="oidc-publisher tests")
        self._numbers = itertools.count(1)
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(self.ca_pem)

    @property
    def ca_pem(self) -> bytes:
        """The authority's certificate in PEM."""
        return self._authority.cert_pem.bytes()

    @property
    def ca_key_pem(self) -> bytes:
        """The authority's private key in PEM, for programs that issue certificates themselves."""
        return self._authority.private_key_pem.bytes()

    def client_context(self) -> ssl.SSLContext:
        """Return a TLS context that trusts this authority and nothing else."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def serving(
        self, *names: str, not_before: dt.datetime | None = None, not_after: dt.datetime | None = None
    ) -> Certificate:
        """Issue a serving certificate for host names and addresses (default: every local one)."""
        issued = self._authority.issue_cert(*(names or EVERY_LOCAL_NAME), not_before=not_before, not_after=not_after)
        return self._write(b"".join(blob.bytes() for blob in issued.cert_chain_pems), issued.private_key_pem.bytes())

    def expired(self, *names: str) -> Certificate:
        """Issue a serving certificate that ended yesterday."""
        now = dt.datetime.now(dt.UTC)
        return self.serving(*names, not_before=now - dt.timedelta(days=30), not_after=now - dt.timedelta(days=1))

    def not_yet_valid(self, *names: str) -> Certificate:
        """Issue a serving certificate that begins tomorrow."""
        now = dt.datetime.now(dt.UTC)
        return self.serving(*names, not_before=now + dt.timedelta(days=1), not_after=now + dt.timedelta(days=30))

    def expiring(self, remaining: dt.timedelta, *names: str) -> Certificate:
        """Issue a serving certificate that is valid for no longer than `remaining`."""
        now = dt.datetime.now(dt.UTC)
        return self.serving(*names, not_before=now - dt.timedelta(days=30), not_after=now + remaining)

    def incomplete_chain(self, *names: str) -> Certificate:
        """Issue a serving certificate by an intermediate authority and leave the intermediate out of the chain."""
        issued = self._authority.create_child_ca().issue_cert(*(names or EVERY_LOCAL_NAME))
        return self._write(issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes())

    def complete_chain(self, *names: str) -> Certificate:
        """Issue a serving certificate by an intermediate authority, with the intermediate in the chain."""
        issued = self._authority.create_child_ca().issue_cert(*(names or EVERY_LOCAL_NAME))
        return self._write(b"".join(blob.bytes() for blob in issued.cert_chain_pems), issued.private_key_pem.bytes())

    def untrusted(self, *names: str) -> Certificate:
        """Issue a serving certificate by an authority that no client trusts."""
        issued = trustme.CA(organization_name="nobody knows us").issue_cert(*(names or EVERY_LOCAL_NAME))
        return self._write(b"".join(blob.bytes() for blob in issued.cert_chain_pems), issued.private_key_pem.bytes())

    def self_signed(self, *names: str) -> Certificate:
        """Make a self-signed serving certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "self-signed")])
        builder = _builder(subject, subject, key.public_key())
        alternatives = [_general_name(name) for name in names or EVERY_LOCAL_NAME]
        certificate = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False).sign(
            key, hashes.SHA256()
        )
        return self._write(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))

    def client(self, user: str, groups: tuple[str, ...] = (), *, not_after: dt.datetime | None = None) -> Certificate:
        """Issue a client certificate that kube-apiserver takes for a user (CN) and its groups (each an O)."""
        key = ec.generate_private_key(ec.SECP256R1())
        organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject = x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, user)])
        authority = x509.load_pem_x509_certificate(self.ca_pem)
        signer = serialization.load_pem_private_key(self._authority.private_key_pem.bytes(), password=None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise TypeError("trustme's authority signs with an EC key")
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = _builder(subject, authority.subject, key.public_key(), not_after=not_after)
        builder = builder.add_extension(usage, critical=False)
        certificate = builder.sign(signer, hashes.SHA256())
        return self._write(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))

    def _write(self, chain: bytes, key: bytes) -> Certificate:
        number = next(self._numbers)
        written = Certificate(self.folder / f"{number}.crt", self.folder / f"{number}.key")
        written.chain_file.write_bytes(chain)
        written.key_file.write_bytes(key)
        written.key_file.chmod(0o600)
        return written


class LaxAuthority:
    """A certificate authority that breaks RFC 5280, as plain `openssl` makes them: strict clients refuse it.

    `lacks` is "key usage" or "critical basic constraints": what its certificate does not have, and RFC 5280 demands.
    """

    def __init__(self, folder: Path, lacks: str = "key usage") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._folder = folder
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"a CA without {lacks}")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = _builder(name, name, self._key.public_key()).add_extension(
            constraints, critical=lacks != "critical basic constraints"
        )
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
        )
        if lacks != "key usage":
            builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.ca_file = folder / "lax-ca.pem"
        self.ca_file.write_bytes(self.ca_pem)

    @property
    def ca_pem(self) -> bytes:
        """The authority's certificate in PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def serving(self) -> Certificate:
        """Issue a serving certificate for every local name, which breaks no rule itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        builder = _builder(subject, self._certificate.subject, key.public_key())
        for extension in (
            x509.SubjectAlternativeName([_general_name(name) for name in EVERY_LOCAL_NAME]),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
        ):
            builder = builder.add_extension(extension, critical=False)
        written = Certificate(self._folder / "lax.crt", self._folder / "lax.key")
        certificate = builder.sign(self._key, hashes.SHA256())
        written.chain_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        written.key_file.write_bytes(_key_pem(key))
        return written


_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, not_after: dt.datetime | None = None
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - dt.timedelta(hours=1),
        not_valid_after=not_after or now + dt.timedelta(days=30),
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
