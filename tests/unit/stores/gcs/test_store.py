"""What Cloud Storage does and the server of the live tests does not: metagenerations, preconditions, credentials."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from oidc_publisher import __version__
from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores import StoredDocument
from oidc_publisher.stores.gcs.clients import GCSClients
from oidc_publisher.stores.gcs.store import GCSPlace, GCSStore
from oidc_publisher.stores.port import Rehearsal
from tests.support.builders import DOCUMENT
from tests.support.gcsscript import ObjectServer, gcs_error
from tests.support.scripted import Answer, Request, Script, ScriptedServer

JWKS = "openid/v1/jwks"
OBJECT = f"prod/{JWKS}"

Serve = Callable[[Script], ScriptedServer]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a server that stands for Cloud Storage; it ends with the test."""
    monkeypatch.setattr("oidc_publisher.stores.gcs.session._PAUSE_S", (0.0, 0.0))
    with ExitStack() as running:

        def start(script: Script) -> ScriptedServer:
            server = running.enter_context(ScriptedServer(script))
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
            return server

        yield start


def store(clients: GCSClients | None = None) -> GCSStore:
    return GCSStore(GCSPlace("bucket", "prod"), clients or GCSClients())


async def present(of: GCSStore) -> StoredDocument:
    found = await of.read(JWKS)
    assert found is not None
    return found


async def test_a_rehearsal_fails_by_its_precondition(serve: Serve) -> None:
    """Nothing is stored where nothing was, and a document keeps its version."""
    script = ObjectServer()
    serve(script)
    writer = store()
    assert await writer.rehearse(JWKS) is Rehearsal.REFUSED_BY_CONDITION
    assert script.objects == {}
    written = await writer.write(JWKS, DOCUMENT, expected=None)
    assert await writer.rehearse(JWKS) is Rehearsal.REFUSED_BY_CONDITION
    assert (await present(store())).version == written.version


async def test_a_server_that_ignores_preconditions_is_found_out(serve: Serve) -> None:
    """It is no Cloud Storage; what the rehearsal made there is removed, and a document keeps its bytes."""
    script = ObjectServer()

    def ignorant(request: Request) -> Answer:
        path = request.path.replace("ifGenerationMatch=1&", "").replace("&ifGenerationMatch=1", "")
        return script(dataclasses.replace(request, path=path.replace("&ifMetagenerationMatch=1", "")))

    serve(ignorant)
    for stored in (False, True):
        if stored:
            await store().write(JWKS, DOCUMENT, expected=None)
        with pytest.raises(StoreError) as refused:
            await store().rehearse(JWKS)
        assert refused.value.reason is Reason.ConditionalWritesUnsupported
        assert bool(script.objects) is stored
    assert (await present(store())).document == DOCUMENT


async def test_an_edit_of_metadata_alone_beats_a_write(serve: Serve) -> None:
    """The generation is the same, the metageneration is not: who did not see the edit loses."""
    script = ObjectServer()
    server = serve(script)
    writer = store()
    written = await writer.write(JWKS, DOCUMENT, expected=None)
    script.edit(OBJECT, cacheControl="no-store")
    with pytest.raises(PreconditionError):
        await writer.write(JWKS, dataclasses.replace(DOCUMENT, body=b"two"), expected=written.version)
    server.requests.clear()
    seen = await present(writer)
    assert (seen.document.cache_control, seen.document.body) == ("no-store", DOCUMENT.body)
    assert server.methods() == ["GET"], "the bytes are the same, and were not fetched"
    repaired = await writer.write(JWKS, DOCUMENT, expected=seen.version)
    assert (await present(store())) == dataclasses.replace(repaired, last_modified=seen.last_modified)


async def test_an_edit_of_metadata_alone_beats_a_deletion(serve: Serve) -> None:
    """Somebody works on the object: it is not ours to delete before we have looked again."""
    script = ObjectServer()
    serve(script)
    written = await store().write(JWKS, DOCUMENT, expected=None)
    script.edit(OBJECT, metadata={})
    with pytest.raises(PreconditionError):
        await store().delete(JWKS, expected=written.version)
    assert OBJECT in script.objects


