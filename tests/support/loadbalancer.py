"""A load balancer of TCP connections: each goes to the first target that accepts it."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Sequence

from tests.support.startable import Startable

_CONNECT_TIMEOUT_S = 2.0
_IDLE_TIMEOUT_S = 600.0


class LoadBalancer(Startable):
    """Listens at one address; `targets` may grow while it runs."""

    def __init__(self, address: tuple[str, int], targets: Sequence[tuple[str, int]]) -> None:
        self.address = address
        self.targets = list(targets)
        self._listener: socket.socket | None = None

    def start(self) -> None:
        """Begin to accept connections."""
        self._listener = socket.create_server(self.address)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Accept nothing more; connections that are open end with their targets."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), self._connected() as server:
            sinks = {client: server, server: client}
            while ready := select.select(list(sinks), [], [], _IDLE_TIMEOUT_S)[0]:
                for source in ready:
                    if not (data := source.recv(65536)):
                        return
                    sinks[source].sendall(data)

    def _connected(self) -> socket.socket:
        """Connect to a target. Raises OSError where none accepts."""
        problem: OSError = ConnectionRefusedError("no target")
        for target in self.targets:
            try:
                return socket.create_connection(target, timeout=_CONNECT_TIMEOUT_S)
            except OSError as error:
                problem = error
        raise problem
