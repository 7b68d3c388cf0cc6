"""What people are told once: an event of the object, and a line in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from oidc_publisher.findings import CATALOGUE, Finding, Reason
from oidc_publisher.reconcile.status.eventrecorder import EventRecorder
from oidc_publisher.timing.clock import SystemClock
from tests.support.apistub import client_of, says, serving
from tests.support.statuses import issuer

if TYPE_CHECKING:
    from tests.support.pki import PKI

EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"


async def test_an_event_has_one_text_and_a_line_of_the_log_two(pki: PKI) -> None:
    """Whoever looks at events alone learns what to do; whoever searches a log finds the same sentence each time."""
    safe = Finding.of(Reason.KeySafe, "Key k1 is safe to sign with", subject="k1")
    advice = CATALOGUE[Reason.KeySafe].hint
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("POST", EVENTS, says({}))
        with capture_logs() as lines:
            await EventRecorder(client, SystemClock()).happened(issuer(), safe)
    (posted,) = stub.seen
    assert posted.body["note"] == f"Key k1 is safe to sign with. {advice}"
    assert [(line["event"], line["subject"], line["advice"]) for line in lines] == [
        ("Key k1 is safe to sign with.", "k1", advice)
    ]
