"""Read the key set of an API server (/openid/v1/jwks)."""

from __future__ import annotations

from oidc_publisher.errors import DocumentInvalidError, KeyRefusedError
from oidc_publisher.findings import Reason
from oidc_publisher.keys.entryreading import EntryReading, KeyDefect
from oidc_publisher.keys.jwk import key_members, member_name, read_jwk
from oidc_publisher.keys.publickey import PublicKey
from oidc_publisher.keys.remembering import Remembered

#: The limits of relying parties do not apply to API servers, which list every key of their key files.
MAX_CLUSTER_JWKS_BYTES = 1024 * 1024


def _read(data: bytes) -> EntryReading:
    """Read a key set as `read_cluster_jwks` does.

    A member that cannot be published is a defect and left out. The set is never mirrored verbatim: development versions
    list ML-DSA keys, on which go-jose drops the whole set. Duplicates are merged. Two materials under one kid are both
    listed, because the ledger decides between them by a fresh token (R8). Encodings that only strict verifiers refuse
    are accepted, because the published set is encoded anew.
    """
    try:
        members = key_members(data, max_bytes=MAX_CLUSTER_JWKS_BYTES)
    except DocumentInvalidError as error:
        return EntryReading.refused(Reason.EntryUnreadable, f"the key set {error.message}")
    keys: dict[PublicKey, None] = {}
    defects: list[KeyDefect] = []
    for number, member in enumerate(members, start=1):
        try:
            keys[read_jwk(member).key] = None
        except KeyRefusedError as error:
            defects.append(KeyDefect(error.reason, f"{member_name(number, member)} {error.message}"))
    return EntryReading(tuple(keys), tuple(defects))


_READ = Remembered(_read)


def read_cluster_jwks(data: bytes) -> EntryReading:
    """Return the keys that an API server lists, with its own kids, in its order; equal bytes are parsed once."""
    return _READ(data)
