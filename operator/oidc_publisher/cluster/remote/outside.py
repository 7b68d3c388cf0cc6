"""Resolve the names of remote clusters, and open no socket to an address at which no remote cluster can be."""

from __future__ import annotations

import socket
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from oidc_publisher.cluster.forbiddenaddresses import ForbiddenAddressError
from oidc_publisher.cluster.remote.secretkubeconfig import is_inside
from oidc_publisher.threads import Threads

#: A name whose zone does not answer blocks a thread for half a minute. Each name has at most two threads, and uses none
#: of another name's.
_NAME_THREADS: Final = Threads("remote names", 2)
_NAME_TIMEOUT_S: Final = 30.0


def outside_socket(info: AddrInfoType) -> socket.socket:
    """Open a socket for aiohttp, which calls this for every address, also those that a name resolves to.

    Raises:
        ForbiddenAddressError: the address is the operator's own machine's, link-local or a metadata service's.
    """
    family, kind, protocol, _, place = info
    if is_inside(str(place[0])):
        raise ForbiddenAddressError(0, "it is at a loopback, link-local or metadata address")
    return socket.socket(family=family, type=kind, proto=protocol)


class NameResolver(AbstractResolver):
    """A NameResolver resolves names in threads of their own, so that a broken zone takes no thread from anybody else."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host in the resolver's order.

        Raises socket.gaierror, and TimeoutError where no answer comes.
        """

        def ask() -> list[tuple[socket.AddressFamily, str]]:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
            return list(dict.fromkeys((info[0], str(info[4][0])) for info in found))

        addresses = await _NAME_THREADS.run(ask, key=host, timeout_s=_NAME_TIMEOUT_S)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=flags)
            for kind, address in addresses
        ]

    async def close(self) -> None:
        """Release nothing: the threads end by themselves."""
