"""What the catalogue says of one reason, in terms of severities and conditions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is: Critical breaks relying parties or stops the work, Warning may, Info does not."""

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
    """What the catalogue says of one reason.

    `unknown`: the condition becomes Unknown, not False, for the cause was not to be asked. `stalled`: only a person
    can mend it. `meaning` and `hint` are whole sentences: what it means, and what an admin does next.
    """

    condition: ConditionType
    severity: Severity
    meaning: str
    hint: str
    unknown: bool = False
    stalled: bool = False
