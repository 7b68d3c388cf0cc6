"""The keys of the gallery, its certificates, and members of key sets that no key set should have."""

from __future__ import annotations

import base64
import datetime as dt
import json
import ssl
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from oidc_publisher.documents import discovery_document, jwks_document
from oidc_publisher.keys import PublicKey
from oidc_publisher.keys.jwk import to_jwk
from tests.gallery.answers import Change, body
from tests.support.certificates import PublicAuthority
from tests.support.pki import PKI, Certificate, LaxAuthority
from tests.support.signingkeys import SigningKey, rsa_key, signing_key

Member = dict[str, Any]

_NAMES = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("*.gallery.test")])
_SHA256_RSA, _SHA1_RSA = (bytes.fromhex(f"2a864886f70d0101{last}") for last in ("0b", "05"))  # RFC 8017, A.2.4


def keys() -> tuple[SigningKey, SigningKey]:
    """Return the two keys of every issuer of the gallery; tokens are signed with the first."""
    return signing_key("RSA-2048", "gallery"), signing_key("P-256", "gallery")


def public(key: SigningKey) -> PublicKey:
    """Return the public half as the product knows it."""
    return PublicKey.from_pem(key.public_pem.decode())


def documents(issuer: str) -> tuple[bytes, bytes]:
    """Return both documents as the operator publishes them."""
    return discovery_document(issuer, f"{issuer}/openid/v1/jwks", ["RS256"]), jwks_document([public(k) for k in keys()])


def jwk(kind: Any, name: str, **changes: Any) -> Member:
    """Return the JWK of a key that no issuer published, changed."""
    return {**to_jwk(public(signing_key(kind, name))), **changes}


def key_set(change: Callable[[list[Member]], list[Member]]) -> Change:
    """Change the members of the key set."""

    def changed(content: bytes) -> bytes:
        return json.dumps({"keys": change(json.loads(content)["keys"])}).encode()

    return body(changed)


def beside(*members: Member) -> Change:
    """Serve further members behind the published ones."""
    return key_set(lambda published: [*published, *members])


def octets(text: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text(data: bytes) -> str:
    """Encode base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Certificates:
    """Every certificate of the gallery; `trusted_pem` are the roots that its readers trust."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.pki = PKI(folder / "pki")
        self.public = PublicAuthority(folder)
        self.lax = LaxAuthority(folder)
        self._rsa_key = rsa_key()
        self._rsa_root = _certificate("Gallery RSA Root", self._rsa_key.public_key(), None, self._rsa_key)

    @property
    def trusted_pem(self) -> str:
        """The roots, in PEM."""
        own = self._rsa_root.public_bytes(Encoding.PEM).decode()
        return f"{self.pki.ca_pem.decode()}{self.public.root_pem}{self.lax.ca_pem.decode()}{own}"

    @cached_property
    def good(self) -> ssl.SSLContext:
        """A server that nobody refuses, shared because making one takes 35 ms."""
        return self.issued().server_context()

    def issued(self, *names: str, **validity: dt.datetime) -> Certificate:
        """Issue a certificate for localhost and the gallery's names, or for others."""
        return self.pki.serving(*(names or ("localhost", "*.gallery.test", "issuer.silent")), **validity)

    def weak_key(self) -> Certificate:
        """Issue a certificate for an RSA key of 1024 bits."""
        key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - a weak key is the fault
        made = _certificate("weak key", key.public_key(), self._rsa_root, self._rsa_key)
        return self._written("weak-key", made.public_bytes(Encoding.DER), key)

    def common_name(self) -> Certificate:
        """Issue a certificate without alternative names, whose common name is the host."""
        key = rsa_key()
        made = _certificate("localhost", key.public_key(), self._rsa_root, self._rsa_key, alternatives=False)
        return self._written("common-name", made.public_bytes(Encoding.DER), key)

    def for_clients(self) -> Certificate:
        """Issue a certificate whose extended key usage has clients alone."""
        key = rsa_key()
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        made = _certificate("a client", key.public_key(), self._rsa_root, self._rsa_key, usage)
        return self._written("for-clients", made.public_bytes(Encoding.DER), key)

    def sha1(self) -> Certificate:
        """Issue a certificate that is signed with SHA-1; the library makes none, so the signature is made anew."""
        key = rsa_key()
        made = _certificate("weak signature", key.public_key(), self._rsa_root, self._rsa_key)
        der = made.public_bytes(Encoding.DER).replace(_SHA256_RSA, _SHA1_RSA)
        tbs = made.tbs_certificate_bytes.replace(_SHA256_RSA, _SHA1_RSA)
        signature = self._rsa_key.sign(tbs, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - the fault
        return self._written("sha1", der[: -len(signature)] + signature, key)

    def _written(self, name: str, der: bytes, key: rsa.RSAPrivateKey) -> Certificate:
        written = Certificate(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        written.chain_file.write_text(ssl.DER_cert_to_PEM_cert(der))
        written.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return written


def server_context(certificate: Certificate, **settings: Any) -> ssl.SSLContext:
    """Return a TLS context with `minimum_version`, `maximum_version` and `ciphers`; weak ones are allowed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # OpenSSL loads no weak certificate and speaks no TLS 1.1 at its usual security level.
    context.set_ciphers(settings.get("ciphers", "DEFAULT:@SECLEVEL=0"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.1 is the fault
        context.minimum_version = settings.get("minimum_version", ssl.TLSVersion.TLSv1_2)
        context.maximum_version = settings.get("maximum_version", ssl.TLSVersion.MAXIMUM_SUPPORTED)
    context.load_cert_chain(certificate.chain_file, certificate.key_file)
    return context


def _certificate(
    name: str,
    key: rsa.RSAPublicKey,
    issuer: x509.Certificate | None,
    signer: rsa.RSAPrivateKey,
    *extensions: x509.ExtensionType,
    alternatives: bool = True,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer.subject if issuer else subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - dt.timedelta(hours=1),
        not_valid_after=now + dt.timedelta(days=90),
    ).add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    if issuer is None:
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        return builder.add_extension(usage, critical=True).sign(signer, hashes.SHA256())
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    for extension in (*((_NAMES,) if alternatives else ()), above, *extensions):
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signer, hashes.SHA256())


def p224_jwk() -> Member:
    """Return a JWK on a curve that Go's JOSE libraries do not know."""
    numbers = ec.generate_private_key(ec.SECP224R1()).public_key().public_numbers()
    x, y = (text(number.to_bytes(28)) for number in (numbers.x, numbers.y))
    return {"use": "sig", "kty": "EC", "kid": "p224", "alg": "ES256", "crv": "P-224", "x": x, "y": y}


def certificate_of(member: Member) -> bytes:
    """Return a certificate (DER) of the RSA key of a JWK, signed by somebody."""
    modulus, exponent = (int.from_bytes(octets(member[name])) for name in ("n", "e"))
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    somebody = load_pem_private_key(signing_key("RSA-2048", "somebody").private_pem, None)
    if not isinstance(somebody, rsa.RSAPrivateKey):
        raise TypeError("RSA was asked for")
    return _certificate("a key of tokens", key, None, somebody).public_bytes(Encoding.DER)
