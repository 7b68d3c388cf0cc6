"""The signer's server on a real Unix socket: the three calls, a client that misbehaves, and a hand-over (S10 to S12, S19)."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import stat
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from h2.connection import H2Connection
from h2.errors import ErrorCodes

from oidc_publisher.keys import to_jwk
from oidc_publisher.signer.keypairs import TokenSigner
from oidc_publisher.signer.ring import RingKey
from oidc_publisher.signer.server import GrpcServer, Offer, SigningService, SocketError
from oidc_publisher.signer.server.messages import (
    ListedKey,
    fetch_keys_response,
    metadata_response,
    sign_response,
)
from oidc_publisher.signer.server.protobuf import bytes_field, fields
from oidc_publisher.signer.server.rpc import Status
from tests.support.grpcclient import V1, V1ALPHA1, GrpcClient
from tests.support.rings import NOW, ring_key

OLD, NEW = ring_key(1, signed=NOW), ring_key(2, signed=NOW)
LIFETIME = timedelta(hours=24)
CLAIMS = "eyJzdWIiOiJhIn0"


def offer(*keys: RingKey, signs: RingKey = NEW) -> Offer:
    """What a signer offers."""
    return Offer(TokenSigner.of(signs), keys or (NEW, OLD), NOW)


def service(first: Offer | None = None, *, read: bool = True, patience_s: float = 10.0) -> SigningService:
    """A service that has read the ring."""
    made = SigningService(first or offer(), max_token_lifetime=LIFETIME, patience_s=patience_s)
    if read:
        made.ring_was_read()
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the socket is to be."""
    return tmp_path / "signer.sock"


@pytest.fixture
async def server(path: Path) -> AsyncIterator[GrpcServer]:
    """A server that serves."""
    made = GrpcServer(path, service().calls)
    await made.start()
    yield made
    await made.stop(0)


def token_of(message: bytes) -> str:
    """The token that an API server puts together."""
    header, signature = (value.decode() for _, value in fields(message) if isinstance(value, bytes))
    return f"{header}.{CLAIMS}.{signature}"


def verifies(message: bytes, key: RingKey = NEW) -> bool:
    """Whether a SignJWTResponse makes a token that another library takes."""
    public = jwt.PyJWK(to_jwk(key.key))
    return bool(jwt.decode(token_of(message), public, algorithms=["ES256"]) == {"sub": "a"})


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("name", [V1, V1ALPHA1])
async def test_the_three_calls_are_answered(path: Path, name: str) -> None:
    """Under both names of the service, on one connection."""
    async with GrpcClient.connected(path) as client:
        signed = await client.call("Sign", bytes_field(1, CLAIMS), service=name)
        keys = await client.call("FetchKeys", service=name)
        metadata = await client.call("Metadata", service=name)
    assert verifies(signed.message)
    listed = [ListedKey(key.key_id, key.key.spki) for key in (NEW, OLD)]
    assert keys.message == fetch_keys_response(listed, NOW, timedelta(seconds=10))
    assert metadata.message == metadata_response(LIFETIME)
    for reply in (signed, keys, metadata):
        assert (reply.headers[":status"], reply.headers["content-type"]) == ("200", "application/grpc")
        assert reply.status == 0


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("call", "request_", "status"),
    [
        ("Sign", b"", 3),
        ("Sign", bytes_field(1, "a.b"), 3),
        ("Sign", bytes_field(1, "a\n"), 3),
        ("Sign", b"\xff", 3),
        ("Rotate", b"", 12),
    ],
    ids=["no-claims", "a-token", "a-newline", "no-message", "no-such-call"],
)
async def test_a_wrong_call_fails_without_detail(path: Path, call: str, request_: bytes, status: int) -> None:
    """The text goes to whoever asked for a token. The connection lives on."""
    async with GrpcClient.connected(path) as client:
        reply = await client.call(call, request_)
        assert (reply.status, bytes(reply.data)) == (status, b"")
        assert reply.headers["grpc-message"] in {"the claims are not base64url", "there is no such call"}
        assert verifies((await client.call("Sign", bytes_field(1, CLAIMS))).message)


@pytest.mark.usefixtures("server")
async def test_paths_of_other_services_are_refused(path: Path) -> None:
    """Only the two names of KEP-740 are served."""
    async with GrpcClient.connected(path) as client:
        for other in ("v2.ExternalJWTSigner", "ExternalJWTSigner", "grpc.health.v1.Health", ""):
            assert (await client.call("Sign", bytes_field(1, CLAIMS), service=other)).status == 12


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("prefix", "message", "status"),
    [(b"\1\0\0\0\0", b"", 12), (b"\0\0\0\0\5", b"abc", 13), (b"\0\0\0\0\1", b"abc", 13), (b"", b"\0\0", 13)],
    ids=["compressed", "too-short", "two-messages", "no-prefix"],
)
async def test_a_malformed_frame_fails_its_call(path: Path, prefix: bytes, message: bytes, status: int) -> None:
    """GRPC's own prefix of five bytes."""
    async with GrpcClient.connected(path) as client:
        reply = await client.reply(await client.send("Sign", message, prefix=prefix))
        assert reply.status == status
        assert (await client.call("Metadata")).status == 0


