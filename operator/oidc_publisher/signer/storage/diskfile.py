"""Read and replace the one file on a node's disk that holds the ring (S5)."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from oidc_publisher.signer.storage.copies import DiskCopy, from_disk, to_disk
from oidc_publisher.signer.storage.ringerror import RingUnreadableError, unreadable

#: The name of the file in the folder of --state.
FILE = "ring.json"
_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A DiskFile is the file ring.json in a folder of its own, which only the signer's user may read."""

    folder: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / FILE

    def read(self) -> DiskCopy | None:
        """Read the file; None when there is none.

        Raises RingUnreadableError for a file that cannot be read, and for one that is damaged, which is set aside under
        another name first: it may hold the only copy of a key, and the next write would replace it.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unreadable(f"{self.path} cannot be read: {error.strerror}") from None
        try:
            return from_disk(content)
        except RingUnreadableError as error:
            aside = self._set_aside()
            raise unreadable(f"{self.path} is damaged, and is kept as {aside}: {error.message}") from None

    def write(self, copy: DiskCopy) -> None:
        """Replace the file, so that after a crash at any moment the former or the new content is there.

        Raises RingUnreadableError when the disk cannot be written; the former content is there then.
        """
        try:
            self._replace(to_disk(copy))
        except OSError as error:
            raise unreadable(f"{self.path} cannot be written: {error.strerror}") from None

    def _replace(self, content: bytes) -> None:
        new = self.path.with_name(f"{FILE}.new")
        with contextlib.suppress(FileNotFoundError):
            new.unlink()  # left by a crash, perhaps with other permissions
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        self._sync_folder()

    def _set_aside(self) -> str:
        number = 1
        while (aside := self.path.with_name(f"{FILE}.damaged-{number}")).exists():
            number += 1
        with contextlib.suppress(OSError):  # of a read-only disk the error that is raised next tells
            self.path.rename(aside)
            self._sync_folder()
        return aside.name

    def _sync_folder(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_backup(path: Path) -> DiskCopy:
    """Read a copy of such a file, which is left where it is; raises RingUnreadableError."""
    try:
        return from_disk(path.read_bytes())
    except OSError as error:
        raise unreadable(f"{path} cannot be read: {error.strerror}") from None
    except RingUnreadableError as error:
        raise unreadable(f"{path} is no copy of a ring: {error.message}") from None
