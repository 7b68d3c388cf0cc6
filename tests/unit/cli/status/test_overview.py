"""`status` of all issuers: one line each, the worst first, in any terminal."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest

from oidc_publisher.api import OIDCIssuer, format_time, read_issuer
from oidc_publisher.cli.status.overview import Overview, overview_of, unreadable_line
from oidc_publisher.cli.status.text import print_overview
from oidc_publisher.cli.text.console import console_for
from tests.support.statuses import NOW, ago, condition, issuer_object


def one(name: str, spec: dict[str, Any] | None = None, **status: Any) -> OIDCIssuer:
    obj = issuer_object(**({"lastProvenTime": format_time(NOW - timedelta(seconds=47))} | status))
    obj["metadata"]["name"] = name
    obj["spec"] |= spec or {}
    return read_issuer(obj)


def finding(reason: str, severity: str) -> dict[str, Any]:
    return {"reason": reason, "severity": severity, "message": "It is so.", "sinceTime": ago(timedelta(hours=1))}


BROKEN = one(
    "broken",
    conditions=[condition("Ready", "False", "AccessBlocked")],
    findings=[finding("AccessBlocked", "Critical"), finding("PrePublishShort", "Warning")],
)
UNKNOWN = one("unknown", conditions=[condition("Ready", "Unknown", "WaitingForOperator")], lastProvenTime=None)
STALE = one("stale", lastProvenTime=format_time(NOW - timedelta(days=2)))
WARNED = one("warned", findings=[finding("CertificateExpiring", "Warning"), finding("EndpointGone", "Info")])
GOOD = one("good")


def overview() -> Overview:
    return overview_of([GOOD, WARNED, STALE, UNKNOWN, BROKEN], [unreadable_line("odd", "SpecUnsupported", "no")], NOW)


def shown(columns: int | None) -> list[str]:
    stream = io.StringIO()
    console = console_for(stream)
    if columns is not None:
        console.width = columns
    print_overview(overview(), console, NOW)
    return stream.getvalue().splitlines()


def test_the_worst_stands_first() -> None:
    """False, then Unknown, then what says True and is not proven, then warnings, then what is well."""
    assert [line.name for line in overview().issuers] == ["broken", "odd", "unknown", "stale", "warned", "good"]
    assert not overview().proven
    assert overview_of([GOOD, WARNED], [], NOW).proven


def test_a_pipe_has_a_line_for_each() -> None:
    """With aligned columns, whatever its width; nothing is cut."""
    lines = shown(None)
    assert lines[0].split() == ["NAME", "READY", "REASON", "WARNINGS", "KEYS", "PROVEN", "ISSUER"]
    assert len(lines) == 7
    assert lines[1].split() == ["broken", "False", "AccessBlocked", "+1", "3", "47s", "ago", BROKEN.spec.issuer_url]
    assert lines[5].split()[:4] == ["warned", "True", "Proven", "CertificateExpiring"]


def test_a_proof_that_is_too_old_is_no_true() -> None:
    """The condition says True as long as nobody writes it; the line says what is wrong."""
    line = next(line for line in shown(None) if line.startswith("stale"))
    assert "True (old)" in line
    assert "too old for an operator that runs" in line


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    """Name and status stay readable in a narrow one; the URL goes."""
    lines = shown(columns)
    assert max(map(len, lines)) <= columns
    assert next(line for line in lines if line.startswith("broken")).split()[:2] == ["broken", "False"]
