"""Answers that are packed without h2, as an independent HTTP/2 client reads them."""

from __future__ import annotations

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, TrailersReceived
from h2.exceptions import ProtocolError

from oidc_publisher.signer.server.h2connection import BEGIN, ServerConnection

_WINDOW = 65535


class Pair:
    """A client and the connection of a server, whose bytes reach one another at once."""

    def __init__(self) -> None:
        self.client = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.server = ServerConnection()
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.exchange()

    def exchange(self, whole: bytes = b"") -> list[Event]:
        """Bring what each side has to say to the other; returns what the client read."""
        self.server.receive_data(self.client.data_to_send())
        return self.client.receive_data(self.server.data_to_send() + whole)

    def request(self) -> int:
        """Begin a request and end it."""
        stream = self.client.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", "/")]
        self.client.send_headers(stream, headers, end_stream=True)
        self.exchange()
        return stream


def test_a_whole_answer_is_headers_data_and_trailers() -> None:
    """As gRPC wants them: the status stands in trailers, with which the stream ends."""
    pair = Pair()
    stream = pair.request()
    events = pair.exchange(pair.server.whole_answer(stream, b"12345"))
    begin, data, trailers, ended = (event for event in events if getattr(event, "stream_id", 0) == stream)
    assert isinstance(begin, ResponseReceived)
    assert begin.headers == [(b":status", b"200"), (b"content-type", b"application/grpc")]
    assert isinstance(data, DataReceived)
    assert data.data == b"12345"
    assert isinstance(trailers, TrailersReceived)
    assert trailers.headers == [(b"grpc-status", b"0")]
    assert isinstance(ended, StreamEnded)


def test_answers_of_both_kinds_stand_beside_each_other() -> None:
    """Those that h2 packs fill a table that the others do not know, in whatever order they are sent."""
    pair = Pair()
    for number in range(3):
        failed, signed = pair.request(), pair.request()
        pair.server.send_headers(failed, (*BEGIN, (b"grpc-message", b"no %d" % number)), end_stream=True)
        events = pair.exchange(pair.server.whole_answer(signed, b"12345"))
        read = {event.stream_id: event.headers for event in events if isinstance(event, ResponseReceived)}
        assert read[failed][-1] == (b"grpc-message", b"no %d" % number)
        assert read[signed][-1] == (b"content-type", b"application/grpc")


def test_no_answer_is_sent_beyond_what_the_client_takes() -> None:
    """A connection has room for so many bytes, until its client makes more: the client of this test refuses the rest."""
    pair, answer, sent = Pair(), bytes(10_000), 0
    while whole := pair.server.whole_answer(pair.request(), answer):
        pair.exchange(whole)
        sent += len(answer)
    assert sent == _WINDOW // len(answer) * len(answer)
    stream = pair.request()
    assert pair.server.whole_answer(stream, bytes(_WINDOW - sent + 1)) == b""
    assert pair.server.whole_answer(stream, bytes(_WINDOW - sent)) != b""


def test_no_frame_is_larger_than_the_client_takes() -> None:
    """16,384 bytes, unless it says more: the rest is for h2 to send in parts."""
    pair = Pair()
    stream = pair.request()
    assert pair.server.whole_answer(stream, bytes(16_385)) == b""
    assert pair.server.whole_answer(stream, bytes(16_384)) != b""


@pytest.mark.parametrize("given_up", [True, False], ids=["given-up", "answered"])
def test_a_stream_that_is_over_has_no_answer(given_up: bool) -> None:
    """The client gave it up, or it has been answered."""
    pair = Pair()
    stream = pair.request()
    if given_up:
        pair.client.reset_stream(stream)
        pair.exchange()
    else:
        pair.server.whole_answer(stream, b"12345")
    with pytest.raises(ProtocolError):
        pair.server.whole_answer(stream, b"12345")


def test_streams_that_are_answered_are_forgotten() -> None:
    """An API server keeps one connection for months."""
    pair = Pair()
    for _ in range(50):
        pair.exchange(pair.server.whole_answer(pair.request(), b"12345"))
    pair.request()
    assert pair.server.open_inbound_streams == 1
    assert len(pair.server.streams) == 1
