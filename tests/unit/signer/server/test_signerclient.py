"""The client of a signer, on a real socket: what it reads, and what each kind of silence becomes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from oidc_publisher.signer.server import CallError, SignerClient
from oidc_publisher.signer.server.decoding import fetched_keys_of, lifetime_of, signature_of
from oidc_publisher.signer.server.messages import ListedKey, fetch_keys_response, metadata_response, sign_response
from oidc_publisher.signer.server.protobuf import MalformedMessageError, bytes_field, message_field, varint_field
from tests.support.signerthread import SignerThread, new_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLAIMS = bytes_field(1, "e30")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the socket is."""
    return tmp_path / "signer.sock"


def test_all_calls_over_one_connection(path: Path) -> None:
    """As often as somebody likes."""
    key = new_key(1)
    with SignerThread(path, key), SignerClient.connected(path, 10) as client:
        assert lifetime_of(client.call("Metadata")) == timedelta(hours=24)
        (listed,) = fetched_keys_of(client.call("FetchKeys")).keys
        assert listed == ListedKey(key.key_id, key.key.spki)
        tokens = {signature_of(client.call("Sign", CLAIMS)) for _ in range(20)}
        assert {header for header, _ in tokens} != {""}


def test_a_call_that_is_over_is_forgotten(path: Path) -> None:
    """A signer calls itself every five seconds, for months."""
    with SignerThread(path, new_key(1)), SignerClient.connected(path, 10) as client:
        for _ in range(600):
            client.call("Metadata")
        assert len(client._http._closed_streams) < 300


def test_an_answer_of_several_frames(path: Path) -> None:
    """A list of many keys is larger than a frame of HTTP/2."""
    keys = [new_key(number, "ES512") for number in range(1, 100)]
    with SignerThread(path, *keys), SignerClient.connected(path, 10) as client:
        assert len(fetched_keys_of(client.call("FetchKeys")).keys) == 99


def test_an_error_names_the_call_and_the_status(path: Path) -> None:
    """And the connection goes on."""
    with SignerThread(path, new_key(1)), SignerClient.connected(path, 10) as client:
        with pytest.raises(CallError, match="answers Sign with status 3 of gRPC"):
            client.call("Sign", b"")
        with pytest.raises(CallError, match="answers Nothing with status 12 of gRPC"):
            client.call("Nothing")
        assert client.call("Metadata")


def test_nobody_listens(path: Path) -> None:
    """With no file, and with one that was left."""
    for reason in ("No such file or directory", "Connection refused"):
        with pytest.raises(CallError, match=rf"Nobody answers at the socket .*: {reason}"), _connected(path):
            pass
        socket.socket(socket.AF_UNIX).bind(str(path)) if not path.exists() else None


@contextmanager
def _connected(path: Path) -> Iterator[SignerClient]:
    with SignerClient.connected(path, 1) as client:
        yield client


@contextmanager
def _server(path: Path, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """Accept one connection, and do something with it."""
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(str(path))
        endpoint.listen()

        def serve() -> None:
            connection, _ = endpoint.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(10)


def _until_the_end(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_until_the_end, "does not answer Metadata within 0.2 s"),
        (lambda connection: connection.close(), "ended during Metadata"),
        (lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "ended during Metadata"),
    ],
    ids=["silent", "closed", "not HTTP/2"],
)
def test_what_does_not_answer_is_an_error(path: Path, answer: Callable[[socket.socket], None], message: str) -> None:
    """Within the time that was given."""
    with (
        _server(path, answer),
        pytest.raises(CallError, match=message),
        SignerClient.connected(path, 0.2) as client,
    ):
        client.call("Metadata")


def test_what_is_encoded_is_decoded() -> None:
    """The server's messages, which are compared with protobuf."""
    keys = (ListedKey("a", b"spki"), ListedKey("b", b"other", excluded=True))
    fetched = fetched_keys_of(fetch_keys_response(keys, NOW, timedelta(seconds=10)))
    assert (fetched.keys, fetched.time) == (keys, NOW)
    assert (fetched.get("b"), fetched.get("c")) == (keys[1], None)
    assert signature_of(sign_response("header", "signature")) == ("header", "signature")
    assert lifetime_of(metadata_response(timedelta(hours=2))) == timedelta(hours=2)


@pytest.mark.parametrize(
    "decoded",
    [
        lambda: signature_of(varint_field(1, 5)),
        lambda: signature_of(message_field(1, b"\xff")),
        lambda: lifetime_of(bytes_field(1, "x")),
        lambda: fetched_keys_of(varint_field(1, 5)),
        lambda: fetched_keys_of(varint_field(2, 5)),
    ],
)
def test_other_messages_are_refused(decoded: Callable[[], object]) -> None:
    """With one kind of error."""
    with pytest.raises(MalformedMessageError):
        decoded()
