"""What an object at rest is asked by: a request that botocore made once, signed anew, and believed only where it proves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from oidc_publisher.stores.s3 import objects as module
from oidc_publisher.stores.s3 import transport
from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.store import S3Endpoint, S3Store
from tests.support.builders import DOCUMENT
from tests.support.scripted import Answer, ObjectServer, Request, ScriptedServer, s3_error

Serve = Callable[..., ScriptedServer]
StoreOf = Callable[..., S3Store]
JWKS = "openid/v1/jwks"
OBJECT = f"/bucket/prod/{JWKS}"
OWNER = "123456789012"


class _Rest:
    """A settled document, the server that has it, and a store that has read it once."""

    def __init__(self, serve: Serve, store_of: StoreOf) -> None:
        self.objects = ObjectServer("If-Match", "If-None-Match")
        self.server = serve(self.objects)
        self.store = store_of(self.server, owner=OWNER)

    async def reach(self) -> None:
        await self.store.write(JWKS, DOCUMENT, expected=None)
        self.objects.now += 60
        found = await self.store.read(JWKS)
        assert found is not None
        self.first = found
        self.server.requests.clear()

    def reply_once(self, answer: Answer | Exception) -> None:
        """Answer the next request in another way, and all later ones as ever."""

        def script(_: Request) -> Answer:
            self.server.script = self.objects
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.server.script = script

    def always_whole(self) -> None:
        """Answer conditional reads in full, as some servers do."""

        def script(request: Request) -> Answer:
            headers = {name: value for name, value in request.headers.items() if name != "If-None-Match"}
            return self.objects(Request(request.method, request.path, headers, request.body))

        self.server.script = script

    @property
    def made_by_client(self) -> list[bool]:
        return ["amz-sdk-invocation-id" in request.headers for request in self.server.requests]


@pytest.fixture
async def rest(serve: Serve, store_of: StoreOf) -> _Rest:
    """A document at rest."""
    made = _Rest(serve, store_of)
    await made.reach()
    return made


async def test_an_object_at_rest_is_asked_for_without_the_client(rest: _Rest) -> None:
    """One request a read, which names the version, the expected owner and the operator, and is signed."""
    for _ in range(3):
        assert await rest.store.read(JWKS) is rest.first
    assert rest.made_by_client == [False] * 3
    asked = rest.server.requests[-1]
    assert asked.path == OBJECT
    assert asked.headers["If-None-Match"] == rest.first.version
    assert asked.headers["x-amz-expected-bucket-owner"] == OWNER
    assert "oidc-publisher/" in asked.headers["User-Agent"]
    assert "/eu-central-1/s3/aws4_request" in asked.headers["Authorization"]


async def test_a_whole_answer_proves_as_much_where_everything_is_equal(rest: _Rest) -> None:
    """A server that ignores If-None-Match sends the body each time."""
    rest.always_whole()
    assert await rest.store.read(JWKS) is rest.first
    assert rest.made_by_client == [False]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ETag", '"another"'),
        ("Last-Modified", "Sun, 15 Jun 2025 15:06:41 GMT"),
        ("Content-Type", "text/plain"),
        ("Cache-Control", "no-store"),
        ("Content-Encoding", "aws-chunked"),
        ("x-amz-meta-owner", "rival/prod"),
        ("x-amz-meta-more", "x"),
    ],
)
async def test_a_whole_answer_with_another_header_is_a_new_object(rest: _Rest, name: str, value: str) -> None:
    """A header counts as much as the bytes: the owner mark and the cache age are headers."""
    rest.always_whole()
    body, headers = rest.objects.objects[OBJECT]
    known = {each.lower(): each for each in headers}
    rest.objects.objects[OBJECT] = (body, {**headers, known.get(name.lower(), name): value})
    assert await rest.store.read(JWKS) != rest.first
    assert rest.made_by_client == [False, True]


@pytest.mark.parametrize("body", [b"{} ", b"", b"[]", b"{}" * 100_000], ids=["longer", "empty", "other", "long"])
async def test_a_whole_answer_with_another_body_is_a_new_object(rest: _Rest, body: bytes) -> None:
    """Nothing else has changed, not even the ETag, so that only the bytes tell."""
    rest.always_whole()
    rest.objects.objects[OBJECT] = (body, rest.objects.objects[OBJECT][1])
    seen = await rest.store.read(JWKS)
    assert seen is not None
    assert seen.document.body == body
    assert rest.made_by_client == [False, True]


@pytest.mark.parametrize("modified", [None, "Sun, 15 Jun 2025 15:06:41 GMT"], ids=["none", "another"])
async def test_a_304_proves_nothing_without_the_same_time(rest: _Rest, modified: str | None) -> None:
    """The ETag of S3 is that of the bytes alone."""
    rest.reply_once(Answer(304, {"ETag": '"x"'} | ({"Last-Modified": modified} if modified else {})))
    assert await rest.store.read(JWKS) == rest.first
    assert rest.made_by_client == [False, True]


@pytest.mark.parametrize(
    "answer",
    [
        s3_error(503, "SlowDown"),
        s3_error(403, "AccessDenied"),
        s3_error(404, "NoSuchKey"),
        Answer(206, {}, b"{}"),
        OSError("the connection is gone"),
    ],
    ids=["busy", "denied", "absent", "partial", "closed"],
)
async def test_the_client_asks_again_after_any_other_answer(rest: _Rest, answer: Answer | Exception) -> None:
    """One bad answer is none: the client repeats it, and says what it means where it comes again."""
    rest.reply_once(answer)
    assert await rest.store.read(JWKS) == rest.first
    assert rest.made_by_client == [False, True]


async def test_a_question_without_an_answer_leaves_the_client_its_time(
    rest: _Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of a question is its own: an operation has 15 s, and a client's two attempts may take ten of them."""
    monkeypatch.setattr(module, "_QUESTION_S", 0.1)

    def late(_: Request) -> Answer:
        rest.server.script = rest.objects
        time.sleep(0.4)
        return Answer(500)

    rest.server.script = late
    assert await rest.store.read(JWKS) == rest.first
    assert rest.made_by_client == [False, True]


