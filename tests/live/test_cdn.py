"""An issuer behind a CDN: copies that are really old, purged late or never, and nobody who reads them is rejected."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.live.places import EVENTS, event, until
from tests.live.rotation_proof.keys import versions
from tests.live.rotation_proof.rotator import entry_of
from tests.live.rotation_proof.scene import Periods, Scene
from tests.support.background import Background
from tests.support.cdn import DELAYS_S, DISTRIBUTION, CDNStage
from tests.support.signingkeys import signing_key
from tests.support.stage import BUCKET, condition, reasons

#: An edge's copy and a client's together are older than max-age: prePublishPeriod covers the client's.
PERIODS = Periods(cache_max_age_s=8, pre_publish_s=9, live_s=12)
LABELS = ("without a right", "killed before", "killed after")
STALE = {"StaleCopy", "AnswersDisagree"}
#: A status is seen a moment after the pass that it tells of.
SEEN_LATE_S = 1.5


class Diary(Background):
    """Looks at an issuer's status all the time, and writes down when which finding was there."""

    def __init__(self, stage: CDNStage) -> None:
        self.last: dict[str, float] = {}
        self.worst: dict[str, str] = {}
        self.not_ready: set[str] = set()
        self._stage = stage
        super().__init__(diary=self._write)

    def _write(self) -> None:
        while not self.stopping.wait(0.1):
            try:
                status = self._stage.get().get("status", {})
            except Exception:  # noqa: BLE001, S112 - an API server is being restarted
                continue
            self._note(status)

    def _note(self, status: dict[str, Any]) -> None:
        for finding in status.get("findings", []):
            self.last[finding["reason"]] = time.time()
            if self.worst.get(finding["reason"]) != "Critical":
                self.worst[finding["reason"]] = finding["severity"]
        if condition(status, "Ready") == "False":
            self.not_ready |= {c["reason"] for c in status["conditions"] if c["type"] == "Ready"}


@pytest.mark.timeout(400)
def test_a_rotation_behind_a_cdn_rejects_no_token(tmp_path: Path) -> None:
    """Old copies are seen in status, delay safeSinceTime for as long as they are served, and cost no token."""
    keys = versions(9, 10, "P-256")
    with Scene(tmp_path, keys, PERIODS, stage=CDNStage, remote=False) as scene:
        stage = scene.stage
        assert isinstance(stage, CDNStage)
        scene.begin()
        taken = len(stage.cloudfront.invalidations)
        with scene.watched() as (watch, minting), Diary(stage) as diary:
            watch.read_sets_now()
            stage.cdn.warm(*stage.viewer_paths)
            scene.rotator.name(keys[1])
            scene.wait_published(keys[1], keys[0])
            time.sleep(DELAYS_S[-1] + 1)
            scene.rotator.announce(keys[1])
            scene.rotator.wait_until_safe(keys[1])
            stale_until, entry = (
                max(diary.last[reason] for reason in STALE),
                entry_of(stage.get()["status"], keys[1].kid),
            )
            scene.rotator.promote(keys[1])
            scene.rotator.drop_the_old()
            scene.wait_published(keys[1])
            time.sleep(PERIODS.cache_max_age_s)
        complaints = scene.complaints(watch, minting)
        scene.say_figures(watch, minting)
        assert not complaints, scene.report(complaints, watch, minting)
        assert set(diary.worst) >= STALE, scene.chronicle.text()
        assert {diary.worst[reason] for reason in STALE} == {"Warning"}, "while changes are on their way"
        assert not diary.not_ready & STALE
        served, safe = (_epoch(entry[name]) for name in ("servedSinceTime", "safeSinceTime"))
        assert served > _epoch(entry["publishedTime"]) + DELAYS_S[0], "the first edge was still stale"
        assert served >= stale_until - SEEN_LATE_S, "somebody could still read the set without the key"
        assert safe >= served + PERIODS.wait_s
        assert len(stage.cloudfront.invalidations) - taken == 2, "one for the key that came, one for the key that left"


