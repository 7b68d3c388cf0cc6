"""What the operator knows of its OIDCIssuer, beside what this machine sees of the issuer now. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from oidc_publisher.api import OIDCIssuer
from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.text.times import both
from oidc_publisher.cli.verify.rulebook import result_of
from oidc_publisher.cli.verify.verification import KnownLine, OperatorPart
from oidc_publisher.findings import CATALOGUE, ConditionType, Finding, Reason, Severity
from oidc_publisher.probe import Judgement
from oidc_publisher.wording import listed

_CONDITIONS = (ConditionType.READY, ConditionType.SERVED)
_MOST = 5
#: What the line of the last proof is about; it changes with every pass.
PROVEN = "last proven"


def operator_part(issuer: OIDCIssuer, judgement: Judgement, now: datetime) -> OperatorPart:
    """Return what the status says beside what was seen."""
    return OperatorPart(issuer.metadata.name, tuple(_lines(issuer, judgement, now)))


def _lines(issuer: OIDCIssuer, judgement: Judgement, now: datetime) -> Iterator[KnownLine]:
    here = result_of(judgement.findings)
    yield from _conditions(issuer, judgement, here)
    proven = issuer.status.last_proven_time
    yield KnownLine(PROVEN, both(proven, now) if proven else "never", "", CheckResult.YES)
    yield from _differing_findings(issuer, judgement)
    yield from _keys(issuer, judgement)


def _conditions(issuer: OIDCIssuer, judgement: Judgement, here: CheckResult) -> Iterator[KnownLine]:
    seen = judgement.achieved or (judgement.findings[0].message if judgement.findings else "nothing was read")
    for condition in issuer.status.conditions:
        if condition.type not in _CONDITIONS:
            continue
        agrees = (condition.status == "True") is (here in (CheckResult.YES, CheckResult.WARNING))
        result = CheckResult.YES if agrees or condition.type == ConditionType.READY else CheckResult.WARNING
        world = seen if condition.type == ConditionType.SERVED else ""
        yield KnownLine(condition.type, f"{condition.status} {condition.reason}", world, result)


def _differing_findings(issuer: OIDCIssuer, judgement: Judgement) -> Iterator[KnownLine]:
    told = {finding.reason for finding in issuer.status.findings if _of_the_world(finding.reason)}
    seen = {finding.reason.value for finding in judgement.findings if _counts(finding)}
    for reason in sorted(told - seen):
        yield KnownLine(reason, "reported", "not seen from here", CheckResult.WARNING)
    for reason in sorted(seen - told):
        yield KnownLine(reason, "not reported", "seen from here", CheckResult.WARNING)


def _of_the_world(reason: str) -> bool:
    return reason in Reason.__members__ and CATALOGUE[Reason(reason)].condition is ConditionType.SERVED


def _counts(finding: Finding) -> bool:
    return finding.severity is not Severity.INFO


def _keys(issuer: OIDCIssuer, judgement: Judgement) -> Iterator[KnownLine]:
    served = {str(key.get("kid")) for key in judgement.served.keys} if judgement.served else None
    for key in issuer.status.keys:
        is_served = served is not None and key.key_id in served
        expected = key.published_time is not None
        world = "not read" if served is None else "served" if is_served else "not served"
        result = CheckResult.NO_ANSWER if served is None else CheckResult.YES
        if served is not None and is_served is not expected:
            result = CheckResult.WARNING
        yield KnownLine(f"key {key.key_id}", key.state or "", world, result)
    strange = sorted((served or set()) - {key.key_id for key in issuer.status.keys})
    if strange:
        yield KnownLine(
            "other keys", "not in the ledger", f"served: {listed(strange, most=_MOST)}", CheckResult.WARNING
        )
