"""What a status says to somebody who waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oidc_publisher.api import RECONCILE_REQUESTED_AT
from oidc_publisher.cli.wait.verdict import Request, VerdictKind, fresh_for, judge_key, judge_ready
from tests.support.statuses import GONE, HOUR, MINUTE, NEW, NOW, OLD, SECOND, Object, ago, condition, issuer, key


def departed(since: timedelta) -> Object:
    """The ledger when the second API server has been missing for so long."""
    return {
        "endpoints": [
            {"address": "10.0.0.1:6443", "keyID": OLD},
            {"address": "10.0.0.2:6443", "keyID": OLD, "goneSinceTime": ago(since)},
        ]
    }


#: name: (key, changes of the status, answer, what the sentence says)
KEYS: dict[str, tuple[str, dict[str, Any], VerdictKind, str]] = {
    "safe": (OLD, {}, VerdictKind.YES, "is safe to sign with since"),
    "served, not safe yet": (NEW, {}, VerdictKind.NOT_YET, "is safe to sign with from 2026-02-02T09:00:47Z (in 21h)"),
    "its time has come, the proof has not": (
        NEW,
        {"keys": [key(NEW, "Served", safeToSignTime=ago(MINUTE))]},
        VerdictKind.NOT_YET,
        "has to be seen at the public URL once more",
    ),
    "published, not served": (NEW, {"keys": [key(NEW, "Published", servedSinceTime=None)]}, VerdictKind.NOT_YET, "public URL"),
    "waits for room": (
        NEW,
        {
            "keys": [key(NEW, "Pending", publishedTime=None, servedSinceTime=None)],
            "findings": [
                {"reason": "TooManyKeys", "severity": "Critical", "message": "100 RSA keys.", "advice": "Retire some."}
            ],
        },
        VerdictKind.NOT_YET,
        "not published yet. TooManyKeys: 100 RSA keys. Retire some.",
    ),
    "retiring": (GONE, {}, VerdictKind.NO, "is Retiring"),
    "retiring although it was safe": (
        OLD,
        {"keys": [key(OLD, "Retiring", safeSinceTime=ago(HOUR), unusedSinceTime=ago(HOUR))]},
        VerdictKind.NO,
        "is Retiring",
    ),
    "leaving": (OLD, {"keys": [key(OLD, "Leaving", safeSinceTime=ago(HOUR), leaving=True)]}, VerdictKind.NO, "is Leaving"),
    "safe, but nobody lists it": (
        OLD,
        {"keys": [key(OLD, "SafeToSign", safeSinceTime=ago(HOUR), origins=[])]},
        VerdictKind.YES,
        "But no source lists it",
    ),
    "known to every cache, and an API server lacks it": (
        NEW,
        {"keys": [key(NEW, "Served", safeToSignTime=ago(HOUR), knownToCaches=True, unlistedBy=["10.0.0.2:6443"])]},
        VerdictKind.NOT_YET,
        "is known to every cache. But API server 10.0.0.2:6443 does not list it, and would refuse its tokens",
    ),
    "its time has not come, and an API server lacks it": (
        NEW,
        {"keys": [key(NEW, "Served", safeToSignTime=ago(-HOUR), unlistedBy=["10.0.0.2:6443"])]},
        VerdictKind.NOT_YET,
        "(in 1h). But API server 10.0.0.2:6443 does not list it",
    ),
    "safe by a status that somebody wrote, and an API server lacks it": (
        OLD,
        {"keys": [key(OLD, "SafeToSign", safeSinceTime=ago(HOUR), knownToCaches=True, unlistedBy=["10.0.0.2:6443"])]},
        VerdictKind.NOT_YET,
        "10.0.0.2:6443 does not list it",
    ),
    "safe by an earlier version's status, and an API server lacks it": (
        OLD,
        {"keys": [key(OLD, "SafeToSign", safeSinceTime=ago(HOUR), unlistedBy=["10.0.0.2:6443"])]},
        VerdictKind.NOT_YET,
        "10.0.0.2:6443 does not list it",
    ),
    "unknown": ("other", {}, VerdictKind.NO, f"No source lists key other: add it to the key files of the API servers. Known are {NEW}"),
    "unknown while an API server restarts": (
        "other",
        {"ledger": departed(MINUTE)},
        VerdictKind.NOT_YET,
        "until it is back, and at 2026-02-01T12:01:47Z it counts as gone. By the others no source lists key other.",
    ),
    "retiring while an API server restarts": (GONE, {"ledger": departed(MINUTE)}, VerdictKind.NOT_YET, "10.0.0.2:6443 has just left"),
    "safe by the API servers that are left": (OLD, {"ledger": departed(MINUTE)}, VerdictKind.NOT_YET, "10.0.0.2:6443 has just left"),
    "safe, and an API server does not answer": (
        OLD,
        {"conditions": [condition("KeysRead", "Unknown", "APIServerUnreachable", "b is away."), condition("SafeToSign", "True", "Succeeded")]},
        VerdictKind.NOT_YET,
        "could be read. APIServerUnreachable: b is away. By the others key oldKeyIDabcdefghijklmnop is Signing.",
    ),
    "retiring, and an API server does not answer": (
        GONE,
        {"conditions": [condition("KeysRead", "Unknown", "APIServerUnreachable", "b is away."), condition("SafeToSign", "True", "Succeeded")]},
        VerdictKind.NO,
        "is Retiring",
    ),
    "leaving while an API server restarts": (
        OLD,
        {"keys": [key(OLD, "Leaving", leaving=True)], "ledger": departed(MINUTE)},
        VerdictKind.NO,
        "is Leaving",
    ),
    "retiring since an API server is gone": (GONE, {"ledger": departed(2 * MINUTE)}, VerdictKind.NO, "is Retiring"),
    "safe, and an API server is gone": (OLD, {"ledger": departed(2 * MINUTE)}, VerdictKind.YES, "is safe to sign with since"),
    "the beginning of a key ID": (OLD[:8], {}, VerdictKind.NO, f"A key ID is given in full: {OLD}"),
    "unknown while a source cannot be read": (
        "other",
        {"conditions": [condition("KeysRead", "Unknown", "APIServerUnreachable", "b is away."), condition("SafeToSign", "True", "Succeeded")]},
        VerdictKind.NOT_YET,
        "not all of them could be read. APIServerUnreachable: b is away.",
    ),
    "the clock is not trusted: a safe key stays safe": (
        OLD,
        {"conditions": [condition("SafeToSign", "Unknown", "ClockUntrusted")]},
        VerdictKind.YES,
        "is safe to sign with since",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("key_id", "status", "answer", "said"), KEYS.values(), ids=KEYS)
def test_a_key_is_judged(key_id: str, status: dict[str, Any], answer: VerdictKind, said: str) -> None:
    """Each state of a key has its answer and its sentence."""
    verdict = judge_key(issuer(**status), key_id, NOW)
    assert verdict.answer is answer
    assert said in verdict.sentence


@pytest.mark.parametrize("key_id", [OLD, GONE, "other"])
def test_while_an_api_server_restarts_the_same_is_said_all_the_time(key_id: str) -> None:
    """`wait` prints each sentence that differs from the last one."""
    restarting = issuer(ledger=departed(SECOND))
    said = {judge_key(restarting, key_id, NOW + seconds * SECOND).sentence for seconds in range(100)}
    assert len(said) == 1


def test_a_forecast_is_told_apart_from_a_permission() -> None:
    """Waiting ends early when the forecast lies behind the timeout."""
    assert judge_key(issuer(), NEW, NOW).not_before == NOW + 21 * HOUR
    assert judge_key(issuer(keys=[key(NEW, "Served", safeToSignTime=ago(MINUTE))]), NEW, NOW).not_before is None


def test_a_withdrawn_key_is_never_safe() -> None:
    """Whatever its times say (R14)."""
    verdict = judge_key(issuer(spec={"rotation": {"withdrawnKeyIDs": [OLD]}}), OLD, NOW)
    assert verdict.answer is VerdictKind.NO
    assert "withdrawn" in verdict.sentence


@pytest.mark.parametrize("reason", ["Progressing", "InternalError"])
def test_a_pass_that_ended_before_its_plan_gives_no_permission(reason: str) -> None:
    """It echoes the request, but its ledger is that of an earlier pass."""
    failed = [condition("Ready", "Unknown", reason, "It failed."), condition("SafeToSign", "Unknown", "Progressing")]
    verdict = judge_key(issuer(conditions=failed), OLD, NOW)
    assert verdict.answer is VerdictKind.NOT_YET
    assert verdict.silent
    assert verdict.sentence == f"The operator could not look at the keys. {reason}: It failed."


def test_a_status_of_another_generation_gives_no_permission() -> None:
    """The spec was changed after the pass had begun: a key may be withdrawn by now."""
    verdict = judge_key(issuer(metadata={"generation": 4}), OLD, NOW)
    assert (verdict.answer, verdict.silent) == (VerdictKind.NOT_YET, True)


def test_suspended_is_no_answer_to_anything() -> None:
    """Neither for a key nor for Ready."""
    suspended = issuer(spec={"suspend": True})
    assert judge_key(suspended, OLD, NOW).answer is VerdictKind.NONE
    assert judge_ready(suspended, NOW).answer is VerdictKind.NONE


def test_ready_is_believed_while_its_proof_is_new() -> None:
    """A resting issuer notes its proof every five minutes; three intervals and the skew are added."""
    assert judge_ready(issuer(), NOW).answer is VerdictKind.YES
    assert judge_ready(issuer(lastProvenTime=ago(13 * MINUTE)), NOW).answer is VerdictKind.YES
    old = judge_ready(issuer(lastProvenTime=ago(14 * MINUTE)), NOW)
    assert (old.answer, old.silent) == (VerdictKind.NOT_YET, True)
    assert "the operator does not look any more" in old.sentence


def test_a_proof_that_lies_ahead_proves_nothing() -> None:
    """The clock of the operator was ahead, or that of this machine is behind: nobody knows how old the proof is."""
    assert judge_ready(issuer(lastProvenTime=ago(-4 * MINUTE)), NOW).answer is VerdictKind.YES
    ahead = judge_ready(issuer(lastProvenTime=ago(-6 * MINUTE)), NOW)
    assert (ahead.answer, ahead.silent) == (VerdictKind.NOT_YET, True)
    assert "a clock is wrong" in ahead.sentence


def test_ready_without_the_time_of_a_proof_is_no_proof() -> None:
    """No operator writes the one without the other; a time that cannot be read is left out."""
    unproven = judge_ready(issuer(lastProvenTime=None), NOW)
    assert (unproven.answer, unproven.silent) == (VerdictKind.NOT_YET, True)


def test_an_object_that_is_being_deleted_is_no_answer_to_anything() -> None:
    """A finalizer holds it; its documents may be gone, and no pass looks at it."""
    deleted = issuer(metadata={"deletionTimestamp": ago(MINUTE)})
    for verdict in (judge_ready(deleted, NOW), judge_key(deleted, OLD, NOW)):
        assert verdict.answer is VerdictKind.NONE
        assert "is being deleted" in verdict.sentence


@pytest.mark.parametrize(
    ("status", "silent", "said"),
    [
        ({"conditions": [condition("Ready", "False", "AccessBlocked", "403.")]}, False, "AccessBlocked. 403."),
        ({"conditions": [condition("Ready", "Unknown", "WaitingForOperator")]}, True, "No operator has looked"),
        ({"conditions": []}, True, "No operator has looked"),
        ({"observedGeneration": 2}, True, "has not seen the latest change"),
    ],
    ids=["False", "waiting", "no conditions", "older generation"],
)
def test_what_is_not_ready_says_why(status: dict[str, Any], silent: bool, said: str) -> None:
    """`silent` where no pass stands behind it: then the end of the time is no "no"."""
    verdict = judge_ready(issuer(**status), NOW)
    assert (verdict.answer, verdict.silent) == (VerdictKind.NOT_YET, silent)
    assert said in verdict.sentence


@pytest.mark.parametrize(
    ("annotation", "handled", "answered"),
    [
        ("ours", None, False),
        ("ours", "before", False),
        ("ours", "standing", False),
        ("ours", "ours", True),
        ("later", "ours", True),
        ("later", "later", True),
        ("later", "standing", False),
        ("before", "before", False),
        ("standing", "standing", False),
        (None, "before", False),
    ],
)
def test_only_a_pass_that_began_after_the_question_answers_it(
    annotation: str | None, handled: str | None, answered: bool
) -> None:
    """Also when somebody else asks after us; not when an older annotation is put back."""
    annotations = {} if annotation is None else {RECONCILE_REQUESTED_AT: annotation}
    status: dict[str, Any] = {} if handled is None else {"lastHandledReconcileAt": handled}
    asked = issuer(metadata={"annotations": annotations}, **status)
    assert Request("ours", handled="before", standing="standing").answered_by(asked) is answered


@pytest.mark.parametrize(("interval", "expected"), [("1s", 15 * SECOND), ("20s", MINUTE), ("24h", 3 * MINUTE)])
def test_fresh_means_three_intervals_within_reason(interval: str, expected: timedelta) -> None:
    """A pass takes seconds however short the interval is, and nobody waits three days for an operator."""
    assert fresh_for(issuer(spec={"interval": interval})) == expected
