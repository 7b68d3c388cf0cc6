"""What the operator knows beside what is seen, and what is printed when a look differs from the one before."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.verify.assemble import assembled
from oidc_publisher.cli.verify.load import _Stranger, judged
from oidc_publisher.cli.verify.operatorside import operator_part
from oidc_publisher.cli.verify.repeating import differences
from oidc_publisher.cli.verify.verification import Verification
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.probe import Judgement, Look
from oidc_publisher.relyingparties import ServedIssuer
from tests.support.builders import issuer_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://oidc.example.com"


def judgement(*findings: Finding, kids: tuple[str, ...] = ("a",)) -> Judgement:
    keys = tuple({"kid": kid, "kty": "RSA"} for kid in kids)
    served = ServedIssuer(URL, {}, keys, jwks_size_bytes=100)
    return Judgement(findings, "" if findings else "Anybody can read both.", URL, f"{URL}/openid/v1/jwks", None, served)


def seen(*findings: Finding) -> Verification:
    return assembled(URL, Look((), NOW), judgement(*findings), (), ())


SLOW = Finding.of(Reason.TooSlow, "It is slow", subject=URL)


def test_where_operator_and_world_differ_a_line_says_so() -> None:
    """The operator's view may be another network's, or older."""
    status = {
        "conditions": [
            {
                "type": "Served",
                "status": "True",
                "reason": "Succeeded",
                "message": "Anybody can read both.",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
        "keys": [
            {"keyID": "a", "state": "Signing", "publishedTime": "2026-01-01T00:00:00Z"},
            {"keyID": "b", "state": "Served", "publishedTime": "2026-01-01T00:00:00Z"},
            {"keyID": "c", "state": "Pending"},
        ],
    }
    part = operator_part(issuer_of(status=status), judgement(SLOW, kids=("a", "z")), NOW)
    results = {line.what: line.result for line in part.lines}
    assert results == {
        "Served": CheckResult.WARNING,
        "last proven": CheckResult.YES,
        "TooSlow": CheckResult.WARNING,
        "key a": CheckResult.YES,
        "key b": CheckResult.WARNING,
        "key c": CheckResult.YES,
        "other keys": CheckResult.WARNING,
    }


def test_what_both_know_is_no_difference() -> None:
    """A finding that the operator reports as well is not repeated."""
    status = {"findings": [{"reason": "TooSlow", "severity": "Critical", "message": "It is slow."}]}
    part = operator_part(issuer_of(status=status), judgement(SLOW), NOW)
    assert "TooSlow" not in {line.what for line in part.lines}


def test_only_changes_are_told() -> None:
    """The first look in full, then what came and what went."""
    good, bad = seen(), seen(SLOW)
    assert next(one.what for one in differences(None, good)) == good.sentence
    assert list(differences(good, replace(good, time=datetime(2026, 1, 2, tzinfo=UTC)))) == []
    assert "TooSlow: It is slow." in [one.what for one in differences(good, bad)]
    assert "no longer: TooSlow: It is slow." in [one.what for one in differences(bad, good)]


def test_a_burst_is_judged_by_its_failures() -> None:
    """One that is too slow is a failure as well, and no throttling."""
    part = judged((_Stranger(10), _Stranger(30), _Stranger(5000, "TooSlow")))
    assert (part.served, part.median_ms, part.slowest_ms, part.others) == (2, 20, 30, {"TooSlow": 1})
    assert part.result is CheckResult.NO
    assert "throttles" not in part.found
    assert json.dumps(dict(part.others))
