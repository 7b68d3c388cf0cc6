"""Run a TLS host on loopback that sends the bytes of a test, or has faults below HTTP."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Self

from tests.support.loopback import close_all, listen

#: Answers one request (its head is given) on a connection.
Script = Callable[["Connection", bytes], object]

GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Connection:
    """One connection of a reader."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw

    def send(self, data: bytes) -> bool:
        """Send bytes, and return whether the reader was still there; that it has gone is no error."""
        try:
            self.raw.sendall(data)
        except OSError:
            return False
        return True

    def wait_for_end(self) -> None:
        """Wait until the reader has gone, whatever it still sends."""
        with contextlib.suppress(OSError):
            while self.raw.recv(65536):
                pass

    def reset(self) -> None:
        """Send RST: SO_LINGER with zero seconds makes close() do that."""
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.raw.close()


def saying(data: bytes) -> Script:
    """Return a script that answers each request with these bytes."""

    def script(connection: Connection, head: bytes) -> None:
        del head
        connection.send(data)

    return script


class Host:
    """Listens on every address of localhost, or on those given, until the end of the with statement.

    `tls` None speaks what the script says, unencrypted. Without a script it answers {}.
    `requests` are the heads of all requests, `connections` counts the accepted ones.
    """

    def __init__(
        self, tls: ssl.SSLContext | None, script: Script | None = None, *, addresses: tuple[str, ...] | None = None
    ) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._tls = tls
        self._script = script or saying(GOOD)
        self._addresses = addresses
        self._listeners = listen(addresses=addresses)
        self.port = self._listeners[0].getsockname()[1]
        #: The URL of a document there.
        self.url = f"https://localhost:{self.port}/document"
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Begin to accept connections."""
        self._threads += [threading.Thread(target=self._accept, args=(one,), daemon=True) for one in self._listeners]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait for what still runs."""
        self.stop_listening()
        for thread in self._threads:
            thread.join(timeout=10)

    def serve(self, tls: ssl.SSLContext | None, script: Script) -> None:
        """Serve later connections in another way."""
        self._tls, self._script = tls, script

    def stop_listening(self) -> None:
        """Refuse connections from now on."""
        for one in self._listeners:
            one.shutdown(socket.SHUT_RDWR)  # wakes accept()
        close_all(self._listeners)
        self._listeners = []

    def listen_again(self, *, addresses: tuple[str, ...] | None = None) -> None:
        """Listen at the same port, at other addresses if told so, after `stop_listening`."""
        self._listeners = listen(self.port, addresses or self._addresses)
        for one in self._listeners:
            thread = threading.Thread(target=self._accept, args=(one,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(raw,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        tls, script = self._tls, self._script
        with contextlib.suppress(OSError):
            raw.settimeout(10)
            if tls is None:
                script(Connection(raw), b"")
                raw.close()
                return
            with tls.wrap_socket(raw, server_side=True) as encrypted:
                for head in _heads(encrypted):
                    self.requests.append(head)
                    script(Connection(encrypted), head)
        raw.close()


def _heads(raw: socket.socket) -> Iterator[bytes]:
    held = b""
    while True:
        while b"\r\n\r\n" not in held:
            more = raw.recv(65536)
            if not more:
                return
            held += more
        head, _, held = held.partition(b"\r\n\r\n")
        yield head
