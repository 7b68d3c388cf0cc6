"""Run an issuer as a real HTTPS host on loopback, whose answers a test may change, and sign tokens for it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from oidc_publisher.documents import discovery_document, jwks_document
from oidc_publisher.keys import PublicKey
from tests.support.hosts import Connection, Host
from tests.support.pki import PKI
from tests.support.signingkeys import signing_key

DISCOVERY, JWKS = "/prod/.well-known/openid-configuration", "/prod/openid/v1/jwks"


@dataclass(slots=True)
class Answering:
    """One answer of the host: its status, its headers and its body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(
        default_factory=lambda: {"Content-Type": "application/json", "Cache-Control": "public, max-age=300"}
    )

    def written(self) -> bytes:
        """Return the bytes of the answer."""
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode() + self.body


def material_of(pem: bytes) -> rsa.RSAPublicKey:
    """Return the RSA key of a PEM."""
    key = load_pem_public_key(pem)
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("not an RSA key")
    return key


class IssuerHost:
    """An issuer with one RSA key; `answers` holds what each path answers, and `delay` waits before each answer."""

    def __init__(self, pki: PKI, *, key_id: str = "key-1", delay: Callable[[], float] = lambda: 0.0) -> None:
        self._key, self.key_id, self.delay = signing_key("RSA-2048", "issuer host"), key_id, delay
        self.answers: dict[str, Answering] = {}
        self.host = Host(pki.serving().server_context(), self._answer)
        self.url = self.host.url.replace("/document", "/prod")
        public = PublicKey.of(material_of(self._key.public_pem), key_id)
        self.answers[JWKS] = Answering(jwks_document([public]))
        self.answers[DISCOVERY] = Answering(discovery_document(self.url, f"{self.url}/openid/v1/jwks", ["RS256"]))

    def __enter__(self) -> Self:
        """Begin to listen."""
        self.host.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.host.__exit__()

    def discover(self, **members: Any) -> None:
        """Change members of the discovery document."""
        document = json.loads(self.answers[DISCOVERY].body) | members
        self.answers[DISCOVERY].body = json.dumps(document).encode()

    def token(self, *, key_id: str | None = None, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """Sign a token of a ServiceAccount, with more members in its header."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "sub": "system:serviceaccount:ns:app",
            "aud": ["sts.amazonaws.com"],
            "iat": now - 10,
            "nbf": now - 10,
            "exp": now + 3600,
        }
        named = {"alg": "RS256", "kid": self.key_id if key_id is None else key_id, **(header or {})}
        content = ".".join(_base64url(json.dumps(part).encode()) for part in (named, usual | claims))
        private = load_pem_private_key(self._key.private_pem, None)
        assert isinstance(private, rsa.RSAPrivateKey)
        return f"{content}.{_base64url(private.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def _answer(self, connection: Connection, head: bytes) -> None:
        time.sleep(self.delay())
        path = head.split()[1].decode()
        connection.send(self.answers.get(path, Answering(b"gone", 404)).written())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
