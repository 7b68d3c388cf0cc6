"""Set how many examples Hypothesis tries: HYPOTHESIS_PROFILE names one of the profiles below."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings

_ALL = list(HealthCheck)
#: How many examples a test gets that says nothing, under the profile `short`, and the fewest that any test gets.
_SHORT, _FEWEST = 120, 5


def load_profile() -> None:
    """Register the profiles and load the one that was asked for.

    `short` looks at the same examples in every run, so that a change is judged by itself, and `fast` at few and short
    ones (`make unit`). `long` and `hunt` look for new ones, for minutes and for hours.
    """
    for name, examples, steps in (("fast", 6, 20), ("short", _SHORT, 40)):
        settings.register_profile(
            name,
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=_ALL,
            derandomize=True,
        )
    settings.register_profile(
        "long", max_examples=3000, stateful_step_count=60, deadline=None, suppress_health_check=_ALL, print_blob=True
    )
    settings.register_profile(
        "hunt",
        max_examples=100_000,
        stateful_step_count=60,
        deadline=None,
        suppress_health_check=_ALL,
        phases=[Phase.generate],
    )
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


def about(count: int, **more: Any) -> settings:
    """Settings for `count` examples under the profile `short`, and for as many in proportion under the others."""
    share = settings().max_examples / _SHORT
    return settings(max_examples=max(_FEWEST, round(count * share)), deadline=None, **more)
