"""Ready and Rotating of SigningKeyRing: what they say, and that signers never write against each other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from oidc_publisher.findings import Finding, Reason
from oidc_publisher.signer.kube import KubeApi, KubeRequestError, RingReporter, report_of, trouble_of
from oidc_publisher.signer.kube.kubeapi import KubeAnswer
from oidc_publisher.signer.kube.ringconditions import entries_of
from oidc_publisher.signer.ring import Choice, KeyView, Ring, RingIntent, RingObject, Sight, choose
from tests.support.rings import NOW, issuer, ring_key, ring_of, sight

MINUTE = timedelta(minutes=1)
SETTLED = ring_of(ring_key(2, signed=NOW), ring_key(1, signed=NOW, verify_only=NOW))
UNREADABLE = Finding.of(Reason.RingUnreadable, "The Secret was answered with 403")


def entry(node: str, *findings: str, version: str = "2", seen: datetime = NOW) -> dict[str, Any]:
    """What the status has of a signer."""
    return {
        "node": node,
        "version": version,
        "findings": list(findings),
        "lastSeenTime": f"{seen:%Y-%m-%dT%H:%M:%SZ}",
    }


def seen_by_a(*entries: dict[str, Any], conditions: tuple[dict[str, Any], ...] = (), **members: Any) -> Sight:
    """What the signer on node a sees that signs with version 2."""
    status = {"signers": list(entries), "conditions": list(conditions)}
    signs = members.pop("signs", 2)
    return sight(issuer(2, 1, signing=(2,)), signs=signs, seen=RingObject(7, status), **members)


def conditions(ring: Ring, seen: Sight, *findings: Finding) -> dict[str, dict[str, Any]]:
    """The conditions that the signer on node a applies."""
    choice = choose(ring, seen)
    choice = replace(choice, findings=(*choice.findings, *findings))
    report = report_of(choice, seen, node="a", api_server="h:1", period=None)
    return {each["type"]: each for each in report["conditions"]}


def test_every_signer_reads_the_ring_and_signs() -> None:
    """Then Ready is True, nothing rotates, and both say of which generation."""
    found = conditions(SETTLED, seen_by_a(entry("b")))
    assert (found["Ready"]["status"], found["Ready"]["reason"]) == ("True", "Succeeded")
    assert found["Ready"]["message"] == "Every signer reads the ring, and signs: a, b."
    assert (found["Rotating"]["status"], found["Rotating"]["reason"]) == ("False", "Succeeded")
    assert found["Rotating"]["message"] == "Every signer signs with version 2, the newest."
    assert {each["observedGeneration"] for each in found.values()} == {7}


def test_the_trouble_of_one_signer_is_that_of_the_ring() -> None:
    """The signer that has it says what it is; the others know only the word, and name the node."""
    found = conditions(SETTLED, seen_by_a(entry("b", "RingUnreadable")))["Ready"]
    assert (found["status"], found["reason"]) == ("False", "RingUnreadable")
    assert found["message"].startswith("Signer b: A signer cannot read the ring of signing keys;")
    assert found["message"].endswith("Runbook: oidc-publisher explain RingUnreadable")
    own = conditions(SETTLED, seen_by_a(entry("b")), UNREADABLE)["Ready"]
    assert own["message"].startswith("Signer a: The Secret was answered with 403.")


def test_the_sentence_of_the_signer_that_has_the_trouble_stays() -> None:
    """Another one would replace it each minute by one that says less."""
    there = {"type": "Ready", "status": "False", "reason": "RingUnreadable", "message": "Signer b: The disk is full."}
    found = conditions(SETTLED, seen_by_a(entry("b", "RingUnreadable"), conditions=(there,)))["Ready"]
    assert found["message"] == "Signer b: The disk is full."
    of_another = there | {"message": "Signer c: The disk is full."}
    found = conditions(SETTLED, seen_by_a(entry("b", "RingUnreadable"), conditions=(of_another,)))["Ready"]
    assert found["message"].startswith("Signer b: A signer cannot read")


def test_the_worst_trouble_is_told() -> None:
    """And of a word that this version does not know it says that."""
    found = conditions(SETTLED, seen_by_a(entry("b", "RingUnreadable"), entry("c", "RingReplaced")))["Ready"]
    assert found["reason"] == "RingReplaced"
    found = conditions(SETTLED, seen_by_a(entry("b", "OfTheFuture")))["Ready"]
    assert (found["status"], found["reason"]) == ("False", "OfTheFuture")
    assert found["message"] == "Signer b: It reports OfTheFuture, which this version does not know."


def test_a_conflict_is_told_and_moves_nothing() -> None:
    """Both keys verify, and nobody has to do anything."""
    conflict = Finding.of(Reason.VersionConflict, "Version 2 was two keys")
    found = conditions(SETTLED, seen_by_a(entry("b", "VersionConflict")), conflict)
    assert (found["Ready"]["status"], found["Rotating"]["status"]) == ("True", "False")


@pytest.mark.parametrize(("ago", "status"), [(5 * MINUTE, "True"), (6 * MINUTE, "False")])
def test_a_signer_that_is_silent_is_named(ago: timedelta, status: str) -> None:
    """It reports each minute; nobody knows whether it signs."""
    found = conditions(SETTLED, seen_by_a(entry("b", seen=NOW - ago)))["Ready"]
    assert found["status"] == status
    if status == "False":
        assert found["reason"] == "SignerSilent"
        assert found["message"].startswith("No report comes from the signer on b (last at 2025-12-31T23:54:00Z).")


def test_a_time_is_that_of_the_last_change_of_a_status() -> None:
    """A new reason leaves it, and so does another signer that writes the same."""
    former = {"type": "Ready", "status": "False", "reason": "Other", "lastTransitionTime": "2020-01-01T00:00:00Z"}
    found = conditions(SETTLED, seen_by_a(entry("b", "RingUnreadable"), conditions=(former,)))["Ready"]
    assert found["lastTransitionTime"] == "2020-01-01T00:00:00Z"
    found = conditions(SETTLED, seen_by_a(entry("b"), conditions=(former,)))["Ready"]
    assert found["lastTransitionTime"] == "2026-01-01T00:00:00Z"


def test_a_version_that_waits_rotates() -> None:
    """With what it waits for, in words."""
    ring = ring_of(ring_key(3), ring_key(2, signed=NOW))
    found = conditions(ring, seen_by_a())["Rotating"]
    assert (found["status"], found["reason"]) == ("True", "Progressing")
    assert found["message"] == "Waiting for version 3: OIDCIssuer prod has not seen it yet."


def test_a_version_rotates_until_every_signer_that_reports_signs_with_it() -> None:
    """Who is silent is not waited for: Ready names it."""
    ring = ring_of(ring_key(2, signed=NOW), ring_key(1, signed=NOW))
    found = conditions(ring, seen_by_a(entry("b", version="1"), entry("c", version="1", seen=NOW - 6 * MINUTE)))
    assert found["Rotating"]["message"] == "Version 2 begins to sign; b has not changed to it yet."
    assert found["Rotating"]["status"] == "True"
    assert conditions(ring, seen_by_a(entry("b")))["Rotating"]["status"] == "False"


def test_a_version_that_is_asked_for_and_not_made_says_why() -> None:
    """It is no version on its way, but somebody waits for one."""
    found = conditions(SETTLED, seen_by_a(intent=RingIntent(newest_version=99)))["Rotating"]
    assert (found["status"], found["reason"]) == ("True", "ManagedRotationBlocked")
    assert "newestVersion asks for 99" in found["message"]


def test_signers_whose_jitters_differ_say_the_same() -> None:
    """One is due days before the other; what keeps the version from being made keeps it from both."""
    due = seen_by_a(intent=RingIntent(rotation_period=timedelta(minutes=58)))
    due = replace(due, issuers=(replace(due.issuers[0], keys=(*due.issuers[0].keys, KeyView("foreign"))),))
    said = [conditions(SETTLED, replace(due, jitter=jitter)) for jitter in (0.0, 1.0)]
    assert said[0] == said[1]
    assert (said[0]["Rotating"]["reason"], said[0]["Ready"]["reason"]) == ("RingBehind", "RingBehind")
    assert choose(SETTLED, replace(seen_by_a(intent=due.intent), jitter=1.0)).make is None, "this one is not due"


def test_a_suspended_ring_does_not_rotate() -> None:
    """Whatever waits."""
    ring = ring_of(ring_key(3), ring_key(2, signed=NOW))
    found = conditions(ring, seen_by_a(intent=RingIntent(suspend=True)))["Rotating"]
    assert (found["status"], found["reason"]) == ("False", "Suspended")


def test_who_cannot_read_the_ring_keeps_what_is_known_of_it() -> None:
    """What no signer applies any more would vanish, as after a wrong wrapping key on all nodes."""
    there = {"versions": [{"version": "2"}], "highest": "2", "waitingFor": "x", "nextRotationTime": "t"}
    rotating = {"type": "Rotating", "status": "True", "reason": "Progressing", "message": "Waiting."}
    seen = sight(signs=2, seen=RingObject(7, there | {"signers": [entry("b")], "conditions": [rotating]}))
    report = trouble_of(UNREADABLE, choose(SETTLED, seen), seen, node="a", api_server="h:1")
    assert report.items() >= there.items()
    assert [(c["type"], c["status"]) for c in report["conditions"]] == [("Ready", "False"), ("Rotating", "True")]
    assert [each["node"] for each in report["signers"]] == ["a"]
    alone = trouble_of(UNREADABLE, None, seen, node="a", api_server="h:1")["signers"][0]
    assert (alone.get("version"), alone.get("serial"), alone["findings"]) == (None, None, ["RingUnreadable"])


@pytest.mark.parametrize("status", [{}, {"signers": 5}, {"signers": ["x", {}], "conditions": [3]}, {"conditions": {}}])
def test_a_malformed_status_decides_nothing(status: dict[str, Any]) -> None:
    """Nobody but signers writes it, and nothing here may end a look."""
    seen = sight(issuer(2, signing=(2,)), signs=2, seen=RingObject(1, status))
    assert [found["type"] for found in conditions(SETTLED, seen).values()] == ["Ready", "Rotating"]
    assert all(each.seen is None for each in entries_of(status))


@dataclass(slots=True)
class Status:
    """A status by server-side apply: each manager's last configuration, and the values in force."""

    applied: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    writes: int = 0
    refusing: bool = False

    def send(self, method: str, path: str, body: Any, content_type: str = "") -> KubeAnswer:
        """Take what a manager applies; what nobody applies any more goes."""
        assert (method, content_type) == ("PATCH", "application/apply-patch+yaml")
        if self.refusing:
            raise KubeRequestError("refused", 500)
        manager = path.partition("fieldManager=oidc-publisher-signer-")[2].partition("&")[0]
        self.applied[manager] = body["status"]
        self.writes += 1
        signers = [each for status in self.applied.values() for each in status.get("signers", ())]
        shared = [name for status in self.applied.values() for name in status if name != "signers"]
        kept = {name: value for name, value in {**self.values, **body["status"]}.items() if name in shared}
        self.values = {**kept, "signers": signers}
        return KubeAnswer({}, NOW)

    def reporter(self, node: str) -> RingReporter:
        """The reporter of a node."""
        return RingReporter(cast("KubeApi", self), node=node, api_server=f"{node}:6443")

    def sight(self, now: datetime = NOW, **members: Any) -> Sight:
        """What a signer sees now."""
        return sight(
            issuer(2, 1, signing=(2,), proven=now), signs=2, now=now, seen=RingObject(1, self.values), **members
        )

    def ready(self) -> tuple[str, str]:
        """Status and message of Ready."""
        found = next(each for each in self.values["conditions"] if each["type"] == "Ready")
        return found["status"], found["message"]


