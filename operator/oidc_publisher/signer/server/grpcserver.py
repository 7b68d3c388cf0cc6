"""Serve the signer's calls on a Unix socket, and stop without losing one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from oidc_publisher.signer.server.http2 import GrpcConnection, Method
from oidc_publisher.signer.server.unixsocket import Peer, listening, peer_of

#: How long calls may take to end when the signer stops; an API server waits longer for a new one.
GRACE_S = 1.0
log = logging.getLogger(__name__)


class GrpcServer:
    """The GrpcServer accepts connections at `path` from processes of the users in `allowed_uids`, of all where it is None.

    The permissions of the socket are the first lock. The user of the process is the second one, for a socket that was
    opened too far.
    """

    def __init__(self, path: Path, calls: Mapping[str, Method], *, allowed_uids: frozenset[int] | None = None) -> None:
        self._path = path
        self._calls = calls
        self._allowed_uids = allowed_uids
        self._server: asyncio.Server | None = None
        self._connections: set[GrpcConnection] = set()

    async def start(self) -> None:
        """Begin to serve; raises SocketError."""
        endpoint = listening(self._path)
        # Not create_unix_server: from Python 3.13 on that removes the path at the end, where another one's socket may be.
        self._server = await asyncio.get_running_loop().create_server(self._connection, sock=endpoint)

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Accept nothing more, answer what was asked, and end all connections, after `grace_s` at the latest."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.go_away()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await asyncio.gather(*(connection.quiet() for connection in self._connections))
        for connection in tuple(self._connections):
            connection.close()

    def _connection(self) -> GrpcConnection:
        return GrpcConnection(self._calls, opened=self._opened, closed=self._connections.discard)

    def _opened(self, connection: GrpcConnection, transport: asyncio.Transport) -> bool:
        peer = peer_of(transport.get_extra_info("socket"))
        if not self._may_connect(peer):
            log.warning(
                "A process of user %d (pid %d) connected, which --allowed-uid does not name.", peer.uid, peer.pid
            )
            return False
        log.info("A process of user %d (pid %d) connected.", peer.uid, peer.pid)
        self._connections.add(connection)
        return True

    def _may_connect(self, peer: Peer) -> bool:
        return self._allowed_uids is None or peer.uid in self._allowed_uids
