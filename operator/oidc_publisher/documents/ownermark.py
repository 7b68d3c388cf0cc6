"""The owner mark says in the metadata of a stored document who wrote the document (R9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

PREFIX = "oidc-publisher-"
_OWNER, _SERIAL = f"{PREFIX}owner", f"{PREFIX}serial"
_TOKEN_LIFETIME, _STALE_AGE = f"{PREFIX}token-lifetime", f"{PREFIX}stale-age"
_NONCE = f"{PREFIX}nonce"
SHOWN = f"{PREFIX}shown"

#: A duration that somebody damaged counts as the default of both (rotation.md), because too long is safe and too short is not.
_UNKNOWN_DURATION = timedelta(hours=24)
#: The longest rotation.maxTokenLifetime that the CRD takes; no operator writes a longer one.
MAX_TOKEN_LIFETIME = timedelta(hours=8784)
#: More than 300 years in seconds, and well within a timedelta.
_MAX_DIGITS = 10
#: No nonce of ours is longer, and no name of a place; a stranger's are cut to this length.
_MAX_NONCE = 64


@dataclass(frozen=True, slots=True)
class OwnerMark:
    """An owner mark says who wrote a document, by which write of that owner, and how long its keys and copies may live.

    `owner` is `owner_of(...)`. `token_lifetime` and `stale_age` are the longest of any published key. `nonce` is the random
    nonce of the write, which distinguishes two writers of one name; it is empty in a mark of an earlier version. `shown` is
    the name of this place and object where the public URL was known to lead there at the write, and empty where it was not.
    `damaged_lifetime` is a lifetime beyond 8784h that the mark stated and that is ignored.
    """

    owner: str
    serial: int
    token_lifetime: timedelta
    stale_age: timedelta
    nonce: str = ""
    shown: str = ""
    damaged_lifetime: timedelta | None = field(default=None, compare=False)

    def to_metadata(self) -> dict[str, str]:
        """Return the mark as object metadata: lower-case names, ASCII values, durations in whole seconds rounded up."""
        return {
            _OWNER: self.owner,
            _SERIAL: str(self.serial),
            _TOKEN_LIFETIME: str(_seconds(self.token_lifetime)),
            _STALE_AGE: str(_seconds(self.stale_age)),
            **({_NONCE: self.nonce} if self.nonce else {}),
            **({SHOWN: self.shown} if self.shown else {}),
        }

    @classmethod
    def read(cls, metadata: Mapping[str, str]) -> Self | None:
        """Read the mark in an object's metadata, None where the metadata name no owner.

        A damaged number does not make the object another owner's: a serial reads as 0, and a duration (a token lifetime
        beyond 8784h as well) as 24 h. The mark then differs from the planned one, so that the next write repairs the mark.
        """
        owner = metadata.get(_OWNER)
        if not owner:
            return None
        serial = _number(metadata.get(_SERIAL))
        lifetime = _duration(metadata.get(_TOKEN_LIFETIME))
        damaged = lifetime if lifetime > MAX_TOKEN_LIFETIME else None
        return cls(
            owner,
            serial or 0,
            _UNKNOWN_DURATION if damaged else lifetime,
            _duration(metadata.get(_STALE_AGE)),
            metadata.get(_NONCE, "")[:_MAX_NONCE],
            metadata.get(SHOWN, "")[:_MAX_NONCE],
            damaged,
        )


def owner_of(kube_system_uid: str, issuer_name: str) -> str:
    """Return the owner's name: the UID of namespace kube-system stands for the cluster, the issuer's name for the object."""
    return f"{kube_system_uid}/{issuer_name}"


def own_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an object's metadata that is ours; stores and people may add metadata of their own."""
    return {name: value for name, value in metadata.items() if name.startswith(PREFIX)}


def says_the_same(found: Mapping[str, str], planned: Mapping[str, str]) -> bool:
    """Tell whether the stored mark may stay: it equals the planned mark, or lacks `shown` alone.

    The next write adds `shown`; a ledger that is rebuilt before that write only waits longer. A stored `shown` that holds no
    more is removed at once.
    """
    found, planned = own_metadata(found), own_metadata(planned)
    return found == planned or found == {name: value for name, value in planned.items() if name != SHOWN}


def _seconds(duration: timedelta) -> int:
    return -(-duration // timedelta(seconds=1))


def _duration(text: str | None) -> timedelta:
    seconds = _number(text)
    return _UNKNOWN_DURATION if seconds is None else timedelta(seconds=seconds)


def _number(text: str | None) -> int | None:
    if text is None or len(text) > _MAX_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    return int(text)
