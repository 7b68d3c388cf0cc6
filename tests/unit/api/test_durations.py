"""Durations: read as the API server reads them, written in one way only."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.api import format_duration, parse_duration

_DURATIONS = st.timedeltas(min_value=timedelta(0)).map(lambda d: d - timedelta(microseconds=d.microseconds))
_TEXTS = st.from_regex(r"([0-9]{1,5}[hms]){1,3}", fullmatch=True).filter(str.isascii)


@given(_DURATIONS)
def test_what_is_written_is_read_back(duration: timedelta) -> None:
    """Every duration that Python can hold survives, also those with more digits than the spec allows."""
    assert parse_duration(format_duration(duration), digits=11) == duration


@given(_TEXTS)
def test_writing_has_one_form_for_each_duration(text: str) -> None:
    """However it was spelt, it is written in the one way, and that way is a fixed point."""
    canonical = format_duration(parse_duration(text))
    assert format_duration(parse_duration(canonical, digits=11)) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("24h", "24h"),
        ("90s", "1m30s"),
        ("1h30m", "1h30m"),
        ("0s", "0s"),
        ("0h", "0s"),
        ("00001m", "1m"),
        ("1s1m1h", "1h1m1s"),
        ("1h1h", "2h"),
        ("3601s", "1h1s"),
        ("8784h", "8784h"),
    ],
)
def test_the_canonical_form(text: str, canonical: str) -> None:
    """Largest units first and none that is zero."""
    assert format_duration(parse_duration(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "60",
        "h",
        "1d",
        "1.5h",
        "-1m",
        "+1m",
        "1 m",
        " 1m",
        "1m\n",
        "500ms",
        "1H",
        "100000s",
        "1h1m1s1s",
        "1h,1m",
        "\u0661m",
    ],
)
def test_anything_else_is_refused_without_repeating_it(text: str) -> None:
    """The sentence is the API server's, whatever the text was."""
    with pytest.raises(
        ValueError, match=r"^must be a duration in hours, minutes and seconds, such as 90s, 15m or 1h30m$"
    ):
        parse_duration(text)


def test_a_number_that_no_calendar_holds_is_refused() -> None:
    """More digits do not mean an OverflowError."""
    with pytest.raises(ValueError, match="must be a duration"):
        parse_duration("99999999999h", digits=11)


def test_fractions_are_rounded_up() -> None:
    """A wait errs on the long side."""
    assert format_duration(timedelta(seconds=59, microseconds=1)) == "1m"


def test_a_negative_duration_cannot_be_written() -> None:
    """There is no way to write one, so that nobody reads another one back."""
    with pytest.raises(ValueError, match="negative"):
        format_duration(timedelta(microseconds=-1))
