"""A finding is one failed check. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue import CATALOGUE, ConditionType, Reason, Severity
from oidc_publisher.harmless import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable

#: People read the parts of a finding. The API server refuses a condition's message above 32,768 characters.
MAX_MESSAGE, MAX_ADVICE = 4_096, 1_024
#: The length of both parts in one text, as a condition has them.
MAX_SENTENCE = MAX_MESSAGE + 1 + MAX_ADVICE

_CAUSE_ORDER = {reason: place for place, reason in enumerate(Reason)}
_SEVERITY_ORDER = {severity: place for place, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding is one failed check: `message` says what is wrong with `subject`, `advice` what an admin does about it.

    Message and advice are stable, without request IDs and timings, because each new text would cost a PATCH. Both are
    harmless and of a bounded length, because conditions, events and logs take them from here. `advice` is empty only in a
    finding that an earlier version left in a status, whose message ends with the advice. `subject` stays as it is, because
    subjects are compared. `severity` is the catalogue's unless a check says otherwise (TooManyKeys is a warning above 10
    and critical at 100).
    """

    reason: Reason
    severity: Severity
    subject: str
    message: str
    advice: str

    def __post_init__(self) -> None:
        """Make message and advice harmless, and clip them to their limits."""
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
        """Make a finding whose message is a whole sentence, and whose advice is `hint` or else the catalogue's."""
        entry = CATALOGUE[reason]
        return cls(reason, severity or entry.severity, subject, f"{message.rstrip('. ')}.", hint or entry.hint)

    @property
    def sentence(self) -> str:
        """The message and the advice, for places that have one text: a condition's message, an event's note."""
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
        """Whether only a person can correct the cause."""
        return CATALOGUE[self.reason].stalled


def condition_message(reason: str, message: str, advice: str | None) -> str:
    """Return the message of a condition that is named after a finding: it ends with where the runbook of the reason is.

    The command needs no network and no address that may move, and prints the page of the very version that runs it.
    """
    return f"{joined(message, advice)} Runbook: oidc-publisher explain {reason}"


def joined(message: str, advice: str | None) -> str:
    """Join a finding's message and advice to one text of at most MAX_SENTENCE characters."""
    return f"{message} {advice}" if advice else message


def clipped(text: str, most: int) -> str:
    """Return the text, cut where it is longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def sorted_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings, the root cause first: Critical before Warning before Info, then in the catalogue's order; each once."""
    return tuple(sorted(dict.fromkeys(findings), key=_importance))


def most_important(findings: Iterable[Finding]) -> Finding | None:
    """Return the finding that a condition is named after: Critical before Unknown before the rest, then by cause."""
    return min(
        findings, key=lambda f: (f.severity is not Severity.CRITICAL, not f.unknown, *_importance(f)), default=None
    )


def _importance(finding: Finding) -> tuple[int, int, str, str, str]:
    severity, cause = _SEVERITY_ORDER[finding.severity], _CAUSE_ORDER[finding.reason]
    return (severity, cause, finding.subject, finding.message, finding.advice)
