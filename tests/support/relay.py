"""Run a TCP relay whose connections can be frozen: they stay open and carry nothing, as behind a route that is lost."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import Self

_LOOKS_S = 0.1


class Relay:
    """A relay on loopback to `target`; what it accepts after `freeze` passes as before."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ended = threading.Event()
        self._frozen = threading.Event()

    def __enter__(self) -> Self:
        """Begin to accept connections."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """End every connection."""
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def freeze(self) -> None:
        """Carry nothing any more on the connections that are open now."""
        frozen, self._frozen = self._frozen, threading.Event()
        frozen.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client, self._frozen), daemon=True).start()

    def _carry(self, client: socket.socket, frozen: threading.Event) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(self._target, timeout=10) as server:
            sinks = {client: server, server: client}
            while not self._ended.is_set():
                ready = select.select(list(sinks), [], [], _LOOKS_S)[0]
                if frozen.is_set():
                    break  # also what has come meanwhile
                for source in ready:
                    if not (data := source.recv(65536)):
                        return
                    sinks[source].sendall(data)
            self._ended.wait()
