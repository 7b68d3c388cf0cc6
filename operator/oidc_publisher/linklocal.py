"""Recognize link-local addresses and those of the clouds' metadata services. Pure.

No issuer or store has such an address, and users who may name a server must not reach these services through the
operator.
"""

from __future__ import annotations

import ipaddress

_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local (RFC 3927): the metadata services of nearly every cloud, ECS's and EKS's agents
        "fe80::/10",  # link-local (RFC 4291)
        "fd00:ec2::/32",  # Amazon's instance metadata and EKS Pod Identity over IPv6
        "fd20:ce::254/128",  # Google's metadata server over IPv6
        "fd00:42::42/128",  # Scaleway's metadata over IPv6
        "100.100.100.200/32",  # Alibaba Cloud's metadata
        "168.63.129.16/32",  # Azure's WireServer
        "192.0.0.192/32",  # Oracle Cloud Classic's metadata
    )
)
#: IPv6 networks whose addresses hold an IPv4 address in their last 32 bits: compatible and mapped (RFC 4291),
#: translated (RFC 2765), NAT64 (RFC 6052, RFC 8215).
_HOLD_IPV4 = tuple(
    ipaddress.IPv6Network(network)
    for network in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
)


def is_link_local(address: str) -> bool:
    """Return whether this IP address, or the IPv4 address inside of it, is link-local or a metadata service's."""
    plain = plain_address(address)
    return any(plain in network for network in _NETWORKS)


def plain_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that an IPv6 address holds, else the address itself, without its zone."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address) or int(parsed) <= 1:  # `::` and `::1` hold no IPv4 address
        return parsed
    if any(parsed in network for network in _HOLD_IPV4):
        return ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF)
    return parsed.sixtofour or parsed
