"""Wrap private halves for the Secret, so that nobody who reads etcd or a backup of it can sign.

An entry is AES-256-GCM under a key that HKDF-SHA256 derives from the wrapping key and the ring's lineage. The wrapping
key is a file of the control-plane nodes that etcd never sees. An entry can be unwrapped only as what it was wrapped as:
the additional data are lineage, version and key ID.

The public part of the ring has a seal, HMAC-SHA256 under another derived key. Without it, whoever may write the Secret
could add a key of theirs, and every API server would accept tokens that are signed with it.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, Self

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from oidc_publisher.signer.ring import PrivateHalf
from oidc_publisher.signer.storage.ringerror import unreadable

#: The first bytes of a wrapped entry, which tell it from a PEM file and from a later format.
MAGIC = b"opw1"
_NONCE_BYTES, _TAG_BYTES = 12, 16
_KEY_BYTES = 32
_INFO, _SEAL_INFO = b"oidc-publisher ring of signing keys", b"oidc-publisher seal of the ring"


@dataclass(frozen=True, slots=True)
class EntryLabel:
    """An EntryLabel says what an entry is: the version of one key in one ring."""

    lineage: str
    number: int
    key_id: str

    @property
    def data(self) -> bytes:
        """The label as bytes that no other label has."""
        return json.dumps([self.lineage, str(self.number), self.key_id]).encode()


class Wrapping(Protocol):
    """A Wrapping turns private halves into entries of the Secret and back."""

    def wrap(self, private: PrivateHalf, label: EntryLabel) -> bytes:
        """Return the entry of a private half."""
        ...

    def unwrap(self, entry: bytes, label: EntryLabel) -> PrivateHalf:
        """Return the private half in an entry; raises RingUnreadableError, whose message continues the entry's name."""
        ...

    def seal(self, content: bytes) -> bytes | None:
        """Return the seal of the public part, None where there is no key to seal with."""
        ...


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """A WrappingKey wraps under a key of the node's. Its repr shows nothing of it."""

    material: bytes = field(repr=False)
    nonce: Callable[[], bytes] = lambda: os.urandom(_NONCE_BYTES)

    @classmethod
    def from_file(cls, content: bytes) -> Self:
        """Read the file of a wrapping key: a private key in PEM, as kubeadm's sa.key, or at least 32 bytes of anything.

        A private key counts by its value, so that nodes may have it in different forms (PKCS#1, PKCS#8, line ends).
        Raises RingUnreadableError for a file that is too short, and for a PEM file that is no unencrypted private key.
        """
        if b"-----BEGIN" in content:
            return cls(_private_key(content))
        if len(content) < _KEY_BYTES:
            raise unreadable(f"The file of the wrapping key has {len(content)} bytes, and {_KEY_BYTES} are the least")
        return cls(content)

    def wrap(self, private: PrivateHalf, label: EntryLabel) -> bytes:
        """Return the entry of a private half."""
        nonce = self.nonce()
        return MAGIC + nonce + self._cipher(label).encrypt(nonce, private.pkcs8, label.data)

    def unwrap(self, entry: bytes, label: EntryLabel) -> PrivateHalf:
        """Return the private half in an entry."""
        if not entry.startswith(MAGIC) or len(entry) < len(MAGIC) + _NONCE_BYTES + _TAG_BYTES:
            raise unreadable("is not a wrapped private key")
        nonce, sealed = entry[len(MAGIC) :][:_NONCE_BYTES], entry[len(MAGIC) + _NONCE_BYTES :]
        try:
            return PrivateHalf(self._cipher(label).decrypt(nonce, sealed, label.data))
        except InvalidTag:
            message = (
                f"cannot be unwrapped: it was wrapped under another key, or not as version {label.number} of this ring"
            )
            raise unreadable(message) from None

    def seal(self, content: bytes) -> bytes:
        """Return the seal of the public part in hexadecimal digits."""
        return hmac.digest(self._derived(None, _SEAL_INFO), content, "sha256").hex().encode()

    def _cipher(self, label: EntryLabel) -> AESGCM:
        return AESGCM(self._derived(label.lineage.encode(), _INFO))

    def _derived(self, salt: bytes | None, info: bytes) -> bytes:
        return HKDF(hashes.SHA256(), _KEY_BYTES, salt, info).derive(self.material)


class Plaintext:
    """Plaintext wraps nothing: an entry is the private key in PEM. It has to be asked for."""

    def wrap(self, private: PrivateHalf, label: EntryLabel) -> bytes:
        """Return the entry of a private half."""
        del label
        key = serialization.load_der_private_key(private.pkcs8, None)
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def unwrap(self, entry: bytes, label: EntryLabel) -> PrivateHalf:
        """Return the private half in an entry."""
        del label
        if entry.startswith(MAGIC):
            raise unreadable("is wrapped, and no wrapping key was given")
        return PrivateHalf(_private_key(entry, "is not a private key in PEM"))

    def seal(self, content: bytes) -> None:
        """Return nothing, because there is no key to seal with."""
        del content


def _private_key(
    pem: bytes, refusal: str = "The file of the wrapping key is PEM and no unencrypted private key"
) -> bytes:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        raise unreadable(refusal) from None
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
