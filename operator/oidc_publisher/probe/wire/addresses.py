"""Choose the address of a host for each visit, and refuse private addresses."""

from __future__ import annotations

import errno
import ipaddress
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from oidc_publisher.probe.publicaddresses import is_public
from oidc_publisher.threads import Threads

#: Resolving a name of a zone that does not answer blocks a thread for half a minute. Each name has at most four
#: threads, and uses none of another name's.
_NAME_THREADS = Threads("names", 4)
_NAME_TIMEOUT_S = 30.0

# The errors that the kernel returns at once, from its own tables, without having sent a packet.
LOCAL_ERRNOS = frozenset(
    {
        errno.ENETUNREACH,  # no route
        errno.EADDRNOTAVAIL,  # no local address of that family
        errno.EAFNOSUPPORT,
        errno.ENETDOWN,
        errno.EPERM,  # a local firewall rule or a network policy
        errno.EACCES,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
    }
)


class PrivateAddressError(OSError):
    """The host resolves to an address that the public cannot reach."""


@dataclass(slots=True)
class Gate(AbstractResolver):
    """A Gate resolves a host to one address for a visit, and opens no socket to a private address.

    There is one address only, because aiohttp would try the next one when a connection or a handshake fails, and so
    hide an address that does not work. Visit number N uses the Nth of the addresses that this machine has a route to.
    `pinned` gives hosts an address without asking the resolver. `proxied`: the host that is resolved is a proxy, which may
    be anywhere; the addresses of the issuer's host are the proxy's business then.
    """

    number: int
    allow_private: bool
    proxied: bool = False
    pinned: Mapping[str, str] = field(default_factory=dict)
    resolved: bool = False  # whether a visit that timed out was past the name resolution
    private: str = ""  # the first private address that was allowed
    resolve_s: float = 0.0  # how long the last name resolution took

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the visit's address of a host.

        Raises socket.gaierror, PrivateAddressError, or OSError without a route.
        """
        began_s = time.monotonic()
        addresses = await addresses_of(host, port, family, pinned=self.pinned)
        self.resolve_s = time.monotonic() - began_s
        self.resolved = True
        for _, address in addresses:
            self._check(address)
        chosen_family, chosen = self._choose(addresses, port)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [ResolveResult(hostname=host, host=chosen, port=port, family=chosen_family, proto=0, flags=flags)]

    def open_socket(self, info: AddrInfoType) -> socket.socket:
        """Open the socket for an address, the last step at which a rebound name or an IP literal can be refused."""
        self.resolved = True
        self._check(str(info[4][0]))
        return socket.socket(info[0], info[1], info[2])

    async def close(self) -> None:
        """Release nothing: a gate holds no resources."""

    def check_literal(self, host: str) -> None:
        """Raise PrivateAddressError for a host that is a private IP address, also where a proxy connects to it."""
        with suppress(ValueError):
            self._check(str(ipaddress.ip_address(host.strip("[]"))), even_proxied=True)

    def _check(self, address: str, *, even_proxied: bool = False) -> None:
        if (self.proxied and not even_proxied) or is_public(address):
            return
        if not self.allow_private:
            raise PrivateAddressError(errno.EACCES, address)
        self.private = self.private or address

    def _choose(self, addresses: Sequence[tuple[int, str]], port: int) -> tuple[int, str]:
        if len(addresses) == 1:  # the connection itself fails as the question would
            return addresses[0]
        problem: OSError = OSError(errno.EADDRNOTAVAIL, "no address")
        reachable: list[tuple[int, str]] = []
        for family, address in addresses:
            try:
                _require_route(family, address, port)
            except OSError as error:
                problem = error
            else:
                reachable.append((family, address))
            if len(reachable) > self.number:  # each further question costs a socket
                break
        if not reachable:
            raise problem
        return reachable[self.number % len(reachable)]


async def addresses_of(
    host: str, port: int, family: int = socket.AF_UNSPEC, *, pinned: Mapping[str, str] | None = None
) -> list[tuple[int, str]]:
    """Return the addresses of a host with their families, in the resolver's order; raises socket.gaierror."""
    infos = await _resolved((pinned or {}).get(host.lower(), host), port, family)
    return list(dict.fromkeys((info[0], str(info[4][0])) for info in infos))


async def _resolved(host: str, port: int, family: int = socket.AF_UNSPEC) -> Sequence[tuple[Any, ...]]:
    def ask() -> Sequence[tuple[Any, ...]]:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)

    return await _NAME_THREADS.run(ask, key=host, timeout_s=_NAME_TIMEOUT_S)


def _require_route(family: int, address: str, port: int) -> None:
    """Raise OSError unless the kernel has a route. Connecting a UDP socket looks the route up and sends nothing."""
    with socket.socket(family, socket.SOCK_DGRAM) as question:
        question.connect((address, port))


async def resolver_answers(host: str) -> bool:
    """Return whether the resolver answers a query for the top-level domain of `host`.

    A working resolver answers for every top-level domain, whether it exists or not. A resolver without a connection
    answers EAI_AGAIN for that too. This distinguishes a zone whose own name servers are broken from a broken resolver.
    """
    domain = host.rstrip(".").rpartition(".")[2]
    try:
        await _resolved(f"{domain}.", 443)
    except socket.gaierror as error:
        return error.errno not in (socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM)
    except (OSError, UnicodeError):
        return False
    return True
