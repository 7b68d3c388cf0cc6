"""One failed check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue import CATALOGUE, ConditionType, Reason, Severity
from oidc_publisher.harmless import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The parts of a finding are read by people. The API server itself refuses a condition's message above 32,768 characters.
MAX_MESSAGE, MAX_ADVICE = 4_096, 1_024
#: Both parts in one text, as a condition has them.
MAX_SENTENCE = MAX_MESSAGE + 1 + MAX_ADVICE

_CAUSE_ORDER = {reason: place for place, reason in enumerate(Reason)}
_SEVERITY_ORDER = {severity: place for place, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Finding:
    """One failed check: `message` says what is wrong with `subject`, `advice` what an admin does about it.

    Both are stable: no request ids, no timings, for each new text would be a PATCH. Both are harmless and of a bounded
    length, whatever stands in them: conditions, events and logs take them from here. `advice` is empty only in what a
    former version has left in a status: its message ends with it. `subject` is as it is, for it is compared. `severity`
    is the catalogue's unless a check says otherwise (TooManyKeys is a warning above 10 and critical at 100).
    """

    reason: Reason
    severity: Severity
    subject: str
    message: str
    advice: str

    def __post_init__(self) -> None:
        """Make message and advice harmless, and no longer than anybody reads."""
        object.__setattr__(self, "message", clipped(harmless(self.message), MAX_MESSAGE))
        object.__setattr__(self, "advice", clipped(harmless(self.advice), MAX_ADVICE))

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
        """A finding whose message is a whole sentence; its advice is `hint`, or the catalogue's when there is none."""
        entry = CATALOGUE[reason]
        return cls(reason, severity or entry.severity, subject, f"{message.rstrip('. ')}.", hint or entry.hint)

    @property
    def sentence(self) -> str:
        """What is wrong and what to do, for places that have one text: a condition's message, an event's note."""
        return joined(self.message, self.advice)

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


def joined(message: str, advice: str | None) -> str:
    """A finding's message and advice as one text, at most MAX_SENTENCE long."""
    return f"{message} {advice}" if advice else message


def clipped(text: str, most: int) -> str:
    """`text`, cut where it is longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def sorted_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Root cause first: Critical before Warning before Info, then in the catalogue's order; each once."""
    return tuple(sorted(dict.fromkeys(findings), key=_importance))


def most_important(findings: Iterable[Finding]) -> Finding | None:
    """The finding that a condition is named after: Critical before Unknown before the rest, then by cause."""
    return min(
        findings, key=lambda f: (f.severity is not Severity.CRITICAL, not f.unknown, *_importance(f)), default=None
    )


def _importance(finding: Finding) -> tuple[int, int, str, str, str]:
    severity, cause = _SEVERITY_ORDER[finding.severity], _CAUSE_ORDER[finding.reason]
    return (severity, cause, finding.subject, finding.message, finding.advice)
