"""status.findings: the findings of a pass as the status has them, and what an earlier pass left there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from oidc_publisher.api import StatusFinding
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.harmless import harmless

#: status.findings holds at most this many, root cause first.
MAX_FINDINGS = 32


def status_findings(
    found: Sequence[Finding], known: Iterable[StatusFinding], now: datetime
) -> tuple[StatusFinding, ...]:
    """The first of the findings with the time since when they are there, which `known` says of those that were."""
    since = {_identity(finding): finding.since_time for finding in known}
    said = map(status_finding, found[:MAX_FINDINGS])
    return tuple(
        f.model_copy(update={"since_time": since.get(_identity(f)) or now.replace(microsecond=0)}) for f in said
    )


def status_finding(finding: Finding) -> StatusFinding:
    """The finding as the API writes it, without a time."""
    return StatusFinding(
        reason=str(finding.reason),
        severity=str(finding.severity),
        subject=harmless(finding.subject) or None,
        message=finding.message,
        advice=finding.advice or None,
    )


def read_findings(known: Iterable[StatusFinding]) -> Iterable[Finding]:
    """The findings of an earlier pass; what this version does not know is passed over."""
    for finding in known:
        try:
            reason, severity = Reason(finding.reason), Severity(finding.severity)
        except ValueError:
            continue
        yield Finding(reason, severity, finding.subject or "", finding.message, finding.advice or "")


def _identity(finding: StatusFinding) -> tuple[str, str]:
    """What makes a finding the same one in two passes; its words may change."""
    return finding.reason, finding.subject or ""
