"""Single ConfigMaps and Secrets: read, and watched one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from oidc_publisher.cluster import ClusterClient, ObjectReference, get_object, watch_object
from oidc_publisher.cluster.credentials.credentials import Credentials
from oidc_publisher.errors import AnswerError, CertificateError, ClusterError, UnreachableError
from oidc_publisher.findings import Reason
from tests.support.apistub import Handler, client_of, refuses, says, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.pki import PKI

SIGNERS = ObjectReference("Secret", "keys", "signers")
COLLECTION = "/api/v1/namespaces/keys/secrets"


def change(kind: str, version: str) -> dict[str, Any]:
    """One event of a watch."""
    return {"type": kind, "object": {"kind": "PartialObjectMetadata", "metadata": {"resourceVersion": version}}}


def streams(*lines: object, then: Callable[[web.Request], Awaitable[None]] | None = None) -> Handler:
    """A watch that says these lines (bytes as they are) and ends, or does something else first."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for line in lines:
            await response.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        if then is not None:
            await then(request)
        return response

    return answer


async def versions(client: ClusterClient) -> list[str]:
    """Everything that one watch yields."""
    return [version async for version in watch_object(client, SIGNERS)]


@asynccontextmanager
async def watching(pki: PKI, *answers: Handler) -> AsyncIterator[ClusterClient]:
    """A client of an API server whose watches answer so."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", COLLECTION, *answers)
        yield client


class TestRead:
    """One object."""

    @pytest.mark.parametrize(
        ("answer", "reason", "says_"),
        [
            (refuses(404, "NotFound", "no"), Reason.SourceNotFound, "Secret keys/signers does not exist"),
            (refuses(403, "Forbidden", "no"), Reason.SourceForbidden, "may not read Secret keys/signers"),
            (refuses(500, "InternalError", "no"), Reason.APIServerUnreachable, "answered 500"),
            (says({"kind": "Status"}), Reason.APIServerUnreachable, "a Status in place of the object"),
        ],
    )
    async def test_failures(self, pki: PKI, answer: Handler, reason: Reason, says_: str) -> None:
        """Each in the catalogue's words."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", f"{COLLECTION}/signers", answer)
            with pytest.raises(AnswerError) as caught:
                (await get_object(client, SIGNERS)).object()
        assert caught.value.reason is reason
        assert says_ in caught.value.message

    async def test_the_object(self, pki: PKI) -> None:
        """As it is."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", f"{COLLECTION}/signers", says({"kind": "Secret", "data": {"a": "Yg=="}}))
            assert (await get_object(client, SIGNERS)).object()["data"] == {"a": "Yg=="}


class TestWatch:
    """Its changes."""

    async def test_every_change(self, pki: PKI) -> None:
        """Made, changed, deleted, made again; lines may come in any pieces."""
        last = json.dumps(change("ADDED", "9")).encode()
        pieces = (last[:20], last[20:], b"\n")
        events = [change("ADDED", "5"), change("MODIFIED", "6"), change("DELETED", "8")]
        async with watching(pki, streams(*events, *pieces)) as client:
            assert await versions(client) == ["5", "6", "8", "9"]

    async def test_it_asks_for_this_object_and_for_no_content(self, pki: PKI) -> None:
        """By name, so that resourceNames are enough; of a Secret nothing but its metadata is sent."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", COLLECTION, streams())
            await versions(client)
        (seen,) = stub.seen
        assert seen.query == {"fieldSelector": "metadata.name=signers", "watch": "true", "timeoutSeconds": "300"}
        assert "as=PartialObjectMetadata" in seen.headers["Accept"]

    @pytest.mark.parametrize(
        "line",
        [
            {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}},
            {"type": "ADDED", "object": None},
            {"type": "ADDED", "object": {"metadata": []}},
            {"type": "ADDED", "object": {"metadata": {"resourceVersion": 7}}},
            {"object": {"metadata": {"resourceVersion": "7"}}},
            [],
            b"<html>\n",
            b"\xff\xfe\n",
            b"\n",
        ],
    )
    async def test_lines_that_are_no_change_are_passed_over(self, pki: PKI, line: object) -> None:
        """Watches may grow new kinds of lines."""
        async with watching(pki, streams(change("ADDED", "5"), line, change("MODIFIED", "6"))) as client:
            assert await versions(client) == ["5", "6"]

    async def test_an_expired_watch_ends(self, pki: PKI) -> None:
        """410 comes as a line; the next watch begins with what is there."""
        expired = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
        async with watching(pki, streams(change("ADDED", "5"), expired, change("MODIFIED", "6"))) as client:
            assert await versions(client) == ["5"]

    async def test_a_line_without_end_ends_the_watch(self, pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
        """Memory has a limit."""
        monkeypatch.setattr("oidc_publisher.cluster.client.BODY_LIMIT", 1000)
        async with watching(pki, streams(b"x" * 5000, change("ADDED", "5"))) as client:
            assert await versions(client) == []

    async def test_the_missing_right_is_named(self, pki: PKI) -> None:
        """For this one object."""
        async with watching(pki, refuses(403, "Forbidden", "no")) as client:
            with pytest.raises(AnswerError) as caught:
                await versions(client)
        assert caught.value.reason is Reason.SourceForbidden
        assert caught.value.message == "The operator may not watch Secret keys/signers"
        assert "get and watch secrets with resourceNames [signers] in namespace keys" in caught.value.hint

    async def test_a_broken_stream_is_unreachable(self, pki: PKI) -> None:
        """It is no end in time."""

        async def break_off(request: web.Request) -> None:
            assert request.transport is not None
            request.transport.abort()

        async with watching(pki, streams(change("ADDED", "5"), then=break_off)) as client:
            with pytest.raises(UnreachableError):
                await versions(client)

    @pytest.mark.parametrize("fault", ["token", "ca"])
    async def test_new_credentials_are_fetched_for_the_next_watch(
        self, pki: PKI, fault: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A rotated token or CA would else stop the watch until a pass has met it too."""
        renewed = []

        async def renew(_: Credentials) -> bool:
            renewed.append(fault)
            return True

        monkeypatch.setattr(Credentials, "renew" if fault == "token" else "renew_trust", renew)
        certificate = pki.untrusted() if fault == "ca" else None
        async with serving(pki, certificate) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", COLLECTION, refuses(401, "Unauthorized", "no"))
            with pytest.raises((AnswerError, CertificateError)):
                await versions(client)
        assert renewed == [fault]

    async def test_many_watches_leave_room_for_requests(self, pki: PKI) -> None:
        """Each holds a connection; with a pool of 100 the 101st hosted cluster would silence the operator."""
        begun = asyncio.Semaphore(0)

        async def hold(_: web.Request) -> None:
            begun.release()
            await asyncio.sleep(30)

        async def follow(client: ClusterClient) -> None:
            async with aclosing(watch_object(client, SIGNERS)) as events:
                async for _ in events:
                    pass

        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", COLLECTION, streams(then=hold))
            stub.on("GET", f"{COLLECTION}/signers", says({"kind": "Secret"}))
            tasks: list[asyncio.Task[None]] = []
            try:
                # One after the other: a hundred handshakes at once exceed the time for connecting on a busy machine.
                for _ in range(105):
                    tasks.append(asyncio.create_task(follow(client)))
                    await asyncio.wait_for(begun.acquire(), 20)
                assert (await get_object(client, SIGNERS, timeout_s=5)).object() == {"kind": "Secret"}
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def test_nobody_there(self, pki: PKI) -> None:
        """A ClusterError like any other."""
        async with client_of(pki, "127.0.0.1:1") as client:
            with pytest.raises(ClusterError):
                await versions(client)