@pytest.mark.usefixtures("server")
async def test_large_claims_are_signed_and_larger_ones_refused(path: Path) -> None:
    """256 kB pass through the flow control, in frames of any size; more than 2 MiB are too much."""
    claims = "A" * 256_000
    async with GrpcClient.connected(path) as client:
        reply = await client.call("Sign", bytes_field(1, claims))
        assert reply.status == 0
        reply = await client.call("Sign", bytes_field(1, "A" * 2_200_000))
        assert reply.status == 8
        assert (await client.call("Metadata")).status == 0


@pytest.mark.usefixtures("server")
async def test_bytes_may_come_one_at_a_time(path: Path) -> None:
    """No frame has to come in one piece."""
    async with GrpcClient.connected(path) as client:
        stream = client.http.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":authority", "l"), (":path", f"/{V1}/Metadata")]
        client.http.send_headers(stream, headers)
        client.http.send_data(stream, b"\0\0\0\0\0", end_stream=True)
        for byte in client.http.data_to_send():
            await client.raw(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.reply(stream)).message == metadata_response(LIFETIME)


@pytest.mark.usefixtures("server")
async def test_many_calls_at_once_are_each_answered(path: Path) -> None:
    """Interleaved on one connection, as kube-apiserver sends them."""
    async with GrpcClient.connected(path) as client:
        streams = [await client.send("Sign", bytes_field(1, CLAIMS)) for _ in range(50)]
        assert all([verifies((await client.reply(stream)).message) for stream in streams])


@pytest.mark.usefixtures("server")
async def test_a_call_that_is_over_is_forgotten(path: Path) -> None:
    """An API server keeps one connection for months. The client of this test remembers its streams, in this process too."""
    async with GrpcClient.connected(path) as client:
        for _ in range(600):
            await client.call("Metadata")
        connections = [each for each in gc.get_objects() if isinstance(each, H2Connection)]
        served = [len(each._closed_streams) for each in connections if not each.config.client_side]
    assert max(served) < 300


@pytest.mark.usefixtures("server")
async def test_a_ping_is_answered_and_a_given_up_call_forgotten(path: Path) -> None:
    """GRPC pings, and resets a call whose deadline has passed."""
    async with GrpcClient.connected(path) as client:
        client.http.ping(b"12345678")
        stream = await client.begin(f"/{V1}/Sign")
        client.http.reset_stream(stream, ErrorCodes.CANCEL)
        await client.flush()
        assert (await client.call("Metadata")).status == 0
        assert client.pings == 1


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, os.urandom(2000)])
@pytest.mark.usefixtures("server")
async def test_what_is_not_http2_ends_its_connection_only(path: Path, noise: bytes) -> None:
    """Others go on."""
    async with GrpcClient.connected(path) as client:
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(noise)
        assert (await client.call("Metadata")).status == 0
        writer.close()


async def test_an_answer_waits_for_room(path: Path) -> None:
    """A client that takes little at a time gets everything."""
    keys = tuple(replace(ring_key(number), signed_time=NOW) for number in range(1, 9))
    server = GrpcServer(path, service(offer(*keys)).calls)
    await server.start()
    async with GrpcClient.connected(path) as client:
        client.http.update_settings({4: 100})  # SETTINGS_INITIAL_WINDOW_SIZE
        await client.flush()
        reply = await client.call("FetchKeys")
        assert len(reply.message) > 800
        assert len(list(fields(reply.message))) == len(keys) + 2
    await server.stop(0)


async def test_the_offer_can_be_renewed_at_any_time(path: Path) -> None:
    """S12: from memory, newest first, excluded where it only verifies; a list without a signing key is not taken."""
    served = service(offer(OLD, signs=OLD))
    server = GrpcServer(path, served.calls)
    await server.start()
    excluded = replace(OLD, private=None, verify_only_time=NOW)
    async with GrpcClient.connected(path) as client:
        assert verifies((await client.call("Sign", bytes_field(1, CLAIMS))).message, OLD)
        served.renew(offer(NEW, excluded))
        assert verifies((await client.call("Sign", bytes_field(1, CLAIMS))).message, NEW)
        listed = [ListedKey(NEW.key_id, NEW.key.spki), ListedKey(OLD.key_id, OLD.key.spki, excluded=True)]
        expected = fetch_keys_response(listed, NOW, timedelta(seconds=10))
        assert (await client.call("FetchKeys")).message == expected
        served.renew(Offer(None, (excluded,), NOW))
        assert (await client.call("FetchKeys")).message == expected
        assert (await client.call("Sign", bytes_field(1, CLAIMS))).status == 13
    await server.stop(0)


