"""Provide the current Authorization header for each request to the API server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from oidc_publisher.cluster.failures import CredentialsError
from oidc_publisher.filestate import FileState, file_state
from oidc_publisher.threads import Threads

#: kubernetes.config runs a plugin again when its token expires within this time (EXPIRY_SKEW_PREVENTION_DELAY).
_EARLY = timedelta(minutes=5)
#: The shortest time between two runs of a plugin that fails, or whose tokens live shorter than `_EARLY`.
_PLUGIN_PAUSE_S = 10.0
#: How long a request waits for a plugin, which is below the request's deadline of 10 s. The run continues, and the next
#: request waits for the same run.
_PLUGIN_WAIT_S = 8.0
#: How long a plugin may run. Its thread continues after that; each plugin has at most two threads.
_PLUGIN_TIMEOUT_S = 60.0
#: The threads of credential plugins, by the name of the plugin.
PLUGIN_THREADS = Threads("plugin", 2)


class Authorization(Protocol):
    """An Authorization authenticates requests to the API server."""

    async def header(self) -> str | None:
        """Return the current value of the Authorization header, None to send none (with a client certificate).

        Raises:
            CredentialsError: there is no valid token at the moment.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A Fixed authorization never changes its header: a static token, basic authentication, or none."""

    value: str | None = None

    async def header(self) -> str | None:
        """Return the fixed value."""
        return self.value


class TokenFile:
    """A TokenFile reads a bearer token from a file, again whenever its writer (kubelet, an agent) has changed it."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._state: FileState | None = None
        self._header = ""

    async def header(self) -> str | None:
        """Return the header with the file's present token; costs one stat(2), and a read when the file has changed."""
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
    """A PluginToken gets its token from a credential plugin, again before the token expires.

    `refresh` runs the plugin and returns the new header. It blocks, so it runs in a thread, once for all requests that
    wait for it. A failure of the plugin is no error until the last token has expired.
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
        """Return the header with the last token, or with a new one when the last one expires soon."""
        left = self._expiry() - datetime.now(UTC)
        if left <= _EARLY and time.monotonic() >= self._not_before_s:
            await self._renew()
            left = self._expiry() - datetime.now(UTC)
        if self._failure is not None and left <= timedelta(0):
            raise self._failure
        return self._header

    async def _renew(self) -> None:
        """Run the plugin, or wait for the run that another request has started."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(
                PLUGIN_THREADS.run(self._refresh, key=self._plugin, timeout_s=_PLUGIN_TIMEOUT_S)
            )
            self._running.add_done_callback(self._settle)
        try:
            await asyncio.wait_for(asyncio.shield(self._running), _PLUGIN_WAIT_S)
        except CredentialsError:
            pass  # _settle keeps it
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
