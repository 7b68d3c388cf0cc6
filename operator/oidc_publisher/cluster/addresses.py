"""Addresses at which no API server is, whatever an object says."""

from __future__ import annotations

import ipaddress
import socket

from aiohttp.connector import AddrInfoType

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291, 2.5.5.1: the same, deprecated
#: Metadata services that are not at a link-local address: AWS over IPv6, Alibaba, Oracle, Azure's WireServer.
_METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")))


class ForbiddenAddressError(OSError):
    """The address is one that no object may send the operator to."""


def is_forbidden(address: str) -> bool:
    """Whether the operator never connects to `address` because an object names it.

    Link-local (with the clouds' metadata services), unspecified and multicast addresses and the IPv6 forms of them, as
    Kubernetes refuses them in EndpointSlices (ValidateNonSpecialIP), and metadata services elsewhere. Loopback stays: a
    proxy beside the operator is there.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    plain = _embedded(parsed) if isinstance(parsed, ipaddress.IPv6Address) else parsed
    return plain.is_link_local or plain.is_unspecified or plain.is_multicast or plain in _METADATA


def guarded_socket(info: AddrInfoType) -> socket.socket:
    """Open a socket for aiohttp, which shows every address here, those that a name resolves to too.

    Raises:
        ForbiddenAddressError: `is_forbidden` says so.
    """
    family, kind, protocol, _, place = info
    if is_forbidden(str(place[0])):
        raise ForbiddenAddressError(0, "it is at a link-local or metadata address")
    return socket.socket(family=family, type=kind, proto=protocol)


def _embedded(parsed: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that an IPv6 one stands for, else the same."""
    plain = parsed.ipv4_mapped or parsed.sixtofour
    if plain is not None:
        return plain
    loopback_or_none = int(parsed) <= 1
    if parsed in _NAT64 or (parsed in _COMPATIBLE and not loopback_or_none):
        return ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF)
    return parsed