def test_two_signers_come_to_rest() -> None:
    """Also while one of them is in trouble: after a few looks nobody writes, and both mean the same."""
    status = Status()
    a, b = status.reporter("a"), status.reporter("b")
    for trouble in (False, True, False):
        for _ in range(4):
            before = status.writes
            seen = status.sight()
            a.report(choose(SETTLED, seen), seen)
            seen = status.sight()
            if trouble:
                b.report_trouble(UNREADABLE, choose(SETTLED, seen), seen)
            else:
                b.report(choose(SETTLED, seen), seen)
        assert status.writes == before, "the last round wrote nothing"
        if trouble:
            assert status.ready()[0] == "False"
            assert status.ready()[1].startswith("Signer b: The Secret was answered with 403.")
        else:
            assert status.ready() == ("True", "Every signer reads the ring, and signs: a, b.")


def test_the_entry_of_a_node_that_is_gone_goes_after_a_day() -> None:
    """Nobody else may be made to wait for a machine that was taken away, and no yes is given for it."""
    status = Status()
    seen = status.sight()
    status.reporter("gone").report(choose(SETTLED, seen), seen)
    a = status.reporter("a")
    for after, nodes in ((timedelta(hours=24), ["gone", "a"]), (timedelta(hours=24, minutes=1), ["a"])):
        for _ in range(2):
            seen = status.sight(NOW + after)
            a.report(choose(SETTLED, seen), seen)
        assert [each["node"] for each in status.values["signers"]] == nodes
    assert status.ready() == ("True", "Every signer reads the ring, and signs: a.")


