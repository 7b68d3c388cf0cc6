"""Write a ring as the two key files of a kube-apiserver without a signer, for the way back."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization

from oidc_publisher.signer.ring import RingKey
from oidc_publisher.signer.storage.copies import DiskCopy
from oidc_publisher.signer.storage.ringerror import unreadable

PRIVATE_FILE, PUBLIC_FILE = "sa.key", "sa.pub"


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """The KeyFiles are what --service-account-signing-key-file and --service-account-key-file name, in PEM.

    `signing` is the version whose private half is in `private_pem`. `public_pem` has a block for every version, that
    one first: kubeadm compares the first block with the private key, and panics where it is of another kind.
    """

    signing: RingKey
    count: int
    private_pem: bytes = field(repr=False)
    public_pem: bytes


def key_files(copy: DiskCopy) -> KeyFiles:
    """Return the files with which an API server signs and verifies as it does by this copy.

    Raises RingUnreadableError where the copy lacks the key that signed last.
    """
    signing = copy.ring.get(copy.signing_key_id) if copy.signing_key_id else None
    if signing is None or signing.private is None:
        raise unreadable("The copy has no private half of the version that this node signs with")
    material = serialization.load_der_private_key(signing.private.pkcs8, None)
    private = material.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    listed = (signing, *(key for key in copy.ring.keys if key is not signing))
    return KeyFiles(signing, len(listed), private, b"".join(map(_public_pem, listed)))


def _public_pem(key: RingKey) -> bytes:
    return serialization.load_der_public_key(key.key.spki).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
