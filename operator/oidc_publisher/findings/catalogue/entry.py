"""An entry of the catalogue gives a reason its severity, its condition and its two sentences."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """A Critical finding breaks relying parties or stops the operator, a Warning may, an Info does not."""

    CRITICAL = "Critical"
    WARNING = "Warning"
    INFO = "Info"


class ConditionType(StrEnum):
    """The conditions of an OIDCIssuer; the five steps own four of them and the rotation owns SafeToSign."""

    READY = "Ready"
    KEYS_READ = "KeysRead"
    SAFE_TO_SIGN = "SafeToSign"
    PUBLISHED = "Published"
    SERVED = "Served"
    TOKEN_ACCEPTED = "TokenAccepted"  # noqa: S105 - a condition, not a password
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


#: The conditions that Ready follows, in the order of causes. SafeToSign is not among them: it never moves Ready.
CONDITION_ORDER: tuple[ConditionType, ...] = (
    ConditionType.KEYS_READ,
    ConditionType.PUBLISHED,
    ConditionType.SERVED,
    ConditionType.TOKEN_ACCEPTED,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An Entry describes one reason.

    `unknown`: the condition becomes Unknown, not False, because the cause could not be asked. `stalled`: only a person
    can correct the cause. `meaning` and `hint` are whole sentences: what the reason means, and what an admin does next.
    """

    condition: ConditionType
    severity: Severity
    meaning: str
    hint: str
    unknown: bool = False
    stalled: bool = False
