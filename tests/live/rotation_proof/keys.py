"""Signing keys with versions, and the folder in which an administrator names their public halves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.signingkeys import Kind, SigningKey, signing_key

#: The whole name of a file; the group is the version.
ENTRY_PATTERN = r"service-account-(?P<version>[0-9]+)\.pub"


@dataclass(frozen=True, slots=True)
class VersionedKey:
    """A signing key and its version, the number in its file's name."""

    version: int
    key: SigningKey

    @property
    def kid(self) -> str:
        """The key ID in tokens and in the published set."""
        return self.key.kid

    @property
    def file_name(self) -> str:
        """Without leading zeros: as texts these names sort wrongly, 10 before 9 and 100 before 99."""
        return f"service-account-{self.version}.pub"


def versions(first: int, last: int, kind: Kind) -> tuple[VersionedKey, ...]:
    """One key for each version from `first` to `last`."""
    return tuple(VersionedKey(number, signing_key(kind, f"version {number}")) for number in range(first, last + 1))


class KeyFolder:
    """The folder of a key source of type files; it exists from the beginning."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)

    def add(self, key: VersionedKey) -> None:
        """Put the public half there in one step, as whoever mounts a folder does."""
        written = self.path / f"{key.file_name}.new"
        written.write_bytes(key.key.public_pem)
        written.rename(self.path / key.file_name)

    def remove(self, key: VersionedKey) -> None:
        """Take the public half away."""
        (self.path / key.file_name).unlink()
