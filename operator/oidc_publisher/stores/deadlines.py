"""A deadline for everything that a thread does with sockets.

The timeouts of HTTP clients are those of single reads: a server that sends one byte now and then is never late, and
keeps a thread for days. Sockets of these classes look at the deadline of their thread before each read and write. So the
thread itself ends soon after the deadline, and sends nothing more: whoever waited for it has given it up by then.
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

#: How long a cloud's store may take to connect, and between two bytes: two attempts fit into a pass, and into the end of a process.
CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 5
#: For everything that one operation on a store takes together: a silent server uses up two attempts of it, and one whose
#: answer trickles, which no timeout of a single read ends, all of it.
OPERATION_S = 15.0

T = TypeVar("T")

_THREAD = threading.local()


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Give all calls that this thread makes within the block so much time together."""
    _THREAD.until = time.monotonic() + seconds
    try:
        yield
    finally:
        del _THREAD.until


def left_s() -> float:
    """Seconds until the deadline of this thread, infinite when it has none."""
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
    """A socket that knows the deadline of its thread."""

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        """Receive, within the deadline."""
        return _in_time(self, lambda: socket.socket.recv_into(self, *arguments, **options))

    def sendall(self, *arguments: Any) -> None:
        """Send, within the deadline."""
        return _in_time(self, lambda: socket.socket.sendall(self, *arguments))


class BoundedTLSSocket(ssl.SSLSocket):
    """A TLS connection that knows the deadline of its thread: `context.sslsocket_class`. The handshake is one read to it."""

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002 - its parent's name for it
        """Receive, within the deadline."""
        return _in_time(self, lambda: ssl.SSLSocket.read(self, len, buffer))

    def send(self, *arguments: Any) -> int:
        """Send, within the deadline."""
        return _in_time(self, lambda: ssl.SSLSocket.send(self, *arguments))


def bounded(sock: socket.socket) -> socket.socket:
    """The same connection as a socket that knows the deadline of its thread."""
    timeout_s = sock.gettimeout()
    made = BoundedSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
    made.settimeout(timeout_s)
    return made
