"""deletionPolicy: what goes with the object, what stays, and that the object never waits without saying for what."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.live.places import (
    DISCOVERY,
    JWKS,
    event,
    events,
    exists,
    message,
    owners,
    patch,
    until,
    wait_published,
)
from tests.support import faults
from tests.support.stage import BUCKET, Stage, condition, reasons

OURS = "oidc-publisher.io/documents"
OTHERS = "example.com/keep"


def test_the_finalizer_is_there_before_the_first_write_and_beside_others(stage: Stage) -> None:
    """Added under Delete alone, by a patch that keeps what others put there."""
    stage.edge.misbehave("openid/v1/jwks$", faults.delayed(3), methods=("PUT",))
    issuer = stage.issuer(deletionPolicy="Delete")
    issuer["metadata"]["finalizers"] = [OTHERS]
    stage.apply(issuer)
    until(lambda: stage.edge.count("PUT") > 0, "the first write")
    assert finalizers(stage) == [OTHERS, OURS]
    assert stage.s3.get(BUCKET, JWKS) is None, "the write is still on its way"
    wait_published(stage)
    patch(stage, deletionPolicy="Retain")
    until(lambda: finalizers(stage) == [OTHERS], "ours is gone, the other one stays")
    patch(stage, deletionPolicy="Delete")
    until(lambda: finalizers(stage) == [OTHERS, OURS], "ours is back")
    stage.cluster.json("PATCH", path(), {"metadata": {"finalizers": []}}, content_type="application/merge-patch+json")
    until(lambda: finalizers(stage) == [OURS], "ours is put back while the object lives")


def test_delete_removes_both_documents_and_nothing_else(stage: Stage) -> None:
    """Another object of the same bucket stays; the event says what went."""
    stage.s3.put(BUCKET, "prod/openid/v1/other", b"mine")
    publish_for_deletion(stage)
    logged = len(stage.operator.log())
    delete(stage)
    until(lambda: not exists(stage), "the object is gone")
    assert stage.s3.keys(BUCKET) == ["prod/openid/v1/other"]
    told = event(stage, "DocumentsDeleted")
    assert "openid-configuration" in told["note"]
    assert "openid/v1/jwks" in told["note"]
    assert "The pass ended early" not in stage.operator.log()[logged:]


def test_a_kill_between_the_two_deletes_is_made_up_for(stage: Stage) -> None:
    """The discovery document goes first, so that it never names a key set that is not there; the next process goes on."""
    publish_for_deletion(stage)
    stage.edge.misbehave("openid/v1/jwks$", faults.delayed(60), methods=("DELETE",))
    delete(stage)
    until(lambda: stage.s3.get(BUCKET, DISCOVERY) is None, "the discovery document is gone")
    until(lambda: stage.edge.count("DELETE", path="openid/v1/jwks$") > 0, "the second delete is on its way")
    stage.operator.kill()
    assert stage.s3.get(BUCKET, JWKS) is not None
    assert exists(stage)
    stage.edge.heal()
    stage.operator.start()
    until(lambda: not exists(stage), "the object is gone")
    assert stage.s3.keys(BUCKET) == []


def test_retain_leaves_everything_and_has_no_finalizer(stage: Stage) -> None:
    """The object goes at once; the documents are byte for byte as they were."""
    stage.apply(stage.issuer())
    stage.wait_ready()
    assert finalizers(stage) == []
    before = {key: stage.s3.get(BUCKET, key) for key in (DISCOVERY, JWKS)}
    delete(stage)
    until(lambda: not exists(stage), "the object is gone")
    time.sleep(3)
    assert {key: stage.s3.get(BUCKET, key) for key in (DISCOVERY, JWKS)} == before


@pytest.mark.parametrize("change", [{"deletionPolicy": "Retain"}, {"suspend": True}], ids=["retain", "suspend"])
def test_what_cannot_be_deleted_keeps_the_object_and_names_the_way_out(stage: Stage, change: dict[str, Any]) -> None:
    """AccessDenied stands in the conditions; Retain, or suspending, lets the deleted object go and leaves the documents."""
    publish_for_deletion(stage)
    stage.edge.fail("DELETE", "openid-configuration$", 403, code="AccessDenied")
    delete(stage)
    found = stage.wait_for_reason("AccessDenied")
    assert finalizers(stage) == [OURS]
    told = message(found, "Published")
    assert "not deleted" in told
    assert "spec.deletionPolicy to Retain" in told
    assert condition(found["status"], "Stalled") == "True"
    assert stage.s3.get(BUCKET, JWKS) is not None, "the discovery document is still there, and so is what it names"
    patch(stage, **change)
    until(lambda: not exists(stage), "the object is gone")
    assert stage.s3.keys(BUCKET) == [DISCOVERY, JWKS]
    assert "left as they are" in event(stage, "DocumentsLeft")["note"]


def test_a_failure_that_passes_is_retried(stage: Stage) -> None:
    """Nobody has to do anything: the object goes when the store is back."""
    publish_for_deletion(stage)
    stage.edge.fail("DELETE", "openid/v1/jwks$", 503, code="SlowDown")
    delete(stage)
    stage.wait_for_reason("StoreUnavailable")
    stage.edge.heal()
    until(lambda: not exists(stage), "the object is gone", timeout_s=30)
    assert stage.s3.keys(BUCKET) == []


def test_a_suspended_issuer_goes_and_leaves_its_documents(stage: Stage) -> None:
    """Suspended means: not touched, whatever the policy says; the event tells."""
    publish_for_deletion(stage)
    patch(stage, suspend=True)
    stage.wait(lambda s: condition(s, "Ready") == "Unknown", what="Suspended")
    delete(stage)
    until(lambda: not exists(stage), "the object is gone")
    assert stage.s3.keys(BUCKET) == [DISCOVERY, JWKS]
    assert "suspended" in event(stage, "DocumentsLeft")["note"]


def test_documents_of_another_owner_are_not_deleted(stage: Stage) -> None:
    """The place was taken over: the object that lost it goes without a word to the store."""
    publish_for_deletion(stage)
    stage.apply(stage.issuer("second", adoption="Merge"))
    stage.wait_ready(name="second")
    stage.wait_for_reason("OwnershipLost")
    delete(stage)
    until(lambda: not exists(stage), "the object is gone")
    assert stage.s3.keys(BUCKET) == [DISCOVERY, JWKS]
    assert owners(stage) == {"second"}
    until(lambda: len(events(stage, "DocumentsLeft")) == 2, "both are named")
    assert all("/second)" in told["note"] for told in events(stage, "DocumentsLeft"))


def test_a_place_that_was_never_ours_is_not_touched(stage: Stage) -> None:
    """DocumentsNotOurs, then deleted: the foreign documents stay."""
    stage.s3.put(BUCKET, JWKS, b'{"keys":[]}', ContentType="application/json")
    stage.apply(stage.issuer(deletionPolicy="Delete"))
    stage.wait_for_reason("DocumentsNotOurs")
    assert finalizers(stage) == [OURS]
    delete(stage)
    until(lambda: not exists(stage), "the object is gone")
    assert stage.s3.keys(BUCKET) == [JWKS]


def test_documents_and_a_bucket_that_are_gone_already_hold_nothing_up(stage: Stage) -> None:
    """One document missing, then the whole bucket."""
    publish_for_deletion(stage)
    stage.edge.misbehave("", faults.delayed(1), methods=("PUT",))  # so that it is not repaired meanwhile
    stage.s3.delete(BUCKET, DISCOVERY)
    delete(stage)
    until(lambda: not exists(stage), "the object is gone")
    assert stage.s3.get(BUCKET, JWKS) is None
    stage.edge.heal()
    bucket = stage.s3.create_bucket("short-lived")
    stage.apply(stage.issuer("other", deletionPolicy="Delete", store={"s3": stage.s3_spec(bucket=bucket)}))
    wait_published(stage, "other")
    for key in stage.s3.keys(bucket):
        stage.s3.delete(bucket, key)
    patch(stage, "other", suspend=True)
    stage.wait(lambda s: condition(s, "Ready") == "Unknown", what="Suspended", name="other")
    for key in stage.s3.keys(bucket):
        stage.s3.delete(bucket, key)
    stage.s3.client.delete_bucket(Bucket=bucket)
    stage.operator.kill()
    patch(stage, "other", suspend=False)
    stage.cluster.kubectl("delete", "oidci/other", "--wait=false")
    stage.operator.start()
    until(lambda: not exists(stage, "other"), "the object is gone")


def test_an_object_that_others_hold_back_is_not_published_anew(stage: Stage) -> None:
    """Its documents are deleted once; nothing brings them back while it waits for somebody else's finalizer."""
    issuer = stage.issuer(deletionPolicy="Delete")
    issuer["metadata"]["finalizers"] = [OTHERS]
    stage.apply(issuer)
    wait_published(stage)
    delete(stage)
    until(lambda: finalizers(stage) == [OTHERS], "ours is gone")
    time.sleep(5)
    assert stage.s3.keys(BUCKET) == []
    assert len(events(stage, "DocumentsDeleted")) == 1
    stage.cluster.json("PATCH", path(), {"metadata": {"finalizers": []}}, content_type="application/merge-patch+json")
    until(lambda: not exists(stage), "the object is gone")


def publish_for_deletion(stage: Stage) -> None:
    """A published issuer that takes its documents with it."""
    stage.apply(stage.issuer(deletionPolicy="Delete"))
    stage.wait_ready()
    assert finalizers(stage) == [OURS]
    assert not reasons(stage.get()["status"]) & {"StoreUnavailable", "AccessDenied"}


def delete(stage: Stage) -> None:
    """Ask for the object's deletion and wait for nothing."""
    stage.cluster.kubectl("delete", "oidci/prod", "--wait=false")


def finalizers(stage: Stage) -> list[str]:
    """The object's finalizers."""
    found: list[str] = stage.get()["metadata"].get("finalizers", [])
    return found


def path() -> str:
    """Where the API server has the object."""
    return "/apis/oidc-publisher.io/v1alpha1/oidcissuers/prod"
