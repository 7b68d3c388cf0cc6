"""status.findings as it is written, beside what a version without advice has written there."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oidc_publisher.api import OIDCIssuerStatus, StatusFinding
from oidc_publisher.findings import CATALOGUE, Reason
from tests.support.memorypass import MemoryPass, memory_pass
from tests.support.signingkeys import signing_key

if TYPE_CHECKING:
    from tests.support.pki import PKI

EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"


async def at_rest(world: MemoryPass) -> None:
    """Passes until nothing is written any more: one entry is nonsense, one a private key, the pre-publish period short."""
    world.write_keys([signing_key().public_pem])
    (world.folder / "bad.pub").write_text("nonsense")
    (world.folder / "worse.pub").write_bytes(signing_key("P-256", "b").private_pem)
    for _ in range(3):
        await world.run()
    written = len(world.api.patches)
    await world.run()
    assert len(world.api.patches) == written


def events(world: MemoryPass) -> list[tuple[str, str]]:
    """Reason and note of every event that was posted."""
    return [(seen.body["reason"], seen.body["note"]) for seen in world.stub.seen if seen.path == EVENTS]


def glued(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The findings as the version before `advice` wrote them."""
    return [
        {name: member for name, member in finding.items() if name != "advice"}
        | {"message": f"{finding['message']} {finding['advice']}"}
        for finding in findings
    ]


async def test_message_and_advice_are_members_of_their_own(pki: PKI, tmp_path: Path) -> None:
    """What to do is said once."""
    async with memory_pass(pki, tmp_path, rotation={"prePublishPeriod": "1m"}) as world:
        await at_rest(world)
        findings = {finding["reason"]: finding for finding in world.api.raw["status"]["findings"]}
    assert set(findings) >= {"EntryUnreadable", "PrivateKeyInEntry", "PrePublishShort"}
    for reason, finding in findings.items():
        assert finding["advice"]
        assert finding["advice"] not in finding["message"]
        assert reason != "PrePublishShort" or finding["advice"] == CATALOGUE[Reason.PrePublishShort].hint


async def test_conditions_and_their_events_have_one_text_for_both(pki: PKI, tmp_path: Path) -> None:
    """A row of `kubectl get` and an event are all that some people see."""
    async with memory_pass(pki, tmp_path, rotation={"prePublishPeriod": "1m"}) as world:
        await at_rest(world)
        status, told = world.api.raw["status"], events(world)
    worst = next(f for f in status["findings"] if f["reason"] == "PrivateKeyInEntry")
    sentence = f"{worst['message']} {worst['advice']} Runbook: oidc-publisher explain PrivateKeyInEntry"
    saying = {c["type"] for c in status["conditions"] if c["message"] == sentence}
    assert saying == {"Ready", "KeysRead", "Stalled"}
    assert ("PrivateKeyInEntry", sentence) in told


async def test_what_a_former_version_wrote_costs_one_change_of_the_findings(pki: PKI, tmp_path: Path) -> None:
    """They are the same findings: no condition moves, no time, no event; afterwards it rests."""
    async with memory_pass(pki, tmp_path, rotation={"prePublishPeriod": "1m"}) as world:
        await at_rest(world)
        after = deepcopy(world.api.raw["status"])
        world.api.raw["status"]["findings"] = glued(after["findings"])
        written, told = len(world.api.patches), events(world)
        await world.run()
        await world.run()
        assert world.api.patches[written:] == [{"findings": after["findings"]}]
        assert events(world) == told


@pytest.mark.parametrize("advice", [None, "Do it."])
def test_a_finding_may_lack_its_advice(advice: str | None) -> None:
    """The member is optional: it is new, and names only grow."""
    finding = StatusFinding(reason="Redirected", severity="Critical", message="It redirects.", advice=advice)
    said = finding.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert OIDCIssuerStatus.model_validate({"findings": [said]}).findings == (finding,)
