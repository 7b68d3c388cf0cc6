"""status.findings holds the findings of a pass, and since when each of them is there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from oidc_publisher.api import StatusFinding
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.harmless import harmless

#: status.findings holds at most this many findings, root cause first.
MAX_FINDINGS = 32


def status_findings(
    found: Sequence[Finding], known: Iterable[StatusFinding], now: datetime
) -> tuple[StatusFinding, ...]:
    """Return the first findings for the status, with the times of those that `known` has already."""
    since = {_identity(finding): finding.since_time for finding in known}
    said = map(status_finding, found[:MAX_FINDINGS])
    return tuple(
        f.model_copy(update={"since_time": since.get(_identity(f)) or now.replace(microsecond=0)}) for f in said
    )


def status_finding(finding: Finding) -> StatusFinding:
    """Return the finding as the API writes it, without a time."""
    return StatusFinding(
        reason=str(finding.reason),
        severity=str(finding.severity),
        subject=harmless(finding.subject) or None,
        message=finding.message,
        advice=finding.advice or None,
    )


def read_findings(known: Iterable[StatusFinding]) -> Iterable[Finding]:
    """Return the findings of an earlier pass, without reasons that this version does not know."""
    for finding in known:
        try:
            reason, severity = Reason(finding.reason), Severity(finding.severity)
        except ValueError:
            continue
        yield Finding(reason, severity, finding.subject or "", finding.message, finding.advice or "")


def _identity(finding: StatusFinding) -> tuple[str, str]:
    """Return what makes a finding the same one in two passes, while its words may change."""
    return finding.reason, finding.subject or ""