async def test_a_question_has_the_credentials_of_the_moment(
    rest: _Rest, warm_clients: S3Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a role change every hour, without a new client."""
    credentials: Any = warm_clients.session().core.get_credentials()
    monkeypatch.setattr(credentials, "access_key", "AKIAROTATED")
    monkeypatch.setattr(credentials, "token", "of the session")
    assert await rest.store.read(JWKS) is rest.first
    assert "AKIAROTATED/" in rest.server.requests[-1].headers["Authorization"]
    assert rest.server.requests[-1].headers["X-Amz-Security-Token"] == "of the session"


async def test_a_question_tells_the_clock_of_the_store(rest: _Rest) -> None:
    """R13 needs the Date of every pass."""
    assert rest.store.clock_offsets  # which forgets them
    await rest.store.read(JWKS)
    assert len(rest.store.clock_offsets) == 1


async def test_another_client_does_not_ask_the_former_ones_question(rest: _Rest, warm_clients: S3Clients) -> None:
    """After refused credentials there is a new client, and the former one signs with what was refused."""
    rest.store._objects.let_go()
    warm_clients._shared.pop(S3Endpoint("eu-central-1", rest.server.url, "Path"))
    assert await rest.store.read(JWKS) == rest.first
    assert rest.made_by_client == [True]


async def test_questions_keep_the_connection_and_give_up_one_whose_answer_is_too_long(
    rest: _Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of a long answer is not read: nobody knows how long it is."""
    opened: list[str] = []
    connect = transport._connect

    def counted(host: str, *arguments: Any) -> Any:
        opened.append(host)
        return connect(host, *arguments)

    monkeypatch.setattr(transport, "_connect", counted)
    rest.always_whole()
    for _ in range(3):
        assert await rest.store.read(JWKS) is rest.first
    assert opened == []
    rest.reply_once(Answer(200, {}, DOCUMENT.body * 2))
    assert await rest.store.read(JWKS) == rest.first
    assert len(opened) == 1