async def test_the_first_signature_waits_for_the_ring(path: Path) -> None:
    """S10: keys and metadata are answered at once, since an API server starts by them; tokens wait."""
    served = service(read=False)
    server = GrpcServer(path, served.calls)
    await server.start()
    async with GrpcClient.connected(path) as client:
        stream = await client.send("Sign", bytes_field(1, CLAIMS))
        assert (await client.call("FetchKeys")).status == (await client.call("Metadata")).status == 0
        assert client.replies[stream].status is None
        assert served.waits_for_ring
        served.renew(offer(signs=OLD))
        served.ring_was_read()
        assert verifies((await client.reply(stream)).message, OLD)
    await server.stop(0)


async def test_a_key_that_an_api_server_misses_is_looked_for_in_the_ring(path: Path) -> None:
    """S10: the first list is the disk's, by which an API server starts; the second one waits for the ring, as a token does."""
    served = service(offer(OLD, signs=OLD), read=False)
    server = GrpcServer(path, served.calls)
    await server.start()
    async with GrpcClient.connected(path) as client:
        assert (await client.call("FetchKeys")).status == 0
        stream = await client.send("FetchKeys")
        assert (await client.call("Metadata")).status == 0
        assert client.replies[stream].status is None
        served.renew(offer())
        served.ring_was_read()
        listed = [ListedKey(key.key_id, key.key.spki) for key in (NEW, OLD)]
        expected = fetch_keys_response(listed, NOW, timedelta(seconds=10))
        assert (await client.reply(stream)).message == (await client.call("FetchKeys")).message == expected
    await server.stop(0)


async def test_after_its_patience_the_disk_has_to_do(path: Path) -> None:
    """S10: ten seconds after the first one was asked, for all of them. An API server gives up after 34."""
    server = GrpcServer(path, service(read=False, patience_s=0.3).calls)
    await server.start()
    async with GrpcClient.connected(path) as client:
        begun = time.monotonic()
        assert verifies((await client.call("Sign", bytes_field(1, CLAIMS))).message)
        first = time.monotonic() - begun
        assert verifies((await client.call("Sign", bytes_field(1, CLAIMS))).message)
        assert first >= 0.3 > time.monotonic() - begun - first
    await server.stop(0)


async def test_nothing_of_a_failure_goes_outside(path: Path) -> None:
    """Least of all a key: whatever is raised becomes one sentence, at once or after a wait."""

    async def fails_later(request: bytes) -> bytes:
        raise RuntimeError(f"PRIVATE KEY {request!r}")

    def fails(request: bytes) -> bytes:
        raise RuntimeError(f"PRIVATE KEY {request!r}")

    server = GrpcServer(path, {"Sign": fails_later, "FetchKeys": fails})
    await server.start()
    async with GrpcClient.connected(path) as client:
        for name in ("Sign", "FetchKeys"):
            reply = await client.call(name, b"secret")
            assert (reply.status, reply.headers["grpc-message"]) == (13, "the signer failed")
    await server.stop(0)


def test_no_status_is_unavailable() -> None:
    """S11: an API server that starts ends at once when it reads UNAVAILABLE (14)."""
    assert {int(status) for status in Status} == {0, 3, 8, 12, 13}


async def test_an_offer_is_complete_when_all_three_calls_can_be_answered() -> None:
    """S11: without that there is no socket."""
    excluded = replace(OLD, private=None, verify_only_time=NOW)
    assert offer().complete
    assert not Offer(None, (NEW,), NOW).complete
    assert not Offer(TokenSigner.of(NEW), (excluded,), NOW).complete
    assert not Offer(TokenSigner.of(NEW), (), NOW).complete


async def test_the_socket_is_the_owners_whatever_the_umask(path: Path) -> None:
    """S19: it never has other permissions, since it is renamed when it has these."""
    before = os.umask(0)
    try:
        server = GrpcServer(path, service().calls)
        await server.start()
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600  # noqa: PTH116 - pathlib's is taken for blocking
    assert os.listdir(path.parent) == ["signer.sock"]  # noqa: PTH208 - the same
    await server.stop(0)
    assert os.listdir(path.parent) == ["signer.sock"], "the next signer's may be there"  # noqa: PTH208 - the same


