"""A source that is an object: what is said where it may be read and not watched."""

from __future__ import annotations

from oidc_publisher.cluster import ObjectReference
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.sources.entries import EntryPattern
from oidc_publisher.sources.objects import ObjectSource
from tests.support.apistub import APIStub, client_of, refuses, says, serving
from tests.support.pki import PKI

REFERENCE = ObjectReference("ConfigMap", "keys", "signers")
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def asked(stub: APIStub) -> list[object]:
    """What was asked of the API server's reviews."""
    return [seen.body["spec"]["resourceAttributes"] for seen in stub.seen if seen.path == REVIEWS]


async def warnings_of(source: ObjectSource) -> list[Finding]:
    """What is said of rights in a reading; that the object is empty is another matter."""
    return [finding for finding in (await source.read()).findings if finding.reason is Reason.SourceForbidden]


async def test_an_object_that_may_not_be_watched_is_a_warning(pki: PKI) -> None:
    """It names the verb, the object and the chart's value; it ends with the right, which is then asked for no more."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", f"{REFERENCE.collection}/signers", says({"metadata": {}, "data": {}}))
        stub.on("POST", REVIEWS, says({"status": {"allowed": False}}), says({"status": {"allowed": True}}))
        source = ObjectSource(client, "map", REFERENCE, EntryPattern(".*"))
        (warning,) = await warnings_of(source)
        assert warning.severity is Severity.WARNING
        assert "may not watch ConfigMap keys/signers" in warning.message
        assert "{namespace: keys, name: signers} in rbac.configMaps" in warning.advice
        assert not await warnings_of(source)
        assert not await warnings_of(source)
        wanted = {"verb": "watch", "resource": "configmaps", "namespace": "keys", "name": "signers"}
        assert asked(stub) == [wanted, wanted]


async def test_a_right_that_cannot_be_asked_for_is_not_missing(pki: PKI) -> None:
    """An API server without the API of reviews has no say in it."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", f"{REFERENCE.collection}/signers", says({"metadata": {}, "data": {}}))
        assert not await warnings_of(ObjectSource(client, "map", REFERENCE, EntryPattern(".*")))


async def test_a_review_that_failed_is_no_permission(pki: PKI) -> None:
    """An API server that could not answer once is asked again by the next pass, and what it says then counts."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", f"{REFERENCE.collection}/signers", says({"metadata": {}, "data": {}}))
        stub.on("POST", REVIEWS, refuses(500, "InternalError", "busy"), says({"status": {"allowed": False}}))
        source = ObjectSource(client, "map", REFERENCE, EntryPattern(".*"))
        assert not await warnings_of(source)
        assert len(await warnings_of(source)) == 1
