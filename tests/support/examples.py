"""How many examples Hypothesis looks at: HYPOTHESIS_PROFILE names one of the profiles below."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

_ALL = list(HealthCheck)


def load_profile() -> None:
    """Register the profiles and load the one that was asked for.

    `short` looks at the same examples in every run, so that a change is judged by itself, and `fast` at a few of them
    (`make unit`). `long` and `hunt` look for new ones, for minutes and for hours.
    """
    for name, examples in (("fast", 12), ("short", 120)):
        settings.register_profile(
            name,
            max_examples=examples,
            stateful_step_count=40,
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
