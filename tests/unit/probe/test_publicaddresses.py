"""Which addresses are public."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.probe.publicaddresses import is_public

ADDRESSES = {
    "8.8.8.8": True,
    "52.218.0.1": True,
    "2600:9000::1": True,
    "::ffff:8.8.8.8": True,
    "64:ff9b::808:808": True,
    "2002:808:808::1": True,
    "10.0.0.1": False,
    "172.31.255.255": False,
    "192.168.1.1": False,
    "100.64.0.1": False,
    "127.0.0.1": False,
    "0.0.0.0": False,
    "169.254.169.254": False,
    "192.0.2.1": False,
    "224.0.0.1": False,
    "255.255.255.255": False,
    "::": False,
    "::1": False,
    "fe80::1": False,
    "fe80::1%eth0": False,
    "fd00:ec2::254": False,
    "ff02::1": False,
    "::ffff:10.0.0.1": False,
    "::ffff:169.254.169.254": False,
    "64:ff9b::a9fe:a9fe": False,
    "2002:a00:1::1": False,
    # By the registry, where is_global of one Python or another says otherwise.
    "192.0.0.192": False,
    "192.0.0.8": False,
    "192.0.0.9": True,
    "192.0.0.170": False,
    "192.88.99.1": False,
    "192.31.196.1": True,
    "240.0.0.1": False,
    "::a9fe:a9fe": False,
    "::8.8.8.8": False,
    "::ffff:0:a9fe:a9fe": False,
    "::ffff:0:808:808": False,
    "64:ff9b:1::a9fe:a9fe": False,
    "64:ff9b:1::808:808": False,
    "100::1": False,
    "100:0:0:1::1": False,
    "2001::1": False,
    "2001:1::1": True,
    "2001:1::4": False,
    "2001:2::1": False,
    "2001:4:112::1": True,
    "2001:10::1": False,
    "2001:20::1": True,
    "2001:db8::1": False,
    "2620:4f:8000::1": True,
    "3fff::1": False,
    "4000::1": False,
    "5f00::1": False,
    "fc00::1": False,
    "fec0::1": False,
    "fec0:0:0:ffff::1": False,
    "ff0e::1": False,
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_public_is_what_relying_parties_can_reach(address: str) -> None:
    """In every notation; a cloud's metadata service least of all."""
    assert is_public(address) is ADDRESSES[address]


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_in_ipv6_clothes(address: ipaddress.IPv4Address) -> None:
    """Mapped, by NAT64 and by 6to4."""
    plain = is_public(str(address))
    assert is_public(f"::ffff:{address}") is plain
    assert is_public(str(ipaddress.IPv6Address((0x64_FF9B << 96) | int(address)))) is plain
    assert is_public(str(ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80)))) is plain
