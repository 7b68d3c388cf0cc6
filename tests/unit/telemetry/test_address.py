"""Addresses to listen on."""

from __future__ import annotations

import pytest

from oidc_publisher.telemetry.address import Address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":8080", Address(None, 8080)),
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("localhost:65535", Address("localhost", 65535)),
        ("[::1]:8080", Address("::1", 8080)),
        ("[::]:8080", Address("::", 8080)),
    ],
)
def test_an_address_is_read_and_printed_alike(text: str, address: Address) -> None:
    """What the log says can be given back to the command line."""
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "8080", ":", "localhost", "localhost:", ":http", ":65536", ":-1", "::1:8080"])
def test_a_wrong_address_is_refused(text: str) -> None:
    """The message shows a right one."""
    with pytest.raises(ValueError, match="such as"):
        Address.parse(text)
