"""The addresses of `localhost`, on all of which a test server listens.

Debian, Ubuntu and Fedora write `::1 localhost` into /etc/hosts beside `127.0.0.1 localhost`. The probe judges every
address of a name, so that an issuer on 127.0.0.1 alone has an address that does not answer, and rightly is not Ready.
"""

from __future__ import annotations

import errno
import socket

IPV4 = "127.0.0.1"
_ATTEMPTS = 20


def localhost_addresses() -> tuple[str, ...]:
    """Return 127.0.0.1 and every other address of `localhost` that this machine, or this namespace, really has.

    A machine without IPv6 may have `::1 localhost` in /etc/hosts all the same.
    """
    infos = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
    others = [address for address in dict.fromkeys(str(info[4][0]) for info in infos) if address != IPV4]
    return (IPV4, *(address for address in others if _is_ours(address)))


def has_ipv6() -> bool:
    """Return whether this machine, or this namespace, has the address ::1."""
    return _is_ours("::1")


def listen(port: int = 0, addresses: tuple[str, ...] | None = None) -> list[socket.socket]:
    """Listen at one port of every address (of localhost unless told otherwise); 0 picks a port that is free on all.

    Raises:
        OSError: a port that was asked for is taken.
    """
    chosen = localhost_addresses() if addresses is None else addresses
    for attempt in range(_ATTEMPTS):
        opened: list[socket.socket] = []
        try:
            for address in chosen:
                opened.append(_listener(address, opened[0].getsockname()[1] if opened else port))
        except OSError as error:
            close_all(opened)
            if port or error.errno != errno.EADDRINUSE or attempt == _ATTEMPTS - 1:
                raise
        else:
            return opened
    raise AssertionError("the last attempt returns or raises")


def close_all(sockets: list[socket.socket]) -> None:
    """Close them."""
    for one in sockets:
        one.close()


def host_port(address: str, port: int) -> str:
    """Return ADDRESS:PORT, with brackets where it is IPv6."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _listener(address: str, port: int) -> socket.socket:
    return socket.create_server((address, port), family=_family(address))


def _is_ours(address: str) -> bool:
    try:
        _listener(address, 0).close()
    except OSError:
        return False
    return True


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