async def test_a_rival_between_look_and_deletion_wins(serve: Serve) -> None:
    """Deleting sends the preconditions that its own look has compared, and believes a 412."""
    script = ObjectServer()

    def rival(request: Request) -> Answer:
        if request.method == "DELETE":
            script.edit(OBJECT, metadata={"rival": "was here"})
        return script(request)

    serve(script)
    written = await store().write(JWKS, DOCUMENT, expected=None)
    serve(rival)
    with pytest.raises(PreconditionError):
        await store().delete(JWKS, expected=written.version)
    assert OBJECT in script.objects


async def test_what_goes_out_is_what_was_planned_and_nothing_else(serve: Serve) -> None:
    """Both preconditions, both headers, the mark; no ACL, no project that pays, no Content-Encoding."""
    server = serve(ObjectServer())
    first = await store().write(JWKS, DOCUMENT, expected=None)
    await store().write(JWKS, dataclasses.replace(DOCUMENT, body=b"two"), expected=first.version)
    creation, replacement = (parse_qs(request.path.partition("?")[2]) for request in server.requests)
    generation, _, metageneration = first.version.partition(".")
    assert creation == {"uploadType": ["multipart"], "ifGenerationMatch": ["0"]}
    assert replacement == {
        "uploadType": ["multipart"],
        "ifGenerationMatch": [generation],
        "ifMetagenerationMatch": [metageneration],
    }
    about = json.loads(server.requests[0].body.split(b"\r\n\r\n")[1].partition(b"\r\n--")[0])
    assert about.pop("md5Hash", "") or about.pop("crc32c", "")
    assert about == {"name": OBJECT, "cacheControl": DOCUMENT.cache_control, "metadata": DOCUMENT.metadata}
    headers = {name.lower(): value for name, value in server.requests[0].headers.items()}
    assert f"oidc-publisher/{__version__}" in headers["user-agent"]
    assert not [name for name in headers if "acl" in name or "user-project" in name or "encoding" in name[8:]]


async def test_nothing_is_asked_about_the_bucket(serve: Serve) -> None:
    """The library would read the bucket's own metadata beside, which takes another right."""
    server = serve(ObjectServer())
    await store().write(JWKS, DOCUMENT, expected=None)
    await store().read(JWKS)
    await present(store())
    assert {"/o" in request.path for request in server.requests} == {True}
    assert len(server.requests) == 5


async def test_the_time_of_the_last_edit_is_the_time_of_the_write(serve: Serve) -> None:
    """Aware UTC; readers are told other headers from then on."""
    serve(ObjectServer())
    await store().write(JWKS, DOCUMENT, expected=None)
    assert str((await present(store())).last_modified) == "2026-01-02 03:04:06.789000+00:00"


async def test_an_object_that_is_replaced_for_ever_is_given_up(serve: Serve) -> None:
    """Three looks, then the next pass."""
    script = ObjectServer()

    def restless(request: Request) -> Answer:
        answer = script(request)
        if request.method == "GET" and "alt=media" not in request.path:
            script.objects[OBJECT].generation += 1
        return answer

    serve(script)
    await store().write(JWKS, DOCUMENT, expected=None)
    server = serve(restless)
    with pytest.raises(StoreError, match="replaced faster than it can be read") as caught:
        await store().read(JWKS)
    assert (caught.value.reason, caught.value.retryable) == (Reason.StoreUnavailable, True)
    assert len(server.requests) == 6


