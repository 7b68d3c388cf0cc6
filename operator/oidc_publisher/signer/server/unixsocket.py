"""Make the Unix socket of the signer, and know who connects to it (S19)."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from oidc_publisher.errors import PublisherError
from oidc_publisher.findings import Reason

#: sun_path of a Unix socket has 108 bytes, the last of which is 0 (unix(7)).
MAX_PATH_BYTES = 107
_BACKLOG = 128
_OWNER_ONLY = 0o600
_CREDENTIALS = struct.Struct("3i")


class SocketError(PublisherError):
    """The socket cannot be made."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A Peer is the process that connected, as the kernel says; pid is 0 for one of another PID namespace."""

    pid: int
    uid: int
    gid: int


def listening(path: Path, *, mode: int = _OWNER_ONLY) -> socket.socket:
    """Return a socket that listens at `path`, where another one may listen or have listened.

    The socket is made under another name, gets its permissions, listens, and is then renamed. So a client that connects
    at any moment finds a socket that answers, the former one or this one. Nobody removes it at the end: the next signer
    renames its own over it.

    Raises SocketError.
    """
    made = path.with_name(f"{path.name}.{os.getpid()}")
    if len(os.fsencode(made)) > MAX_PATH_BYTES:
        raise _refused(f"The path of the socket is longer than {MAX_PATH_BYTES} bytes with the number of the process")
    endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with contextlib.suppress(FileNotFoundError):
            made.unlink()  # of a former process of the same number
        endpoint.bind(os.fsencode(made))
        made.chmod(mode)
        endpoint.listen(_BACKLOG)
        endpoint.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        made.rename(path)
    except OSError as error:
        endpoint.close()
        with contextlib.suppress(OSError):
            made.unlink()
        raise _refused(f"The socket {path} cannot be made: {error.strerror}") from None
    return endpoint


def _refused(message: str) -> SocketError:
    hint = "Give --socket a path in a folder that only the signer and the API server may enter."
    return SocketError(Reason.InternalError, message, hint=hint)


def peer_of(connected: socket.socket) -> Peer:
    """Return who connected (SO_PEERCRED)."""
    data = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Peer(*_CREDENTIALS.unpack(data))