async def test_a_stale_socket_and_a_file_of_a_former_process_are_replaced(path: Path) -> None:
    """S19: after a kill, with the same number of the process."""
    for left in (path, path.with_name(f"{path.name}.{os.getpid()}")):
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(left))
        stale.close()
    server = GrpcServer(path, service().calls)
    await server.start()
    async with GrpcClient.connected(path) as client:
        assert (await client.call("Metadata")).status == 0
    await server.stop(0)


@pytest.mark.parametrize("place", ["missing/signer.sock", "s" * 120])
async def test_a_socket_that_cannot_be_made_says_why(tmp_path: Path, place: str) -> None:
    """The folder is missing, or the path is longer than Unix sockets have."""
    with pytest.raises(SocketError, match=r"cannot be made: No such file|longer than 107 bytes"):
        await GrpcServer(tmp_path / place, service().calls).start()


async def test_only_named_users_are_served(path: Path) -> None:
    """A second lock, behind the permissions of the file."""
    for uids, served in ((frozenset({os.getuid()}), True), (frozenset({os.getuid() + 1}), False)):
        server = GrpcServer(path, service().calls, allowed_uids=uids)
        await server.start()
        async with GrpcClient.connected(path) as client:
            reply = await client.call("Metadata")
            assert (reply.status == 0, client.closed) == (served, not served)
        await server.stop(0)


async def test_stopping_answers_what_was_asked(path: Path) -> None:
    """S19: GOAWAY, finish, end; a call that comes behind GOAWAY is left to the next server."""
    served = service(read=False)
    server = GrpcServer(path, served.calls)
    await server.start()
    async with GrpcClient.connected(path) as client:
        stream = await client.send("Sign", bytes_field(1, CLAIMS))
        await client.call("Metadata")
        stopping = asyncio.create_task(server.stop(5))
        while client.last_stream is None:
            await client.receive()
        assert client.last_stream == stream + 2
        served.ring_was_read()
        assert verifies((await client.reply(stream)).message)
        await stopping
        while not client.closed:
            await client.receive()


async def test_stopping_takes_no_longer_than_its_grace(path: Path) -> None:
    """A call that cannot be answered keeps nobody."""
    server = GrpcServer(path, service(read=False).calls)
    await server.start()
    async with GrpcClient.connected(path) as client:
        await client.send("Sign", bytes_field(1, CLAIMS))
        await client.call("Metadata")
        begun = time.monotonic()
        await server.stop(0.2)
        assert time.monotonic() - begun < 2


async def test_a_hand_over_loses_no_call(path: Path) -> None:
    """S19: the new one renames its socket over, then the old one stops; at every moment somebody answers."""
    former = GrpcServer(path, service().calls)
    await former.start()
    async with GrpcClient.connected(path) as client:
        assert (await client.call("Metadata")).status == 0
        latter = GrpcServer(path, service(offer(signs=OLD)).calls)
        await latter.start()
        assert verifies((await client.call("Sign", bytes_field(1, CLAIMS))).message, NEW)
        async with GrpcClient.connected(path) as other:
            assert verifies((await other.call("Sign", bytes_field(1, CLAIMS))).message, OLD)
            await former.stop()
            assert verifies((await other.call("Sign", bytes_field(1, CLAIMS))).message, OLD)
    await latter.stop(0)


def test_a_response_that_is_put_together_here_is_what_the_client_reads() -> None:
    """The helper of these tests reads header and signature in their order."""
    assert token_of(sign_response("h", "s")) == f"h.{CLAIMS}.s"


async def test_a_call_that_is_given_up_while_it_waits_disturbs_no_other(path: Path) -> None:
    """An API server's deadline passes; the answer, when there is one, has nobody to go to."""
    served = service(read=False)
    server = GrpcServer(path, served.calls)
    await server.start()
    async with GrpcClient.connected(path) as client:
        given_up = await client.send("Sign", bytes_field(1, CLAIMS))
        kept = await client.send("Sign", bytes_field(1, CLAIMS))
        client.http.reset_stream(given_up, ErrorCodes.CANCEL)
        await client.flush()
        assert (await client.call("Metadata")).status == 0
        served.ring_was_read()
        assert verifies((await client.reply(kept)).message)
        assert client.replies[given_up].status is None
    await server.stop(0)


async def test_a_client_that_says_goodbye_is_let_go(path: Path) -> None:
    """As an API server that ends."""
    server = GrpcServer(path, service().calls)
    await server.start()
    async with GrpcClient.connected(path) as client:
        assert (await client.call("Metadata")).status == 0
        client.http.close_connection()
        await client.flush()
        while not client.closed:
            await client.receive()
    await server.stop(0)
