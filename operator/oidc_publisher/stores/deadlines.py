"""Limit the time that a thread spends on all its sockets together.

The timeouts of HTTP clients apply to single reads: a server that sends one byte now and then never exceeds them, and
occupies a thread for days. Sockets of these classes check the deadline of their thread before each read and write. The
thread therefore ends soon after the deadline and sends nothing more, because its caller no longer waits for it.
"""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

#: The time limits to connect to a cloud's store, and between two bytes. Two attempts fit into a pass, and into the
#: shutdown of a process.
CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 5
#: The time limit of one operation on a store as a whole. A server that does not answer uses two attempts of it. A
#: server that sends its answer byte by byte, which no timeout of a single read ends, uses all of it.
OPERATION_S = 15.0

T = TypeVar("T")

_THREAD = threading.local()


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limit all calls that this thread makes within the block to so many seconds together.

    A block within a block has no more time than the outer one has left.
    """
    outer: float = getattr(_THREAD, "until", math.inf)
    _THREAD.until = min(outer, time.monotonic() + seconds)
    try:
        yield
    finally:
        _THREAD.until = outer


def left_s() -> float:
    """Return the seconds until the deadline of this thread, infinite when the thread has none."""
    until: float = getattr(_THREAD, "until", math.inf)
    return until - time.monotonic()


def check_deadline() -> None:
    """Raise TimeoutError when the deadline of this thread has passed."""
    if left_s() <= 0:
        raise TimeoutError("the deadline of the call has passed")


def _in_time(sock: socket.socket, work: Callable[[], T]) -> T:
    check_deadline()
    own_s, left = sock.gettimeout(), left_s()
    if math.isinf(left) or (own_s is not None and own_s <= left):
        return work()
    sock.settimeout(left)
    try:
        return work()
    finally:
        with contextlib.suppress(OSError):  # closed meanwhile
            sock.settimeout(own_s)


class BoundedSocket(socket.socket):
    """A BoundedSocket applies the deadline of its thread to each receive and send."""

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        """Receive, within the deadline."""
        return _in_time(self, lambda: socket.socket.recv_into(self, *arguments, **options))

    def sendall(self, *arguments: Any) -> None:
        """Send, within the deadline."""
        return _in_time(self, lambda: socket.socket.sendall(self, *arguments))


class BoundedTLSSocket(ssl.SSLSocket):
    """A BoundedTLSSocket applies the deadline of its thread to each read and send (`context.sslsocket_class`).

    The handshake counts as one operation, with the socket's own timeout.
    """

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002 - its parent's name for it
        """Receive, within the deadline."""
        return _in_time(self, lambda: ssl.SSLSocket.read(self, len, buffer))

    def send(self, *arguments: Any) -> int:
        """Send, within the deadline."""
        return _in_time(self, lambda: ssl.SSLSocket.send(self, *arguments))


def bounded(sock: socket.socket) -> socket.socket:
    """Return the same connection as a BoundedSocket."""
    timeout_s = sock.gettimeout()
    made = BoundedSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
    made.settimeout(timeout_s)
    return made