@pytest.mark.timeout(300)
def test_who_ignores_the_gate_is_rejected_behind_a_cdn(tmp_path: Path) -> None:
    """The same readers refuse a key that signs while edges lack it: the test above can fail."""
    keys = versions(9, 10, "P-256")
    with Scene(tmp_path, keys, PERIODS, stage=CDNStage, remote=False) as scene:
        assert isinstance(scene.stage, CDNStage)
        scene.begin()
        with scene.watched() as (watch, minting):
            watch.read_sets_now()
            scene.rotator.promote_at_once(keys[1])
            time.sleep(PERIODS.cache_max_age_s)
        assert watch.rejections, scene.figures(watch, minting)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CDNStage]:
    """One API server, a CDN before the bucket, the operator, and one Ready issuer."""
    with CDNStage(tmp_path_factory.mktemp("stage"), servers=1) as running:
        running.apply_crd()
        running.operator.start()
        running.apply(issuer(running))
        running.wait_ready()
        yield running


@pytest.fixture(autouse=True)
def in_order(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the distribution as it was."""
    yield
    if "stage" in request.fixturenames:
        api = request.getfixturevalue("stage").cloudfront
        api.refuse.clear()
        api.arrived, api.origin = None, "localhost"


def issuer(stage: CDNStage, **changes: Any) -> dict[str, Any]:
    """The issuer with an age at which stale copies can be looked at.

    The clock skew is what a change may be older than that when a process starts late and still counts it as new.
    """
    rotation = {"prePublishPeriod": "5s", "maxTokenLifetime": "10s", "clockSkew": "60s"}
    return stage.issuer(interval="1s", cacheMaxAge="6s", rotation=rotation, **changes)


def list_key(stage: CDNStage, label: str) -> str:
    """Let the API server list one more key, which is a change of the key set, when every edge has a new copy.

    The keys before it stay listed: none retires, which would be another change.
    """
    listed = [signing_key("P-256", each) for each in LABELS[: LABELS.index(label) + 1]]
    stage.cdn.warm(*stage.viewer_paths)
    stage.cluster.restart_all(stage.config(stage.key, *listed))
    return listed[-1].kid


def served(kid: str) -> Any:
    """Whether a status says that a key is served."""
    return lambda status: entry_of(status, kid).get("servedSinceTime")


def invalidation_done(stage: CDNStage) -> bool:
    return all(one.done.is_set() for one in stage.cloudfront.invalidations)


def test_the_first_publication_is_invalidated_and_then_nothing(stage: CDNStage) -> None:
    """Both paths as viewers ask for them, without the bucket; at rest CloudFront is not called at all."""
    assert stage.cloudfront.invalidations[0].paths == stage.viewer_paths
    stage.wait(lambda _: invalidation_done(stage), what="it is completed")
    time.sleep(12)  # the last poll comes at most 10 s after the one before
    stage.cloudfront.requests.clear()
    stage.edge.forget_requests()
    time.sleep(5)
    assert stage.edge.count("GET") > 0, "passes were made"
    assert stage.cloudfront.requests.total() == 0


def test_without_the_right_to_invalidate_the_age_passes_and_it_heals(stage: CDNStage) -> None:
    """A warning that names the permission; Ready stays; the key is served when the copies have died."""
    stage.cloudfront.refuse["CreateInvalidation"] = (403, "AccessDenied")
    taken = len(stage.cloudfront.invalidations)
    kid = list_key(stage, "without a right")
    seen = stage.wait_for_reason("InvalidationDenied")["status"]
    (finding,) = [f for f in seen["findings"] if f["reason"] == "InvalidationDenied"]
    assert finding["message"].startswith(f"cloudfront:CreateInvalidation on distribution {DISTRIBUTION} is denied.")
    assert (finding["severity"], finding["subject"]) == ("Warning", DISTRIBUTION)
    status = stage.wait(served(kid), what="the age has passed", timeout_s=15)["status"]
    assert {condition(status, name) for name in ("Ready", "Published", "Served")} == {"True"}
    assert len(stage.cloudfront.invalidations) == taken
    stage.cloudfront.refuse.clear()
    stage.wait(lambda s: "InvalidationDenied" not in reasons(s), what="the right is there again", timeout_s=40)
    assert len(stage.cloudfront.invalidations) == taken + 1, "what was refused was asked for again"


def test_a_distribution_of_another_bucket_is_named(stage: CDNStage) -> None:
    """Critical and Stalled: only a person can mend it; and no invalidation is made there."""
    stage.cloudfront.origin = "other-oidc.s3.eu-central-1.amazonaws.com"
    stage.operator.restart()
    status = stage.wait(lambda s: condition(s, "Published") == "False", what="DistributionMismatch")["status"]
    taken = len(stage.cloudfront.invalidations)
    found = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
    assert found["Published"] == found["Ready"] == ("False", "DistributionMismatch")
    assert found["Stalled"] == ("True", "DistributionMismatch")
    message = next(f["message"] for f in status["findings"] if f["reason"] == "DistributionMismatch")
    assert message.startswith(f"Distribution {DISTRIBUTION} serves other-oidc.s3.eu-central-1.amazonaws.com, not the")
    stage.cloudfront.origin = "localhost"
    stage.operator.restart()
    stage.wait_ready()
    assert len(stage.cloudfront.invalidations) == taken


@pytest.mark.parametrize(("label", "taken"), [("killed before", False), ("killed after", True)])
def test_killed_between_the_write_and_the_invalidation(stage: CDNStage, label: str, *, taken: bool) -> None:
    """SIGKILL after the PUT: the next process asks for the same invalidation, and one is made in all."""
    before = len(stage.cloudfront.invalidations)

    def kill(operation: str, was_taken: bool) -> None:
        if was_taken is taken and stage.cloudfront.arrived:
            stage.cloudfront.arrived = None
            stage.operator.kill()
            if not was_taken:
                raise ConnectionAbortedError(operation)

    stage.cloudfront.arrived = kill
    kid = list_key(stage, label)
    stage.wait(lambda _: not stage.operator.process.running, what="the operator is dead")
    assert len(stage.cloudfront.invalidations) - before == int(taken)
    stage.operator.start()
    stage.wait(served(kid), what="the key is served", timeout_s=20)
    (made,) = stage.cloudfront.invalidations[before:]
    assert made.asked == (2 if taken else 1), "the second process asks under the same reference"


def test_deleted_documents_leave_the_edges_too(stage: CDNStage) -> None:
    """Long before their max-age has passed."""
    delete_what_edges_have(stage)
    until(lambda: 200 not in answers(stage), "every edge has dropped its copies", timeout_s=DELAYS_S[-1] + 4)


def test_without_the_right_to_invalidate_an_event_says_what_edges_still_serve(stage: CDNStage) -> None:
    """The object goes all the same."""
    stage.cloudfront.refuse["CreateInvalidation"] = (403, "AccessDenied")
    delete_what_edges_have(stage)
    told = event(stage, "InvalidationDenied")
    assert told["note"].startswith("Edges may serve copies of the deleted documents until their max-age has passed.")
    assert "cloudfront:CreateInvalidation" in told["note"]
    time.sleep(DELAYS_S[-1] + 1)
    assert answers(stage) == {200}


def delete_what_edges_have(stage: CDNStage) -> None:
    """Publish under deletionPolicy Delete, let every edge take copies that live for minutes, and delete the issuer."""
    made = issuer(stage, deletionPolicy="Delete")
    made["spec"]["cacheMaxAge"] = "120s"
    stage.apply(made)
    stage.wait_ready()
    stage.wait(lambda _: invalidation_done(stage), what="what was changed is invalidated")
    stage.cdn.warm(*stage.viewer_paths)
    assert answers(stage) == {200}
    stage.cluster.request("DELETE", EVENTS)
    stage.cluster.kubectl("delete", "oidci/prod", "--timeout=20s")
    assert stage.s3.keys(BUCKET) == []


def answers(stage: CDNStage) -> set[int]:
    """What the edges answer, without asking the bucket where they have a copy."""
    return {stage.cdn.ask(edge, path).status for edge in range(len(DELAYS_S)) for path in stage.viewer_paths}


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
