"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Amount:
    """How often and for how long.

    `interval_s` is that of the steady issuer. `rest_s` lets a rotation come to rest: more than prePublishPeriod,
    maxTokenLifetime and clockSkew are together.
    """

    ready: int = 15
    first_ready: int = 5
    starts: int = 7
    outages: int = 4
    imports: int = 5
    idle_s: float = 40.0
    rest_s: float = 17.0
    steady_passes: int = 31
    interval_s: int = 10
    step_passes: int = 15

    @property
    def steady_s(self) -> float:
        """About how long the steady phase takes."""
        return float(self.steady_passes * self.interval_s)


FULL = Amount()
QUICK = Amount(
    ready=3,
    first_ready=1,
    starts=1,
    outages=1,
    imports=1,
    idle_s=5,
    rest_s=7,
    steady_passes=6,
    interval_s=5,
    step_passes=4,
)
