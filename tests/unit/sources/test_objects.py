"""A source that is an object: what is said where it may be read and not watched."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

import pytest

from oidc_publisher.cluster import ObjectReference
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.sources import SourceResult
from oidc_publisher.sources.entries import EntryPattern, read_entries
from oidc_publisher.sources.objects import ObjectSource, WatchRights
from tests.support.apistub import APIStub, client_of, refuses, says, serving
from tests.support.pki import PKI
from tests.support.signingkeys import signing_key

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


async def test_a_right_is_asked_for_once_for_all_issuers_of_an_object(pki: PKI) -> None:
    """A thousand issuers of one ConfigMap do not send a thousand reviews when the operator starts."""
    now_s = 0.0
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", f"{REFERENCE.collection}/signers", says({"metadata": {}, "data": {}}))
        stub.on("POST", REVIEWS, says({"status": {"allowed": True}}))
        rights = WatchRights(lambda: now_s)
        sources = [ObjectSource(client, name, REFERENCE, EntryPattern(".*"), rights) for name in ("one", "two")]
        for source in sources:
            assert not await warnings_of(source)
        for now_s in (600.0, 1200.0, 1800.0, 2400.0, 3000.0, 3599.0):  # noqa: B007 - the clock reads it
            assert not await warnings_of(sources[0])
        assert len(asked(stub)) == 1
        now_s = 3600.0  # somebody may have taken the right away since, and who reads on would never see it
        stub.on("POST", REVIEWS, says({"status": {"allowed": False}}))
        assert [len(await warnings_of(source)) for source in sources] == [1, 1]


async def test_a_right_goes_with_the_last_source_that_reads_its_object(pki: PKI) -> None:
    """Each of ten thousand issuers that came and went had an object of its own; one that is read seldom keeps its right."""
    now_s = 0.0
    rights, other = WatchRights(lambda: now_s), ObjectReference("ConfigMap", "keys", "other")
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        for name in ("signers", "other"):
            stub.on("GET", f"{REFERENCE.collection}/{name}", says({"metadata": {}, "data": {}}))
        stub.on("POST", REVIEWS, says({"status": {"allowed": True}}))

        def opened(reference: ObjectReference) -> ObjectSource:
            return ObjectSource(client, "map", reference, EntryPattern(".*"), rights)

        sources = [opened(REFERENCE), opened(REFERENCE), opened(other)]
        reviews = []
        for goes, now_s in ((False, 0.0), (False, 3000.0), (True, 3001.0), (True, 3002.0)):  # noqa: B007 - the clock reads it
            if goes:
                del sources[0]
            for source in (*sources, opened(REFERENCE)):
                assert not await warnings_of(source)
            left = weakref.ref(source)
            del source
            while left():  # noqa: ASYNC110 - the thread that read for it holds it until it is done, and tells nobody
                await asyncio.sleep(0.001)
            reviews.append(len(asked(stub)))
    assert reviews == [2, 2, 2, 3]


async def test_the_same_bytes_are_parsed_once_and_every_other_byte_counts(
    pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resourceVersion does not tell: a cluster that was restored from a backup gives numbers a second time."""
    parsed = 0
    read = read_entries

    def counted(*arguments: Any, **options: Any) -> SourceResult:
        nonlocal parsed
        parsed += 1
        return read(*arguments, **options)

    monkeypatch.setattr("oidc_publisher.sources.objects.read_entries", counted)
    first, second = (signing_key("P-256", name).public_pem.decode() for name in ("a", "b"))
    metadata = {"uid": "one", "resourceVersion": "7"}
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("POST", REVIEWS, says({"status": {"allowed": True}}))
        source = ObjectSource(client, "map", REFERENCE, EntryPattern(".*"))
        seen = []
        for pem, repeats in ((first, 3), (second, 2)):
            stub.on("GET", f"{REFERENCE.collection}/signers", says({"metadata": metadata, "data": {"k": pem}}))
            seen += [(await source.read()).reading.listings for _ in range(repeats)]
        assert parsed == 2
        assert seen[0] == seen[1] == seen[2] != seen[3] == seen[4]
        stub.on("GET", f"{REFERENCE.collection}/signers", refuses(500, "InternalError", "busy"))
        assert not (await source.read()).reading.complete, "what was parsed before is no reading"


async def test_a_reading_says_which_version_of_the_object_it_has_read(pki: PKI) -> None:
    """Whoever watches the object tells by it whether a pass has seen a change; a reading that failed has seen none."""
    path = f"{REFERENCE.collection}/signers"
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("POST", REVIEWS, says({"status": {"allowed": True}}))
        source = ObjectSource(client, "map", REFERENCE, EntryPattern(".*"))
        seen = []
        for answer in (
            says({"metadata": {"resourceVersion": "7"}}),
            says({"metadata": {"resourceVersion": "8"}}),
            refuses(500, "InternalError", "busy"),
            says({"metadata": {"resourceVersion": "8"}}),
            says({"metadata": None}),
        ):
            stub.on("GET", path, answer)
            seen.append((await source.read()).watched)
    assert seen == [{REFERENCE: version} for version in ("7", "8", None, "8", None)]
