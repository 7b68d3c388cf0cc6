"""Run a server that sends one byte of its answer every few milliseconds, without end."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Self

#: Below every timeout of a single read.
_PAUSE_S = 0.02
_BEGIN = b"HTTP/1.1 200 OK\r\n"
HEADERS = _BEGIN + b"X-Endless: "
BODY = _BEGIN + b'Content-Length: 100000\r\nETag: "1"\r\nContent-Type: application/json\r\n\r\n'


class TricklingServer:
    """The server answers each request with `begin`, then with endless letters; `over` is set when a reader has gone.

    `silent`: it accepts connections and sends nothing at all.
    """

    def __init__(self, begin: bytes = BODY, *, context: ssl.SSLContext | None = None, silent: bool = False) -> None:
        self._begin = begin
        self._context = context
        self._silent = silent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._stopping = threading.Event()
        self.over = threading.Event()
        self._asked = 0
        self._changed = threading.Condition()

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return self._address

    @property
    def url(self) -> str:
        """The server's origin."""
        return f"{'https' if self._context else 'http'}://{self.address}"

    @property
    def asked(self) -> int:
        """How many requests have come."""
        return self._asked

    def __enter__(self) -> Self:
        """Begin to take connections."""
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """End all of them."""
        self._stopping.set()
        self._listener.close()

    def wait_asked(self, times: int) -> None:
        """Wait until so many requests have come."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._asked >= times, timeout=60):
                raise TimeoutError(f"asked {self._asked} times, not {times}")

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(taken,), daemon=True).start()

    def _answer(self, taken: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as closing:
            closing.callback(self.over.set)
            closing.callback(taken.close)
            connection = self._context.wrap_socket(taken, server_side=True) if self._context else taken
            connection.recv(65536)
            with self._changed:
                self._asked += 1
                self._changed.notify_all()
            if self._silent:
                while connection.recv(65536):
                    pass
                return
            connection.sendall(self._begin)
            while not self._stopping.wait(_PAUSE_S):
                connection.sendall(b"a")
