"""A relay before a server that counts what passes, TLS and all, and changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.support.loopback import listen

_CHUNK_BYTES = 64 * 1024


@dataclass(slots=True)
class Counted:
    """Bytes to the server and from it, and connections to it."""

    sent: int = 0
    received: int = 0
    connections: int = 0

    @property
    def total(self) -> int:
        """Bytes both ways."""
        return self.sent + self.received


class Meter:
    """Passes connections to a port of this machine on; `with Meter(port) as meter`."""

    def __init__(self, upstream_port: int) -> None:
        self.counted = Counted()
        self._upstream_port = upstream_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="meter", daemon=True)

    @property
    def url(self) -> str:
        """The origin under which clients reach the server through the meter."""
        return f"https://localhost:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        sockets = listen()
        self._port: int = sockets[0].getsockname()[1]
        self._servers = [self._run(asyncio.start_server(self._pass_on, sock=one)) for one in sockets]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def begin_anew(self) -> None:
        """Count from zero."""
        self.counted = Counted()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counted.connections += 1
        try:
            upstream, to_upstream = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except OSError:
            writer.close()
            return
        # Cancelled when the meter is closed; asyncio 3.11 logs a cancelled handler as one that has failed.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(self._copy(reader, to_upstream, "sent"), self._copy(upstream, writer, "received"))

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, name: str) -> None:
        try:
            while chunk := await source.read(_CHUNK_BYTES):
                setattr(self.counted, name, getattr(self.counted, name) + len(chunk))
                target.write(chunk)
                await target.drain()
        except OSError:
            pass  # one side has hung up
        finally:
            target.close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        # They have to end while their loop still runs: a task that goes with it is reported as destroyed.
        while passing := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)
