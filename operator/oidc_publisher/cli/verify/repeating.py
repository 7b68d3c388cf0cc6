"""Compare one verification with the one before, so that only changes are printed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.verify.operatorside import PROVEN
from oidc_publisher.cli.verify.verification import Verification

#: How long to wait between two looks. A host is asked no more often than by an operator with a short interval.
EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Novelty:
    """One novelty: the result that it means, and what is so now."""

    result: CheckResult
    what: str


def differences(before: Verification | None, now: Verification) -> Iterator[Novelty]:
    """Yield what differs from the verification before; for the first one, its sentence and what is wrong."""
    if before is None or (before.sentence, before.result) != (now.sentence, now.result):
        yield Novelty(now.result, now.sentence)
    former, present = _said(before), _said(now)
    for key, (result, what) in present.items():
        if former.get(key) != (result, what):
            yield Novelty(result, what)
    for key, (_, what) in former.items():
        if key not in present:
            yield Novelty(CheckResult.YES, f"no longer: {what}")


def _said(one: Verification | None) -> dict[str, tuple[CheckResult, str]]:
    """Return what may change by a name; times and sizes are not among it, because they always differ."""
    if one is None:
        return {}
    severities = {"Critical": CheckResult.NO, "Warning": CheckResult.WARNING}
    said = {
        f"{finding.reason} {finding.subject} {finding.message}": (
            severities.get(finding.severity, CheckResult.YES),
            f"{finding.reason}: {finding.message}",
        )
        for finding in one.findings
    }
    said["keys"] = (CheckResult.YES, f"keys served: {', '.join(key.key_id for key in one.keys) or 'none'}")
    addresses = [line.address for host in one.hosts for line in host.addresses]
    said["addresses"] = (CheckResult.YES, f"addresses: {', '.join(sorted(addresses)) or 'none'}")
    for check in one.token.checks if one.token else ():
        if check.result is not CheckResult.YES:
            said[f"token {check.check}"] = (check.result, f"token: {check.check}: not so")
    for line in one.operator.lines if one.operator else ():
        if line.what != PROVEN:
            beside = f"; from here: {line.world}" if line.world else ""
            said[f"operator {line.what}"] = (line.result, f"operator: {line.what}: {line.operator}{beside}")
    return said