def test_what_could_not_be_written_is_written_by_the_next_look(caplog: pytest.LogCaptureFixture) -> None:
    """The refusal is said once; and what did not change is not written."""
    status = Status(refusing=True)
    a, seen = status.reporter("a"), status.sight()
    for _ in range(3):
        a.report(choose(SETTLED, seen), seen)
    assert caplog.text.count("The status of SigningKeyRing was not written: refused") == 1
    status.refusing = False
    for _ in range(3):
        a.report(choose(SETTLED, seen), seen)
    assert status.writes == 1


def test_a_conflict_is_shown_for_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    """It is over with the look that settles it, and a look takes a second."""
    status = Status()
    a = status.reporter("a")
    conflict = Finding.of(Reason.VersionConflict, "Version 2 was two keys")

    def look(after: timedelta, *findings: Finding) -> list[str]:
        seen = status.sight(NOW + after)
        a.report(replace(choose(SETTLED, seen), findings=findings), seen)
        return cast("list[str]", status.values["signers"][0]["findings"])

    assert look(timedelta(), conflict) == ["VersionConflict"]
    assert look(timedelta(minutes=59)) == ["VersionConflict"]
    assert look(timedelta(hours=1)) == []
    assert caplog.text.count("Version 2 was two keys") == 1


def test_a_ring_without_a_private_key_is_not_ready() -> None:
    """It is read, and nobody signs."""
    status = Status()
    lost = ring_of(replace(ring_key(2, signed=NOW), private=None))
    seen = status.sight()
    choice: Choice = choose(lost, seen)
    assert choice.sign is None
    status.reporter("a").report(choice, seen)
    assert status.ready()[0] == "False"
    assert "The ring holds no private key that this signer may sign with." in status.ready()[1]


def test_nothing_is_written_where_there_is_no_object() -> None:
    """A cluster may have signers before it has a SigningKeyRing."""
    status = Status()
    seen = status.sight(intent=None)
    status.reporter("a").report(choose(SETTLED, seen), seen)
    status.reporter("a").report_trouble(UNREADABLE, None, seen)
    assert status.writes == 0
