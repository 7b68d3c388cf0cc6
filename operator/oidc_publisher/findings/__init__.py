"""The catalogue of everything that can be wrong, and how conditions follow from it. Pure."""

from oidc_publisher.findings.catalogue import CATALOGUE, CONDITION_ORDER, ConditionType, Reason, Severity
from oidc_publisher.findings.conditions import Condition, ConditionStatus, Facts, conditions, refused_conditions
from oidc_publisher.findings.finding import (
    MAX_SENTENCE,
    Finding,
    clipped,
    condition_message,
    joined,
    most_important,
    sorted_findings,
)

__all__ = [
    "CATALOGUE",
    "CONDITION_ORDER",
    "MAX_SENTENCE",
    "Condition",
    "ConditionStatus",
    "ConditionType",
    "Facts",
    "Finding",
    "Reason",
    "Severity",
    "clipped",
    "condition_message",
    "conditions",
    "joined",
    "most_important",
    "refused_conditions",
    "sorted_findings",
]
