"""One failed check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue import CATALOGUE, ConditionType, Reason, Severity
from oidc_publisher.harmless import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable

_CAUSE_ORDER = {reason: place for place, reason in enumerate(Reason)}
_SEVERITY_ORDER = {severity: place for place, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Finding:
    """One failed check: what is wrong with `subject`, and what to do.

    `message` is stable: no request ids, no timings, for each new text would be a PATCH. It is harmless, whatever stands
    in it: conditions, events and logs take it from here. `subject` is as it is, for it is compared. `severity` is the catalogue's
    unless a check says otherwise (TooManyKeys is a warning above 10 and critical at 100).
    """

    reason: Reason
    severity: Severity
    subject: str
    message: str

    def __post_init__(self) -> None:
        """Make the message harmless."""
        object.__setattr__(self, "message", harmless(self.message))

    @classmethod
    def of(
        cls,
        reason: Reason,
        message: str,
        *,
        subject: str = "",
        hint: str | None = None,
        severity: Severity | None = None,
    ) -> Finding:
        """A finding whose message ends with what to do: `hint`, or the catalogue's when there is none."""
        entry = CATALOGUE[reason]
        advice = hint or entry.hint
        return cls(
            reason, severity or entry.severity, subject, f"{message.rstrip('. ')}. {advice}" if advice else message
        )

    @property
    def condition(self) -> ConditionType:
        """The condition that this finding moves."""
        return CATALOGUE[self.reason].condition

    @property
    def unknown(self) -> bool:
        """Whether the condition becomes Unknown, not False."""
        return CATALOGUE[self.reason].unknown

    @property
    def stalled(self) -> bool:
        """Whether only a person can mend it."""
        return CATALOGUE[self.reason].stalled


def sorted_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Root cause first: Critical before Warning before Info, then in the catalogue's order; each once."""
    return tuple(sorted(dict.fromkeys(findings), key=_importance))


def most_important(findings: Iterable[Finding]) -> Finding | None:
    """The finding that a condition is named after: Critical before Unknown before the rest, then by cause."""
    return min(
        findings, key=lambda f: (f.severity is not Severity.CRITICAL, not f.unknown, *_importance(f)), default=None
    )


def _importance(finding: Finding) -> tuple[int, int, str, str]:
    return (_SEVERITY_ORDER[finding.severity], _CAUSE_ORDER[finding.reason], finding.subject, finding.message)
