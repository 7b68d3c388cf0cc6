"""The passes that an operator has ended, as its log tells at debug level: nothing is measured in seconds here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from oidc_publisher.findings import CATALOGUE, ConditionType, Reason
from oidc_publisher.reconcile.status.passlog import MESSAGE


@dataclass(frozen=True, slots=True)
class PassEnd:
    """When a pass over an issuer ended, as Unix time, its findings about Served, and in how many seconds the next one comes."""

    issuer: str
    at: float
    reasons: frozenset[str]
    next_look_s: float | None


def pass_ends(log: str) -> Iterator[PassEnd]:
    """Yield the passes of a log in their order; its last line may be incomplete."""
    for line in log.splitlines():
        if MESSAGE not in line or not line.endswith("}"):
            continue
        told = json.loads(line)
        reasons = {Reason(finding.partition(" ")[0]) for finding in told["findings"]}
        served = frozenset(reason.value for reason in reasons if CATALOGUE[reason].condition is ConditionType.SERVED)
        yield PassEnd(
            told["issuer"], datetime.fromisoformat(told["timestamp"]).timestamp(), served, told["next_look_s"]
        )
