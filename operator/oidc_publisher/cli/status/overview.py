"""All issuers in one value, one line each, the worst first; the same for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from oidc_publisher.api import OIDCIssuer
from oidc_publisher.cli.status.page import Page, page_of
from oidc_publisher.findings import Severity

_ORDER = {"False": 0, "Unknown": 1, "True": 2}


@dataclass(frozen=True, slots=True)
class IssuerLine:
    """One issuer.

    `ready` and `reason` are the condition's. `proven` says that nothing speaks against Ready, `caveat` what does.
    `warnings` counts the findings of at least that severity, whose `worst` is the first.
    """

    name: str
    ready: str
    reason: str
    proven: bool
    caveat: str
    warnings: int
    worst: str
    key_count: int | None
    last_proven_time: datetime | None
    issuer_url: str


@dataclass(frozen=True, slots=True)
class Overview:
    """All issuers of a cluster; `proven` says that each of them is."""

    proven: bool
    issuers: tuple[IssuerLine, ...]


def overview_of(issuers: Iterable[OIDCIssuer], unreadable: Iterable[IssuerLine], now: datetime) -> Overview:
    """Make the overview at the instant `now`; `unreadable` are the lines of objects that this version cannot read."""
    lines = [*unreadable, *(_line(page_of(issuer, (), now)) for issuer in issuers)]
    return Overview(all(line.proven for line in lines), tuple(sorted(lines, key=_badness)))


def unreadable_line(name: str, reason: str, message: str) -> IssuerLine:
    """Make the line of an object that this version cannot read."""
    return IssuerLine(name, "Unknown", reason, proven=False, caveat=message, warnings=1, worst=reason,
                      key_count=None, last_proven_time=None, issuer_url="")  # fmt: skip


def _line(page: Page) -> IssuerLine:
    grave = [finding.reason for finding in page.findings if finding.severity != Severity.INFO]
    return IssuerLine(
        name=page.name,
        ready=page.ready.status if page.ready else "Unknown",
        reason=page.ready.reason if page.ready else "",
        proven=page.proven,
        caveat=page.caveats[0] if page.caveats else "",
        warnings=len(grave),
        worst=grave[0] if grave else "",
        key_count=page.key_count,
        last_proven_time=page.last_proven_time,
        issuer_url=page.issuer_url,
    )


def _badness(line: IssuerLine) -> tuple[int, bool, int, str]:
    return _ORDER.get(line.ready, 1), line.proven, -line.warnings, line.name
