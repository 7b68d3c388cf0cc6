"""Times as people read them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oidc_publisher.cli.text.times import away, both, length
from tests.support.statuses import HOUR, MINUTE, NOW, SECOND


@pytest.mark.parametrize(
    ("distance", "said"),
    [
        (timedelta(0), "0s"),
        (47 * SECOND, "47s"),
        (90 * MINUTE, "1h30m"),
        (24 * HOUR + 10 * MINUTE, "24h"),
        (49 * HOUR, "2d1h"),
        (300 * HOUR, "12d"),
        (59 * MINUTE + 59 * SECOND, "59m"),
    ],
)
def test_lengths_are_as_exact_as_people_need(distance: timedelta, said: str) -> None:
    """Two units where the first says little."""
    assert length(distance) == said


def test_times_are_absolute_and_relative() -> None:
    """Ago, now, in."""
    assert both(NOW, NOW) == "2026-02-01T12:00:47Z (now)"
    assert away(NOW + HOUR, NOW) == "in 1h"
    assert away(NOW - HOUR, NOW) == "1h ago"