async def test_a_silent_server_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two attempts, each within its time: a pass ends."""
    monkeypatch.setattr("oidc_publisher.stores.gcs.session._TIMEOUTS_S", (0.2, 0.2))
    release = threading.Event()

    def hang(request: Request) -> Answer:
        del request
        release.wait(10)
        return Answer(500)

    server = serve(hang)
    began = time.monotonic()
    try:
        with pytest.raises(StoreError, match=r"does not answer within 5 s") as caught:
            await store().read(JWKS)
        took = time.monotonic() - began
    finally:
        release.set()
    assert (caught.value.reason, caught.value.retryable) == (Reason.StoreUnavailable, True)
    assert server.methods() == ["GET", "GET"]
    assert took < 3


async def test_stores_share_one_session(serve: Serve) -> None:
    """Credentials are looked for once, connections are kept: a thousand issuers do not make a thousand of each."""
    serve(ObjectServer())
    clients = GCSClients()
    first, second = store(clients), store(clients)
    await first.write(JWKS, DOCUMENT, expected=None)
    await present(second)
    sessions = {id(opened._objects._open[0].http) for opened in (first, second) if opened._objects._open}
    assert sessions == {id(clients.get().http)}


async def test_a_server_that_is_no_cloud_storage(serve: Serve) -> None:
    """JSON without a generation, and no JSON at all."""
    answers = [Answer(200, {}, b"<html>"), Answer(200, {}, b"{}")]
    serve(lambda _: answers.pop())
    for words in ("without a generation", "not as Cloud Storage does"):
        with pytest.raises(StoreError, match=words) as caught:
            await store().read(JWKS)
        assert caught.value.reason is Reason.StoreUnavailable


async def test_a_redirect_is_not_followed(serve: Serve) -> None:
    """Credentials stay with the server they are for."""
    elsewhere = serve(ObjectServer())
    serve(lambda _: Answer(302, {"Location": elsewhere.url}))
    with pytest.raises(StoreError, match="302") as caught:
        await store().read(JWKS)
    assert (caught.value.reason, caught.value.retryable) == (Reason.StoreUnavailable, False)
    assert elsewhere.requests == []


async def test_a_missing_bucket_is_named_by_reads_and_writes(serve: Serve) -> None:
    """404 is said of both; the words tell the bucket from the object."""
    serve(ObjectServer("another"))
    for work in (store().read(JWKS), store().write(JWKS, DOCUMENT, expected=None)):
        with pytest.raises(StoreError) as caught:
            await work
        assert (caught.value.reason, str(caught.value)) == (
            Reason.BucketNotFound,
            "The bucket bucket does not exist",
        )


async def test_an_object_that_is_gone_is_a_lost_race(serve: Serve) -> None:
    """404 to a replacement that names a generation."""
    serve(lambda _: gcs_error(404, "notFound", "No such object: bucket/prod/openid/v1/jwks"))
    with pytest.raises(PreconditionError):
        await store().write(JWKS, DOCUMENT, expected="1.1")


@pytest.mark.slow  # a process of its own, and its imports
def test_google_cloud_is_imported_only_when_used() -> None:
    """An operator that writes elsewhere does not pay for it (google.auth comes with a kubeconfig all the same)."""
    program = (
        "import sys, oidc_publisher.cli, oidc_publisher.controller.operator, oidc_publisher.stores.factory as factory;"
        "from oidc_publisher.api.storespec import StoreSpec;"
        "factory.open_store(StoreSpec.model_validate({'s3': {'bucket': 'b-1', 'region': 'eu-central-1'}}));"
        "factory.open_store(StoreSpec.model_validate({'gcs': {'bucket': 'b-1'}}));"
        "sys.exit(', '.join(m for m in sys.modules if m.startswith(('google.cloud', 'google.api_core', 'google.auth'))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow  # a process of its own, and its imports
def test_google_cloud_is_imported_by_the_first_call(serve: Serve, tmp_path: Path) -> None:
    """The other half of the test above: it would pass if the library were never used at all."""
    server = serve(ObjectServer())
    program = (
        "import asyncio, sys; from oidc_publisher.stores.gcs.store import GCSPlace, GCSStore;"
        "asyncio.run(GCSStore(GCSPlace('bucket')).read('x'));"
        "sys.exit(0 if 'google.cloud.storage' in sys.modules else 'google.cloud.storage is not used')"
    )
    environment = {"STORAGE_EMULATOR_HOST": server.url, "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
