"""Write and read the two copies of a ring: the data of the Secret, and the file on a node's disk.

The Secret holds the private halves wrapped, an entry for each version. The disk holds them as they are, because a
signer has to serve from its disk whatever became of the wrapping key; the file is the node's as its sa.key is.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from oidc_publisher.errors import DocumentInvalidError
from oidc_publisher.keys.strictjson import parse_object
from oidc_publisher.signer.ring import PrivateHalf, Ring, RingKey
from oidc_publisher.signer.storage.ringerror import RingUnreadableError, unreadable
from oidc_publisher.signer.storage.ringjson import from_json, to_json
from oidc_publisher.signer.storage.wrapping import EntryLabel, Wrapping

#: The entry of the Secret with everything but private halves.
RING_ENTRY = "ring.json"
#: The entry of the Secret with the seal of RING_ENTRY.
SEAL_ENTRY = "ring.seal"
#: A Secret holds 1 MiB at most.
_MAX_BYTES = 1024 * 1024

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DiskCopy:
    """A DiskCopy is what a node remembers: the ring, and the key ID of what this signer signed with last (S5)."""

    ring: Ring
    signing_key_id: str | None = None


def entry_name(number: int) -> str:
    """Return the entry of a version's private half: 000010.key."""
    return f"{number:06}.key"


def to_secret(ring: Ring, wrapping: Wrapping) -> dict[str, bytes]:
    """Return the whole data of the Secret."""
    content = _bytes(to_json(ring))
    seal = wrapping.seal(content)
    data = {RING_ENTRY: content} | ({} if seal is None else {SEAL_ENTRY: seal})
    for key in ring.keys:
        if key.private is not None:
            label = EntryLabel(ring.lineage, key.number, key.key_id)
            data[entry_name(key.number)] = wrapping.wrap(key.private, label)
    return data


def from_secret(data: Mapping[str, bytes], wrapping: Wrapping) -> Ring | None:
    """Read the data of the Secret; None when it is empty, as the installer makes it.

    Raises RingUnreadableError, whose message names the entry and the place of the fault.
    """
    if not data:
        return None
    if RING_ENTRY not in data:
        raise unreadable(f"The Secret has entries and no {RING_ENTRY}")
    unread = dict(data)
    content = unread.pop(RING_ENTRY)
    seal = wrapping.seal(content)
    if seal is not None and not hmac.compare_digest(unread.pop(SEAL_ENTRY, b""), seal):
        raise unreadable(f"{RING_ENTRY} has no seal under this wrapping key: another key made it, or it was edited")
    ring = _read(RING_ENTRY, lambda: from_json(_object(content)))
    ring = _with_private(ring, lambda key: _unwrapped(unread, wrapping, ring.lineage, key))
    for name in sorted(unread):
        raise unreadable(f"The Secret's entry {name} belongs to no version that can sign")
    return ring


def _with_private(ring: Ring, private: Callable[[RingKey], PrivateHalf | None]) -> Ring:
    keys = (key if key.verify_only else replace(key, private=private(key)) for key in ring.keys)
    return replace(ring, keys=tuple(keys))


def _unwrapped(unread: dict[str, bytes], wrapping: Wrapping, lineage: str, key: RingKey) -> PrivateHalf | None:
    name, label = entry_name(key.number), EntryLabel(lineage, key.number, key.key_id)
    entry = unread.pop(name, None)
    return None if entry is None else _matching(name, key, _read(name, lambda: wrapping.unwrap(entry, label)))


def to_disk(copy: DiskCopy) -> bytes:
    """Return the content of the file."""
    private = {k.key_id: base64.b64encode(k.private.pkcs8).decode() for k in copy.ring.keys if k.private}
    return _bytes({"ring": to_json(copy.ring), "privateKeys": private, "signingKeyID": copy.signing_key_id})


def from_disk(content: bytes) -> DiskCopy:
    """Read the file; raises RingUnreadableError, whose message names the place of the fault."""
    document = _read("", lambda: _object(content))
    if set(document) != {"ring", "privateKeys", "signingKeyID"}:
        raise unreadable("has not the members ring, privateKeys and signingKeyID")
    unread, signing = document["privateKeys"], document["signingKeyID"]
    if not isinstance(unread, dict) or not (signing is None or isinstance(signing, str)):
        raise unreadable("privateKeys is not an object, or signingKeyID not a text")
    ring = _read("ring:", lambda: from_json(document["ring"]))
    ring = _with_private(ring, lambda key: _plain(unread, key))
    if unread:
        raise unreadable("privateKeys has a key of no version that can sign")
    return DiskCopy(ring, signing)


def _plain(unread: dict[str, Any], key: RingKey) -> PrivateHalf | None:
    if key.key_id not in unread:
        return None
    try:
        pkcs8 = base64.b64decode(unread.pop(key.key_id), validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise unreadable(f"privateKeys: that of version {key.number} is not base64") from None
    return _matching("privateKeys", key, PrivateHalf(pkcs8))


def _matching(where: str, key: RingKey, private: PrivateHalf) -> PrivateHalf:
    """Return a private half after a look that it is the other half of its version, and no foreign key."""
    try:
        public = serialization.load_der_private_key(private.pkcs8, None).public_key()
        spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise unreadable(f"{where} is no private key of version {key.number}") from None
    if spki != key.key.spki:
        raise unreadable(f"{where} is not the private half of version {key.number}")
    return private


def _object(content: bytes) -> dict[str, Any]:
    try:
        return parse_object(content, max_bytes=_MAX_BYTES)
    except DocumentInvalidError as error:
        raise unreadable(error.message) from None


def _bytes(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode() + b"\n"


def _read(where: str, read: Callable[[], T]) -> T:
    """Return what `read` returns; an error gets the name of the place in front."""
    try:
        return read()
    except RingUnreadableError as error:
        raise (unreadable(f"{where} {error.message}") if where else error) from None
