"""What people are told once, in the log and as an event, and that nothing depends on whether it was heard."""

from __future__ import annotations

from typing import Any

from structlog.testing import capture_logs

from oidc_publisher.api import OIDCIssuerStatus, StatusCondition
from oidc_publisher.cluster.memory import MemoryCluster
from oidc_publisher.errors import ClusterError
from oidc_publisher.findings import CATALOGUE, Finding, Reason
from oidc_publisher.reconcile.status.eventrecorder import EventRecorder
from tests.support.builders import NOW, issuer_of

ISSUER = issuer_of(metadata={"uid": "u-1"})
SAFE = Finding.of(Reason.KeySafe, "Key a is safe to sign with", subject="a")


class Still:
    """A clock that shows NOW."""

    def now(self) -> Any:
        """NOW."""
        return NOW

    def monotonic(self) -> float:
        """No time passes."""
        return 0.0


def recorder_at(cluster: MemoryCluster) -> EventRecorder:
    return EventRecorder(cluster, Still())


def condition(kind: str, status: str, reason: str, message: str) -> StatusCondition:
    return StatusCondition.model_validate(
        {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": NOW}
    )


BROKEN = OIDCIssuerStatus(
    conditions=(
        condition("Ready", "False", "AccessDenied", "The store refuses us."),
        condition("Published", "False", "AccessDenied", "The store refuses us."),
        condition("Served", "True", "Proven", "Both documents are served."),
    )
)


async def test_what_has_happened_is_an_event_about_the_object() -> None:
    """Of an Info finding a Normal one, of any other a Warning."""
    cluster = MemoryCluster()
    recorder = recorder_at(cluster)
    await recorder.happened(ISSUER, SAFE)
    await recorder.happened(ISSUER, Finding.of(Reason.OwnershipLost, "It belongs to somebody else"))
    assert [(event["type"], event["reason"]) for event in cluster.events] == [
        ("Normal", "KeySafe"),
        ("Warning", "OwnershipLost"),
    ]
    assert cluster.events[0]["note"] == SAFE.sentence
    assert cluster.events[0]["regarding"]["uid"] == "u-1"


async def test_an_event_has_one_text_and_a_line_of_the_log_two() -> None:
    """Whoever looks at events alone learns what to do; whoever searches a log finds the same sentence each time."""
    cluster = MemoryCluster()
    with capture_logs() as told:
        await recorder_at(cluster).happened(ISSUER, SAFE)
    advice = CATALOGUE[Reason.KeySafe].hint
    assert cluster.events[0]["note"] == f"Key a is safe to sign with. {advice}"
    assert [(line["event"], line["subject"], line["advice"]) for line in told] == [
        ("Key a is safe to sign with.", "a", advice)
    ]


async def test_a_condition_is_told_when_it_changes_and_ready_alone_is_an_event() -> None:
    """Ready repeats the sentence of its cause, which is enough once; what is as it was says nothing."""
    cluster = MemoryCluster()
    with capture_logs() as told:
        await recorder_at(cluster).changed(ISSUER, BROKEN)
    assert [(line["log_level"], line["condition"]) for line in told] == [("warning", "Ready"), ("info", "Served")]
    assert [(event["type"], event["reason"]) for event in cluster.events] == [("Warning", "AccessDenied")]
    with capture_logs() as told:
        await recorder_at(cluster).changed(ISSUER.model_copy(update={"status": BROKEN}), BROKEN)
    assert told == []
    assert len(cluster.events) == 1


async def test_events_that_nobody_takes_are_a_warning_once() -> None:
    """The right to write them may be missing for good; after one that was taken the next refusal is a warning again."""
    answers = iter((False, False, True, False))

    def before(method: str, path: str) -> None:
        if not next(answers):
            raise ClusterError(Reason.APIServerUnreachable, f"{method} {path} was refused")

    recorder = recorder_at(MemoryCluster(before=before))
    levels = []
    for _ in range(4):
        with capture_logs() as told:
            await recorder.happened(ISSUER, SAFE)
        levels.append([line["log_level"] for line in told if line["event"] == "The event was not recorded."])
    assert levels == [["warning"], ["debug"], [], ["warning"]]
