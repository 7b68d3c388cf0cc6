"""Read key sources that are files mounted into the operator."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

from oidc_publisher.findings import Finding, Reason
from oidc_publisher.harmless import harmless
from oidc_publisher.keys.pem import MAX_ENTRY_BYTES
from oidc_publisher.rotation import SourceReading
from oidc_publisher.sources.entries import EntryContent, EntryPattern, read_entries
from oidc_publisher.sources.port import SourceResult
from oidc_publisher.threads import Threads

#: No folder of keys has more files. A wrong mount is reported without a long wait.
MAX_FILES = 5000

#: The threads, by folder, and the time limit for reading a whole folder.
_FILE_THREADS = Threads("files", 2)
_READ_TIMEOUT_S = 15.0

#: A FIFO must not block, and a link that replaced the file after its path was resolved must not be followed.
_OPEN_FLAGS = os.O_NONBLOCK | os.O_NOFOLLOW


class FilesSource:
    """A FilesSource reads the content of the files of one folder whose names match a pattern, in each pass.

    The folder and every file must lie below `root` when all links are followed. Kubernetes mounts volumes as links, and
    the author of an OIDCIssuer must not choose a file of the operator's container, nor learn whether it exists. Without
    a root no file is read.
    """

    def __init__(self, name: str, directory: str, pattern: EntryPattern, root: Path | None) -> None:
        self._name = name
        self._directory = Path(directory)
        self._where = f"folder {harmless(directory)}"
        self._pattern = pattern
        self._root = root

    async def read(self) -> SourceResult:
        """Read all matching files; a failure is an incomplete reading that names the folder."""
        try:
            return await _FILE_THREADS.run(self._read, key=str(self._directory), timeout_s=_READ_TIMEOUT_S)
        except TimeoutError:  # a network file system whose server does not answer
            return self._failed(Reason.SourceNotFound, f"The {self._where} cannot be read: it does not answer in time")

    def _read(self) -> SourceResult:
        if self._root is None:
            return self._without_root()
        # A finding needs two readings: kubelet replaces a volume's folder while it is read.
        first = self._read_once(self._root)
        return self._read_once(self._root) if first.findings else first

    def _read_once(self, root: Path) -> SourceResult:
        where = self._where
        try:
            folder = _below(root, self._directory)
            names = _file_names(folder)
        except (FileNotFoundError, ValueError):  # ValueError: a name with a NUL in it
            return self._failed(Reason.SourceNotFound, f"The {where} does not exist")
        except NotADirectoryError:
            return self._failed(Reason.SourceNotFound, f"The {where} is no folder")
        except PermissionError as error:
            return self._failed(Reason.SourceForbidden, f"The operator may not read {where}: {error.strerror}")
        except OSError as error:
            return self._failed(Reason.SourceNotFound, f"The {where} cannot be read: {error.strerror}")
        return read_entries(
            self._name,
            where,
            names,
            lambda name: _entry(root, folder / name),
            self._pattern,
            empty_is_normal=False,  # a file is empty while it is being written
        )

    def _without_root(self) -> SourceResult:
        message = f"Key source {self._name} reads files, and the operator was started without --key-files-root"
        hint = "Start it with --key-files-root and mount the key files below that folder."
        return self._failed(Reason.SpecUnsupported, message, hint=hint)

    def _failed(self, reason: Reason, message: str, *, hint: str = "") -> SourceResult:
        reading = SourceReading(self._name, complete=False, missing=(self._where,))
        advice = hint or "Mount the key files there, or correct spec.keySources; its keys stay published meanwhile."
        return SourceResult(reading, (Finding.of(reason, message, subject=self._where, hint=advice),))


def _below(root: Path, path: Path) -> Path:
    """Return the path with all links followed; the path need not exist.

    Raises:
        PermissionError: the path does not lie below `root`.
    """
    # Path.resolve raises RuntimeError for links in a circle. os.path.realpath does not, and opening the path fails.
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(root)):
        raise PermissionError(0, f"it does not lie below --key-files-root {root}")
    return real


def _file_names(folder: Path) -> list[str]:
    """Return the names in a folder except those of folders (a mounted volume has `..data` and its target)."""
    with os.scandir(folder) as found:
        names = []
        for number, entry in enumerate(found, start=1):
            if number > MAX_FILES:
                raise OSError(0, f"it has more than {MAX_FILES} files")
            if not _is_folder(entry):
                names.append(entry.name)
    return names


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that cannot be followed: reading it gives the cause
        return False


def _entry(root: Path, path: Path) -> EntryContent:
    try:
        with io.FileIO(_below(root, path), opener=_opened) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return EntryContent(problem="is no regular file")
            return EntryContent(file.read(MAX_ENTRY_BYTES + 1))
    except OSError as error:
        return EntryContent(problem=f"cannot be read: {error.strerror}")


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | _OPEN_FLAGS)
