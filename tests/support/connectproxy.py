"""Run an HTTP proxy on loopback that tunnels by CONNECT, as squid does: it may refuse, ask for credentials, or break TLS."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import Self

_HEAD_END = b"\r\n\r\n"
_LIMIT_S = 20


@dataclass(slots=True)
class ConnectProxy:
    """A proxy that connects to what CONNECT names; `tunnels` are those targets, in order.

    `answer`: a status to refuse with. `credentials`: USER:PASSWORD to ask for. `silent`: it never answers. `leads`: where a
    target is really connected to, by HOST:PORT. `opens`: the context with which it breaks TLS open, and `trusts` the one with
    which it then connects to the host itself.
    """

    answer: int = 0
    credentials: str = ""
    silent: bool = False
    leads: dict[str, tuple[str, int]] = field(default_factory=dict)
    opens: ssl.SSLContext | None = None
    trusts: ssl.SSLContext | None = None
    tunnels: list[str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    url: str = ""
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def __post_init__(self) -> None:
        """Note the proxy's URL, as a variable names it."""
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Begin to listen."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError), client:
            client.settimeout(_LIMIT_S)
            head = _head(client)
            self.heads.append(head)
            target = head.split()[1].decode()
            self.tunnels.append(target)
            if self.silent:
                client.recv(1)
            elif refusal := self._refusal(head):
                client.sendall(f"HTTP/1.1 {refusal} No\r\nContent-Length: 0\r\n\r\n".encode())
            else:
                self._tunnel(client, target)

    def _refusal(self, head: bytes) -> int:
        expected = base64.b64encode(self.credentials.encode())
        if self.credentials and b"Proxy-Authorization: Basic " + expected not in head:
            return 407
        return self.answer

    def _tunnel(self, client: socket.socket, target: str) -> None:
        host, _, port = target.rpartition(":")
        try:
            upstream = socket.create_connection(self.leads.get(target, (host.strip("[]"), int(port))), timeout=10)
        except OSError:
            client.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            return
        with upstream:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            if self.opens is None or self.trusts is None:
                _pump_both(client, upstream)
                return
            with (
                self.opens.wrap_socket(client, server_side=True) as inside,
                self.trusts.wrap_socket(upstream, server_hostname=host) as outside,
            ):
                _pump_both(inside, outside)


def _head(client: socket.socket) -> bytes:
    head = b""
    while _HEAD_END not in head:
        more = client.recv(1)  # nothing of what follows the head may be taken
        if not more:
            raise OSError("gone")
        head += more
    return head


def _pump_both(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until both sides have ended: in one thread, since OpenSSL takes no reader beside a writer."""
    sinks, reading = {one: other, other: one}, {one, other}
    while reading and (
        ready := [side for side in reading if _pending(side)] or select.select(reading, [], [], _LIMIT_S)[0]
    ):
        for source in ready:
            sink = sinks[source]
            source.settimeout(0)
            with contextlib.suppress(ssl.SSLWantReadError, BlockingIOError):
                data = source.recv(65536)
                sink.settimeout(_LIMIT_S)
                if data:
                    sink.sendall(data)
                else:
                    reading.discard(source)
                    sink.shutdown(socket.SHUT_WR)


def _pending(side: socket.socket) -> bool:
    """Tell whether TLS has read what no select sees any more."""
    return isinstance(side, ssl.SSLSocket) and side.pending() > 0
