"""Decide by IANA's registries which addresses the public can reach.

This module does not use `is_global` of ipaddress, which follows the registries as of the release of its Python:
releases differ, and none classifies 192.0.0.192 and fec0::/10 correctly. Sources, as of 2026-11:
iana.org/assignments/iana-ipv4-special-registry, iana-ipv6-special-registry and ipv6-address-space.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Mapping

_IPv4 = ipaddress.IPv4Network
_IPv6 = ipaddress.IPv6Network

#: The column "Globally Reachable" of the registry. The longest prefix decides; an address in none of them is public.
_SPECIAL_IPV4: Mapping[_IPv4, bool] = {
    _IPv4("0.0.0.0/8"): False,  # this network
    _IPv4("10.0.0.0/8"): False,  # private use
    _IPv4("100.64.0.0/10"): False,  # shared, behind the NAT of a carrier
    _IPv4("127.0.0.0/8"): False,  # loopback
    _IPv4("169.254.0.0/16"): False,  # link-local, with the clouds' metadata services
    _IPv4("172.16.0.0/12"): False,  # private use
    _IPv4("192.0.0.0/24"): False,  # IETF protocol assignments; 192.0.0.192 is Oracle's old metadata service
    _IPv4("192.0.0.9/32"): True,  # Port Control Protocol anycast
    _IPv4("192.0.0.10/32"): True,  # TURN anycast
    _IPv4("192.0.2.0/24"): False,  # documentation
    _IPv4("192.88.99.0/24"): False,  # 6to4 relays: deprecated (RFC 7526), never a host
    _IPv4("192.168.0.0/16"): False,  # private use
    _IPv4("198.18.0.0/15"): False,  # benchmarking
    _IPv4("198.51.100.0/24"): False,  # documentation
    _IPv4("203.0.113.0/24"): False,  # documentation
    _IPv4("224.0.0.0/4"): False,  # multicast
    _IPv4("240.0.0.0/4"): False,  # reserved, and broadcast
}

#: IANA has allocated global unicast addresses from this block only. Outside of it are IPv4-compatible (::/96) and
#: IPv4-translated addresses (::ffff:0:0:0/96), local NAT64 (64:ff9b:1::/48), unique local, link-local and site-local
#: ones (fec0::/10).
_GLOBAL_UNICAST = _IPv6("2000::/3")
_SPECIAL_IPV6: Mapping[_IPv6, bool] = {
    _IPv6("2001::/23"): False,  # IETF protocol assignments, with Teredo and ORCHID
    _IPv6("2001:1::1/128"): True,  # Port Control Protocol anycast
    _IPv6("2001:1::2/128"): True,  # TURN anycast
    _IPv6("2001:1::3/128"): True,  # DNS-SD SRP anycast
    _IPv6("2001:3::/32"): True,  # AMT
    _IPv6("2001:4:112::/48"): True,  # AS112
    _IPv6("2001:20::/28"): True,  # ORCHIDv2
    _IPv6("2001:30::/28"): True,  # drones
    _IPv6("2001:db8::/32"): False,  # documentation
    _IPv6("3fff::/20"): False,  # documentation
}

#: The IPv6 blocks that embed an IPv4 address, and how many bits follow it. The embedded address decides.
_IPV4_INSIDE: Mapping[_IPv6, int] = {
    _IPv6("::ffff:0:0/96"): 0,  # IPv4-mapped: the kernel sends IPv4
    _IPv6("64:ff9b::/96"): 0,  # RFC 6052: DNS64 returns it for a host that has IPv4 only
    _IPv6("2002::/16"): 80,  # 6to4
}


@functools.lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Return whether relying parties anywhere can reach this address.

    Private, shared, loopback, link-local (with the clouds' metadata services), documentation, reserved and multicast
    addresses are not public, and neither are IPv6 forms of them. Each visit of a pass asks twice about the same one.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return _reachable_ipv4(parsed)
    for block, bits_behind in _IPV4_INSIDE.items():
        if parsed in block:
            return _reachable_ipv4(ipaddress.IPv4Address(int(parsed) >> bits_behind & 0xFFFF_FFFF))
    blocks = [block for block in _SPECIAL_IPV6 if parsed in block]
    return parsed in _GLOBAL_UNICAST and (not blocks or _SPECIAL_IPV6[max(blocks, key=lambda block: block.prefixlen)])


def _reachable_ipv4(address: ipaddress.IPv4Address) -> bool:
    blocks = [block for block in _SPECIAL_IPV4 if address in block]
    return not blocks or _SPECIAL_IPV4[max(blocks, key=lambda block: block.prefixlen)]
