"""This module makes and reads the published key set (RFC 7517, section 5)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Reason
from oidc_publisher.keys import KeyDefect, PublicKey, to_jwk
from oidc_publisher.keys.jwk import is_for_encryption, key_members, member_name, read_jwk
from oidc_publisher.keys.oddities import is_passed_over
from oidc_publisher.keys.remembering import Remembered
from oidc_publisher.keys.strictjson import MAX_DOCUMENT_BYTES


@dataclass(frozen=True, slots=True)
class KeySet:
    """A key set as read has its usable keys in stored order, and every reason for which a verifier refuses the set.

    `left_out` says of each member that is not among the keys why the member is left out.
    """

    keys: tuple[PublicKey, ...]
    defects: tuple[KeyDefect, ...]
    left_out: tuple[str, ...] = ()


def jwks_document(keys: Sequence[PublicKey]) -> bytes:
    """Return the bytes of the key set in the given order; equal input gives equal bytes.

    Each key has a line of its own, so that a person can read the set with curl. 100 RSA-2048 keys take 44 KiB, below the
    51,200 bytes that Nimbus and Spring read.

    Raises:
        KeyRefusedError: NoUsableKey, for no keys; an empty set is never made (R6).
    """
    if not keys:
        raise KeyRefusedError(Reason.NoUsableKey, "There is no key to publish, and an empty set is never written")
    lines = ",\n".join(map(_line, keys))
    return f'{{"keys":[\n{lines}\n]}}\n'.encode()


def _line_of(key: PublicKey) -> str:
    return json.dumps(to_jwk(key), separators=(",", ":"))


_line = Remembered(_line_of, limit=8192 * 294, size=lambda key: len(key.spki))


def read_jwks_document(data: bytes, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> KeySet:
    """Read a published key set of at most `max_bytes`.

    The result is remembered by its bytes, because the store and the wire show the same bytes, in each pass.

    Raises:
        DocumentInvalidError: the bytes are no key set, or too many.
    """
    if len(data) > max_bytes:
        key_members(data, max_bytes=max_bytes)  # raises DocumentInvalidError for a document that is too large
    return _READ(data)


def _read(data: bytes) -> KeySet:
    """Read a published key set by the rules of the strictest verifiers.

    A member that makes some verifier drop the key or the whole set gives a defect (KeySetInvalid) that names the member. A
    key is usable where its kid and material are clear all the same (padding, a foreign member, a duplicate). A key with
    private members or of another type is not usable. Of two materials under one kid the first counts, as for most
    verifiers. An empty set is a key set, and a defect.

    Raises:
        DocumentInvalidError: the bytes are no key set.
    """
    members = key_members(data, max_bytes=len(data))
    if not members:
        return KeySet((), (KeyDefect(Reason.KeySetInvalid, "the key set is empty"),))
    keys: dict[str, PublicKey] = {}
    defects: list[KeyDefect] = []
    left_out: list[str] = []
    for number, member in enumerate(members, start=1):
        name = member_name(number, member)
        key, flaws, oddities = _judge(member, keys)
        defects.extend(KeyDefect(Reason.KeySetInvalid, f"{name} {flaw}") for flaw in flaws)
        defects.extend(KeyDefect(Reason.KeySetInvalid, f"{name} {oddity}", overlooked=True) for oddity in oddities)
        if key is None or keys[key.key_id] != key:
            left_out.append(f"{name} {(*oddities, *flaws)[-1]}")
    return KeySet(tuple(keys.values()), tuple(defects), tuple(left_out))


_READ = Remembered(_read)


def digest(data: bytes) -> str:
    """Return the digest of a document as the status shows a digest: `sha256:<hex>`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _judge(member: object, keys: dict[str, PublicKey]) -> tuple[PublicKey | None, tuple[str, ...], tuple[str, ...]]:
    """Add the member's key to `keys` if the key is usable; return the key, and the flaws and oddities of the member."""
    try:
        reading = read_jwk(member)
    except KeyRefusedError as error:
        if is_passed_over(member) or is_for_encryption(member):
            return None, (), (error.message,)
        return None, (error.message,), ()
    first = keys.setdefault(reading.key.key_id, reading.key)
    if first is reading.key:
        return reading.key, reading.flaws, reading.oddities
    again = "has the kid of an earlier key"
    flaws = (*reading.flaws, again if first == reading.key else f"{again} and other material")
    return reading.key, flaws, reading.oddities
