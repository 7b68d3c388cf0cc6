"""How long the state machine looks: HYPOTHESIS_PROFILE=long looks for minutes, and differently in every run."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

_ALL = list(HealthCheck)

# The same examples in every run, so that a change is judged by itself; the long profile is for finding new ones.
settings.register_profile(
    "short", max_examples=120, stateful_step_count=40, deadline=None, suppress_health_check=_ALL, derandomize=True
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
