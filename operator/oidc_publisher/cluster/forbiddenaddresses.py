"""Refuse addresses that belong to no API server, whatever an object names."""

from __future__ import annotations

import socket

from aiohttp.connector import AddrInfoType

from oidc_publisher.linklocal import is_link_local, plain_address


class ForbiddenAddressError(OSError):
    """The address is one that no object may lead the operator to."""


def is_forbidden(address: str) -> bool:
    """Return whether the operator refuses to connect to `address` where an object names it.

    Refused are link-local (with the clouds' metadata services), unspecified and multicast addresses and the IPv6 forms
    of them, as Kubernetes refuses them in EndpointSlices (ValidateNonSpecialIP), and metadata services at other
    addresses. Loopback is allowed, because a proxy in the operator's pod listens there.
    """
    plain = plain_address(address)
    return is_link_local(address) or plain.is_unspecified or plain.is_multicast


def guarded_socket(info: AddrInfoType) -> socket.socket:
    """Open a socket for aiohttp, which calls this for every address, also those that a name resolves to.

    Raises:
        ForbiddenAddressError: `is_forbidden` is true for the address.
    """
    family, kind, protocol, _, place = info
    if is_forbidden(str(place[0])):
        raise ForbiddenAddressError(0, "it is at a link-local or metadata address")
    return socket.socket(family=family, type=kind, proto=protocol)
