"""Addresses at which no API server is, whatever an object says."""

from __future__ import annotations

import socket

from aiohttp.connector import AddrInfoType

from oidc_publisher.linklocal import is_link_local, plain_address


class ForbiddenAddressError(OSError):
    """The address is one that no object may send the operator to."""


def is_forbidden(address: str) -> bool:
    """Whether the operator never connects to `address` because an object names it.

    Link-local (with the clouds' metadata services), unspecified and multicast addresses and the IPv6 forms of them, as
    Kubernetes refuses them in EndpointSlices (ValidateNonSpecialIP), and metadata services elsewhere. Loopback stays: a
    proxy beside the operator is there.
    """
    plain = plain_address(address)
    return is_link_local(address) or plain.is_unspecified or plain.is_multicast


def guarded_socket(info: AddrInfoType) -> socket.socket:
    """Open a socket for aiohttp, which shows every address here, those that a name resolves to too.

    Raises:
        ForbiddenAddressError: `is_forbidden` says so.
    """
    family, kind, protocol, _, place = info
    if is_forbidden(str(place[0])):
        raise ForbiddenAddressError(0, "it is at a link-local or metadata address")
    return socket.socket(family=family, type=kind, proto=protocol)
