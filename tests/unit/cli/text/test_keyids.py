"""Key IDs as short as a table needs them."""

from __future__ import annotations

from oidc_publisher.cli.text.keyids import shortened


def test_key_ids_are_shortened_as_far_as_they_differ() -> None:
    """Eight characters, or more where two begin alike; short ones stay."""
    assert shortened(["aaaaaaaaaa", "bbbbbbbbbb"]) == {"aaaaaaaaaa": "aaaaaaaa", "bbbbbbbbbb": "bbbbbbbb"}
    assert shortened(["aaaaaaaab1", "aaaaaaaac1"]) == {"aaaaaaaab1": "aaaaaaaab", "aaaaaaaac1": "aaaaaaaac"}
    assert shortened(["key-1", "key-10"]) == {"key-1": "key-1", "key-10": "key-10"}
    assert shortened([]) == {}
