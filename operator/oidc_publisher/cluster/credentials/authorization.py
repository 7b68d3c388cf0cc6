"""The Authorization header of requests to the API server, fresh for each of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from oidc_publisher.cluster.failures import CredentialsError
from oidc_publisher.threads import Threads

#: kubernetes.config runs a plugin again when its token expires within this time (EXPIRY_SKEW_PREVENTION_DELAY).
_EARLY = timedelta(minutes=5)
#: A plugin that fails, or whose tokens live shorter than `_EARLY`, is not run more often than this.
_PLUGIN_PAUSE_S = 10.0
#: How long a request waits for a plugin, below its own deadline of 10 s; the run goes on, and the next request waits for it.
_PLUGIN_WAIT_S = 8.0
#: How long a plugin may run. Its thread goes on even then; there are two for each plugin.
_PLUGIN_TIMEOUT_S = 60.0
#: Threads of credential plugins, by name.
PLUGIN_THREADS = Threads("plugin", 2)

FileState = tuple[int, int, int]


def file_state(path: str | Path) -> FileState:
    """What changes when a file is written or replaced.

    Raises:
        OSError: there is no such file.
    """
    found = Path(path).stat()
    return (found.st_mtime_ns, found.st_size, found.st_ino)


class Authorization(Protocol):
    """Who asks."""

    async def header(self) -> str | None:
        """The value of the Authorization header now; None to send none (a client certificate says who asks).

        Raises:
            CredentialsError: there is none at the moment.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A header that never changes: a static token, basic authentication, or none."""

    value: str | None = None

    async def header(self) -> str | None:
        """The value it was made with."""
        return self.value


class TokenFile:
    """A bearer token in a file that somebody renews (kubelet, an agent); read again whenever the file changed."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._state: FileState | None = None
        self._header = ""

    async def header(self) -> str | None:
        """The token that is in the file now: one stat(2) of a local file, and a read when it changed."""
        try:
            state = file_state(self._path)
            if state != self._state:
                self._header = f"Bearer {self._read()}"
                self._state = state
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise CredentialsError(
                f"The token file {self._path} cannot be read: {why}", hint="Look at what writes that file."
            ) from None
        return self._header

    def _read(self) -> str:
        token = self._path.read_text(encoding="ascii").strip()
        if not token:
            raise CredentialsError(f"The token file {self._path} is empty", hint="Look at what writes that file.")
        return token


class PluginToken:
    """A token that a credential plugin gave, and gives again before it expires.

    `refresh` runs the plugin and returns the new header; it blocks, so it runs in a thread, once for all requests that
    wait for it. A plugin that fails is forgiven until its last token has expired.
    """

    def __init__(self, header: str, *, plugin: str, expiry: Callable[[], datetime], refresh: Callable[[], str]) -> None:
        self._header = header
        self._plugin = plugin
        self._expiry = expiry
        self._refresh = refresh
        self._running: asyncio.Task[str] | None = None
        self._not_before_s = 0.0
        self._failure: CredentialsError | None = None

    async def header(self) -> str | None:
        """The last token, or a new one when that expires soon."""
        left = self._expiry() - datetime.now(UTC)
        if left <= _EARLY and time.monotonic() >= self._not_before_s:
            await self._renew()
            left = self._expiry() - datetime.now(UTC)
        if self._failure is not None and left <= timedelta(0):
            raise self._failure
        return self._header

    async def _renew(self) -> None:
        """Run the plugin, or wait for the run that another request has begun."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(
                PLUGIN_THREADS.run(self._refresh, key=self._plugin, timeout_s=_PLUGIN_TIMEOUT_S)
            )
            self._running.add_done_callback(self._settle)
        try:
            await asyncio.wait_for(asyncio.shield(self._running), _PLUGIN_WAIT_S)
        except CredentialsError:
            pass  # kept by _settle
        except TimeoutError:
            self._failure = CredentialsError(
                f"The credential plugin {self._plugin} does not end", hint="Run it by hand, as the operator's user."
            )

    def _settle(self, run: asyncio.Task[str]) -> None:
        self._not_before_s = time.monotonic() + _PLUGIN_PAUSE_S
        if run.cancelled():
            return
        failure = run.exception()
        if failure is None:
            self._header, self._failure = run.result(), None
        elif isinstance(failure, CredentialsError):
            self._failure = failure
