"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Amount:
    """How often and for how long.

    `interval_s` is that of the steady issuer. `rest_s` lets a rotation come to rest: more than prePublishPeriod,
    maxTokenLifetime and clockSkew are together. `object_turns` are issuers with three changes each of a ConfigMap and a
    Secret. `publications` are first ones, `resting_passes` those whose calls and bytes are counted, `drifts` deletions by
    hand of each kind. `probes` are those of a slow and jittery host. `signer_starts` are those of a signer, `signer_rounds`
    how often its rate is measured for `signer_s`, and `rotations` those of managed keys. A fleet of each of `fleet_sizes` has an
    interval of `fleet_interval_s`, is measured at rest for `fleet_rest_s`, and then during `fleet_changes` of keys. Of `memory_issuers` it is asked who holds what.
    An operator in a pod rests for `pod_rest_s`. `churn_cycles` issuers come and go, with a rest of `churn_rest_s` before memory is read.
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
    object_turns: int = 14
    publications: int = 6
    resting_passes: int = 15
    drifts: int = 15
    cdn_changes: int = 5
    probes: int = 10_000
    signer_starts: int = 9
    signer_rounds: int = 5
    signer_s: float = 2.0
    rotations: int = 5
    fleet_sizes: tuple[int, ...] = (1, 10, 100, 1000)
    fleet_interval_s: int = 60
    fleet_rest_s: float = 180.0
    fleet_changes: int = 100
    memory_issuers: int = 1000
    pod_rest_s: float = 90.0
    churn_cycles: int = 10_000
    churn_rest_s: float = 160.0  # two periods of 75 s, after which all is let go that ever is

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
    object_turns=2,
    publications=2,
    resting_passes=4,
    drifts=2,
    cdn_changes=1,
    probes=300,
    signer_starts=3,
    signer_rounds=2,
    signer_s=1,
    rotations=1,
    fleet_sizes=(1, 10),
    fleet_interval_s=5,
    fleet_rest_s=20,
    fleet_changes=10,
    memory_issuers=20,
    pod_rest_s=6,
    churn_cycles=80,
    churn_rest_s=2,
)
