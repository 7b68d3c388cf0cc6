"""Write the public part of a ring as JSON, and read it back in whole or not at all.

A part of a ring would be a ring that has lost keys. So every fault is an error that names its place, a member that this
version does not know included. Numbers are texts, because they may have more digits than JSON's numbers keep.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.keys import PublicKey, format_version, is_thumbprint_of, parse_version
from oidc_publisher.signer.ring import Ring, RingKey, Tombstone
from oidc_publisher.signer.storage.ringerror import RingUnreadableError, unreadable

#: Raised when an older signer could misread what a newer one writes.
FORMAT = 1
_TIME = "%Y-%m-%dT%H:%M:%SZ"

T = TypeVar("T")


def to_json(ring: Ring) -> dict[str, Any]:
    """Return everything of a ring but its private halves."""
    return {
        "format": FORMAT,
        "lineage": ring.lineage,
        "serial": ring.serial,
        "highest": format_version(ring.highest),
        "versions": [_without_nothing(_version(key)) for key in ring.keys],
        "tombstones": [
            {"version": format_version(stone.number), "keyID": stone.key_id, "withdrawn": stone.withdrawn}
            for stone in ring.tombstones
        ],
    }


def _version(key: RingKey) -> dict[str, Any]:
    return {
        "version": format_version(key.number),
        "keyID": key.key_id,
        "algorithm": key.key.algorithm,
        "publicKey": base64.b64encode(key.key.spki).decode(),
        "imported": key.imported,
        "createdTime": f"{key.created_time:{_TIME}}",
        "signedTime": f"{key.signed_time:{_TIME}}" if key.signed_time else None,
        "verifyOnlyTime": f"{key.verify_only_time:{_TIME}}" if key.verify_only_time else None,
    }


def _without_nothing(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def from_json(document: Mapping[str, Any]) -> Ring:
    """Read a ring without its private halves.

    Raises RingUnreadableError, whose message names the place of the fault.
    """
    members = _Members("", document)
    if members.number("format") != FORMAT:
        raise unreadable(f"format is not {FORMAT}: another version of oidc-publisher wrote it")
    keys = tuple(_read_version(each) for each in members.entries("versions"))
    stones = tuple(_read_tombstone(each) for each in members.entries("tombstones"))
    ring = Ring(members.text("lineage"), members.number("serial"), members.version("highest"), keys, stones)
    members.close()
    _refuse_twins(ring)
    return ring


def _read_version(members: _Members) -> RingKey:
    key = RingKey(
        members.version("version"),
        members.public_key(),
        members.time("createdTime"),
        imported=members.flag("imported"),
        signed_time=members.optional("signedTime", members.time),
        verify_only_time=members.optional("verifyOnlyTime", members.time),
    )
    members.close()
    return key


def _read_tombstone(members: _Members) -> Tombstone:
    stone = Tombstone(members.version("version"), members.text("keyID"), withdrawn=members.flag("withdrawn"))
    members.close()
    return stone


def _refuse_twins(ring: Ring) -> None:
    for name, values in (("version", [n for n, _ in ring.claims]), ("keyID", [k for _, k in ring.claims])):
        if len(set(values)) < len(values):
            raise unreadable(f"has a {name} twice")


@dataclass(slots=True)
class _Members:
    """The members of one object at `path`; each may be taken once, and none may be left."""

    path: str
    left: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.left, Mapping):
            raise unreadable(f"{self.path or 'it'} is not an object")
        self.left = dict(self.left)

    def take(self, name: str, kind: type[T]) -> T:
        """Return a member of this type."""
        value = self.left.get(name)
        if type(value) is not kind:  # True is no number here
            raise self.fault(name, f"is missing or not of the type {_KINDS[kind]}")
        self.left = {other: rest for other, rest in self.left.items() if other != name}
        return value

    def text(self, name: str) -> str:
        """Return a member that is a text and not empty."""
        value = self.take(name, str)
        if not value:
            raise self.fault(name, "is empty")
        return value

    def number(self, name: str) -> int:
        """Return a member that is a number, and not negative."""
        value = self.take(name, int)
        if value < 0:
            raise self.fault(name, "is negative")
        return value

    def flag(self, name: str) -> bool:
        """Return a member that is true or false."""
        return self.take(name, bool)

    def version(self, name: str) -> int:
        """Return a member that is a version."""
        try:
            return parse_version(self.take(name, str))
        except KeyRefusedError as error:
            raise self.fault(name, error.message) from None

    def time(self, name: str) -> datetime:
        """Return a member that is a time."""
        text = self.take(name, str)
        try:
            return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
        except ValueError:
            raise self.fault(name, "is not a time such as 2026-01-31T12:00:00Z") from None

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """Return a member that may be absent."""
        return read(name) if name in self.left else None

    def entries(self, name: str) -> list[_Members]:
        """Return the objects of a list."""
        return [_Members(f"{self._place(name)}[{place}]", entry) for place, entry in enumerate(self.take(name, list))]

    def public_key(self) -> PublicKey:
        """Return the public key, whose key ID has to be its thumbprint and whose algorithm has to be its own."""
        key_id, algorithm, text = self.text("keyID"), self.text("algorithm"), self.text("publicKey")
        try:
            key = PublicKey.from_spki(base64.b64decode(text, validate=True), key_id)
        except binascii.Error:
            raise self.fault("publicKey", "is not base64") from None
        except KeyRefusedError as error:
            raise self.fault("publicKey", error.message) from None
        if not is_thumbprint_of(key_id, key.spki):
            raise self.fault("keyID", "is not the thumbprint of the public key")
        if algorithm != key.algorithm:
            raise self.fault("algorithm", "is not that of the public key")
        return key

    def close(self) -> None:
        """Raise for members that were not taken."""
        for name in sorted(self.left):
            raise self.fault(name if name.isidentifier() else "a member", "is not known")

    def fault(self, name: str, message: str) -> RingUnreadableError:
        """Return the error about a member."""
        return unreadable(f"{self._place(name)} {message}")

    def _place(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


_KINDS: Mapping[type, str] = {str: "text", int: "number", bool: "true or false", list: "list"}
