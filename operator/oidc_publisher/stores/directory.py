"""A store in a directory, for web servers that serve files and for looking at what would be published.

The documents lie under their paths. Headers and metadata lie in `.oidc-publisher/<path>.json` beside them, keyed by
the digest of the bytes they belong to. A write replaces that file first, with an entry for the old bytes and one for
the new, then the document: whatever instant a crash picks, the bytes found have their own headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.port import Document, StoredDocument
from oidc_publisher.stores.refusals import lost_race, too_large
from oidc_publisher.stores.storable import MAX_BODY_BYTES, check_document, check_path

T = TypeVar("T")
_SIDECARS = ".oidc-publisher"
_PUBLIC_MODE = 0o644  # a web server of another user reads them


class DirectoryStore:
    """Documents as files below `root`; compare-and-swap among processes by a lock file.

    A version is the digest of bytes and headers. A file that something else wrote has no headers.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def location(self) -> str:
        """The directory as a file URL."""
        return self._root.as_uri()

    @property
    def endpoint_url(self) -> None:
        """None: there is no server."""

    @property
    def clock_offsets(self) -> tuple[timedelta, ...]:
        """None: files have no clock but ours."""
        return ()

    async def read(self, path: str) -> StoredDocument | None:
        """The document at `path`, None when there is none."""
        return await self._in_thread(path, lambda: self._read(path))

    async def write(self, path: str, document: Document, *, expected: str | None) -> StoredDocument:
        """Store `document` if the present version is `expected` (None: if there is none)."""
        check_document(document)
        return await self._in_thread(path, lambda: self._write(path, document, expected))

    async def delete(self, path: str, *, expected: str) -> None:
        """Remove the document if its version is `expected`; a document that is already gone is no error."""
        await self._in_thread(path, lambda: self._delete(path, expected))

    async def aclose(self) -> None:
        """Nothing to let go of."""

    async def _in_thread(self, path: str, work: Callable[[], T]) -> T:
        """Run blocking work in a thread: the one place; foreign errors end here."""
        check_path(path)
        if path.split("/", 1)[0] == _SIDECARS:
            raise ValueError(f"not a path for documents: {path!r}")
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise self._translated(path, error) from error

    def _read(self, path: str) -> StoredDocument | None:
        file = self._file(path)
        try:
            with file.open("rb") as opened:
                body = opened.read(MAX_BODY_BYTES + 1)
                modified = os.fstat(opened.fileno()).st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(body) > MAX_BODY_BYTES:
            raise too_large(self._name(path))
        headers = self._headers(path).get(_digest(body), {})
        document = Document(
            body,
            headers.get("contentType", ""),
            headers.get("cacheControl", ""),
            headers.get("metadata", {}),
        )
        return StoredDocument(document, _version(document), datetime.fromtimestamp(modified, UTC))

    def _write(self, path: str, document: Document, expected: str | None) -> StoredDocument:
        with self._locked():
            present = self._read(path)
            if present and present.version != expected and present.document == document:
                return present  # as S3 does, which cannot tell its own lost answer from a twin's write
            self._compare(path, expected)
            known = [present.document] if present else []
            sidecar = {_digest(d.body): _headers_of(d) for d in (*known, document)}
            _replace(self._sidecar(path), json.dumps(sidecar, indent=1).encode())
            _replace(self._file(path), document.body)
            stored = self._read(path)
        if stored is None:
            raise lost_race(self._name(path))
        return stored

    def _delete(self, path: str, expected: str) -> None:
        with self._locked():
            if self._read(path) is not None:
                self._compare(path, expected)
                self._file(path).unlink()
            self._sidecar(path).unlink(missing_ok=True)

    def _compare(self, path: str, expected: str | None) -> StoredDocument | None:
        present = self._read(path)
        if (present.version if present else None) != expected:
            raise lost_race(self._name(path))
        return present

    def _headers(self, path: str) -> dict[str, Any]:
        """What the sidecar says, by digest; nothing when it is missing or not ours."""
        try:
            parsed = json.loads(self._sidecar(path).read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}
        return parsed if isinstance(parsed, dict) else {}

    def _file(self, path: str) -> Path:
        return self._inside(self._root / path)

    def _sidecar(self, path: str) -> Path:
        return self._inside(self._root / _SIDECARS / f"{path}.json")

    def _inside(self, file: Path) -> Path:
        """Refuse a way that leads out of the root by a symbolic link."""
        if not file.parent.resolve().is_relative_to(self._root.resolve()) or file.is_symlink():
            raise StoreError(
                Reason.AccessDenied,
                f"{file} leads out of {self._root}",
                hint="Remove the symbolic link: only files below the directory are written.",
                subject=self.location,
            )
        return file

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        folder = self._root / _SIDECARS
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _name(self, path: str) -> str:
        return (self._root / path).as_uri()

    def _translated(self, path: str, error: OSError) -> StoreError:
        denied = isinstance(error, PermissionError)
        return StoreError(
            Reason.AccessDenied if denied else Reason.StoreUnavailable,
            f"{self._name(path)}: {error.strerror}",
            hint=f"Give the operator's user the right to write below {self._root}." if denied else "",
            retryable=not denied,
            subject=self._name(path),
        )


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _version(document: Document) -> str:
    headers = json.dumps(_headers_of(document), sort_keys=True).encode()
    return hashlib.sha256(_digest(document.body).encode() + headers).hexdigest()


def _headers_of(document: Document) -> dict[str, Any]:
    return {
        "contentType": document.content_type,
        "cacheControl": document.cache_control,
        "metadata": dict(document.metadata),
    }


def _replace(file: Path, content: bytes) -> None:
    """Replace a file in one step that survives a crash: readers see the old bytes or the new ones."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".writing-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as new:
            new.write(content)
            new.flush()
            os.fsync(new.fileno())
        Path(name).chmod(_PUBLIC_MODE)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
