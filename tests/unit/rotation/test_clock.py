"""Times are written down in whole seconds."""

from __future__ import annotations

from datetime import timedelta

from oidc_publisher.rotation import whole_second
from tests.simulation.scenario import SECOND, T0


def test_times_are_rounded_up_to_whole_seconds() -> None:
    """Every base time errs late."""
    assert whole_second(T0) == T0
    assert whole_second(T0 + timedelta(microseconds=1)) == T0 + SECOND
