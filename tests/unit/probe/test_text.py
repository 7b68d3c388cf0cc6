"""How foreign text, durations and URLs stand in messages."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oidc_publisher.probe.text import host_of, shown, spoken, without_query


@pytest.mark.parametrize(
    ("text", "said"),
    [("a", '"a"'), ('say "x"', '"say \\"x\\""'), ("\x1b[2J\n", '"\\u001b[2J\\n"'), ("x" * 301, f'"{"x" * 300}..."')],
)
def test_foreign_text_is_quoted_ascii_and_has_an_end(text: str, said: str) -> None:
    """Nothing in it can steer a terminal or pass for a line of its own."""
    assert shown(text) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s"),
        (1.5, "1.5s"),
        (300, "5m"),
        (5400, "1h30m"),
        (86400, "24h"),
        (2 * 86400, "2 days"),
        (31536000, "365 days"),
    ],
)
def test_a_duration_is_said_as_the_api_writes_it(seconds: float, said: str) -> None:
    """In days from two whole days on."""
    assert spoken(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://oidc.example.com/prod", "oidc.example.com"),
        ("https://oidc.example.com:443/", "oidc.example.com"),
        ("https://oidc.example.com:8443/", "oidc.example.com:8443"),
        ("https://[2001:db8::1]:8443/", "[2001:db8::1]:8443"),
        ("https://oidc.example.com:99999/", "https://oidc.example.com:99999/"),
        ("nothing", "nothing"),
    ],
)
def test_a_host_has_its_port_where_that_is_not_443(url: str, host: str) -> None:
    """What is no URL stays as it is."""
    assert host_of(url) == host


@pytest.mark.parametrize("url", ["https://a/b", "https://a/b?X-Amz-Signature=1", "https://a/b#c", "https://a/b?c#d"])
def test_a_signature_in_the_query_is_left_out(url: str) -> None:
    """It differs each time, and the finding would be a new one each time."""
    assert without_query(url) == "https://a/b"
