"""Times in HTTP headers, whoever sent them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.timing.httpdate import parsed_date

WHEN = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 -0000",
        "Sun, 06 Nov 1994 10:49:37 +0200",
    ],
)
def test_every_form_of_a_date_is_one_time(text: str) -> None:
    """The three of RFC 9110, and zones that servers write all the same."""
    assert parsed_date(text) == WHEN
    assert str(parsed_date(text)).endswith("+00:00")


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "0", "now", "1994-11-06T08:49:37Z", "784111777"),
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Fri, 31 Dec 9999 23:59:59 -0100",
        "Sun, 06 Nov 1994 08:49:37 +9959",
    ],
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    """Nor a zone that leads out of the calendar: a store that sent one made every pass an InternalError."""
    assert parsed_date(text) is None


@given(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,5} \d\d:\d\d:\d\d [+-]\d{1,9}"))
def test_no_text_breaks_the_reader(text: str) -> None:
    """It is a time in UTC, or none."""
    found = parsed_date(text)
    assert found is None or found.tzinfo is UTC
