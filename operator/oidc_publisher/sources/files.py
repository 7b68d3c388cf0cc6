"""Key sources that are files mounted into the operator."""

from __future__ import annotations

import asyncio
from pathlib import Path

from oidc_publisher.cluster import ObjectReference
from oidc_publisher.errors import InvalidObjectError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys.pem import MAX_ENTRY_BYTES
from oidc_publisher.rotation import SourceReading
from oidc_publisher.sources.entries import Entry, EntryPattern, read_entries
from oidc_publisher.sources.port import SourceResult

#: More files than any folder of keys has: who mounted something else learns it without a long wait.
MAX_FILES = 2000


class FilesSource:
    """Reads the files of one folder whose names match a pattern, by content at each pass.

    The folder and every file must lie below `root` when all links are followed: Kubernetes mounts volumes as links, and
    whoever writes an OIDCIssuer must not choose any file of the operator's container.
    """

    def __init__(self, name: str, identity: str, directory: str, pattern: EntryPattern, root: Path | None) -> None:
        if root is None:
            raise InvalidObjectError(
                Reason.SpecUnsupported,
                f"Key source {name} reads files, and the operator was started without --key-files-root",
                hint="Start it with --key-files-root and mount the key files below that folder.",
                subject=name,
            )
        self._name = name
        self._identity = identity
        self._directory = Path(directory)
        self._pattern = pattern
        self._root = root

    @property
    def watches(self) -> tuple[ObjectReference, ...]:
        """Nothing: it is read at each pass."""
        return ()

    async def read(self) -> SourceResult:
        """Read all matching files once; a failure is an incomplete reading that names the folder."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> SourceResult:
        where = f"folder {self._directory}"
        try:
            folder = self._below_root(self._directory)
            entries = {path.name: self._entry(path) for path in self._files(folder)}
        except FileNotFoundError:
            return self._failed(Reason.SourceNotFound, f"The {where} does not exist", where)
        except NotADirectoryError:
            return self._failed(Reason.SourceNotFound, f"The {where} is no folder", where)
        except PermissionError as error:
            return self._failed(Reason.SourceForbidden, f"The operator may not read {where}: {error.strerror}", where)
        except OSError as error:
            return self._failed(Reason.SourceNotFound, f"The {where} cannot be read: {error.strerror}", where)
        # A file is empty while it is being written.
        return read_entries(self._name, self._identity, where, entries, self._pattern, empty_is_normal=False)

    def _files(self, folder: Path) -> list[Path]:
        found = []
        for path in folder.iterdir():
            if self._pattern.match(path.name)[0] and not path.is_dir():
                found.append(path)
            if len(found) > MAX_FILES:
                raise OSError(0, f"it has more than {MAX_FILES} matching files")
        return found

    def _entry(self, path: Path) -> Entry:
        try:
            with self._below_root(path).open("rb") as file:
                return Entry(file.read(MAX_ENTRY_BYTES + 1))
        except OSError as error:
            return Entry(problem=f"cannot be read: {error.strerror}")

    def _below_root(self, path: Path) -> Path:
        real = path.resolve(strict=True)
        if not real.is_relative_to(self._root.resolve()):
            raise PermissionError(0, f"it does not lie below --key-files-root {self._root}")
        return real

    def _failed(self, reason: Reason, message: str, where: str) -> SourceResult:
        reading = SourceReading(self._name, self._identity, complete=False, missing=(where,))
        hint = "Mount the key files there, or correct spec.keySources; its keys stay published meanwhile."
        return SourceResult(reading, (Finding.of(reason, message, subject=where, hint=hint),))
