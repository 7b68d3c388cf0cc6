"""kOps keysets of the service-account signer.

A keyset's items are certificates whose ID is a serial of 28 digits: nanoseconds since 1970 times 2^32, plus noise. Here they
are files named for the ID, as state stores have had them. On the control plane nodes service-account.pub holds the public
keys of all items that are trusted, the oldest first, each SubjectPublicKeyInfo under the label "RSA PUBLIC KEY" (source:
Keyset.ToPublicKeys of kubernetes/kops).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from tests.layouts.material import certificate, pem, rsa_public

PATTERN = r"(?P<version>[0-9]+)\.crt"


def item_id(made: datetime) -> int:
    """The ID of an item made at that time (pki.BuildPKISerial)."""
    nanoseconds = int(made.timestamp()) * 10**9
    return nanoseconds << 32 | int.from_bytes(hashlib.sha256(str(nanoseconds).encode()).digest()[:4])


def issued(items: Sequence[datetime]) -> dict[str, bytes]:
    """A folder with one certificate for each item."""
    return {f"{item_id(made)}.crt": certificate(f"kops-{made}", item_id(made))[0] for made in items}


def spki(made: datetime) -> bytes:
    """The key of the item made at that time."""
    return certificate(f"kops-{made}", item_id(made))[1]


def service_account_pub(names: Sequence[str]) -> bytes:
    """service-account.pub of a control plane node, for items from the oldest to the newest."""
    return b"".join(pem(rsa_public(name), "RSA PUBLIC KEY") for name in names)
