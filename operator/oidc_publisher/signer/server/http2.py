"""Serve gRPC over HTTP/2 on one connection, by the h2 library."""

from __future__ import annotations

import asyncio
import functools
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from oidc_publisher.signer.server.h2connection import BEGIN, SUCCEEDED, Header, ServerConnection
from oidc_publisher.signer.server.rpc import MAX_MESSAGE_BYTES, RpcError, Status, framed, unframed

#: A call of the service. It returns its answer at once, or something to wait for where it has to wait.
Method = Callable[[bytes], bytes | Awaitable[bytes]]

#: The service of KEP-740, under the name that it has up to Kubernetes 1.33 as well.
SERVICES = ("v1.ExternalJWTSigner", "v1alpha1.ExternalJWTSigner")
#: A GOAWAY frame (RFC 9113, 6.8) on stream 0: the last stream that is answered, and no error.
_GOAWAY = struct.Struct(">BHBBIII")


@dataclass(slots=True)
class _Request:
    """A request until its end: the name of its call, and what came of its message."""

    call: str
    data: bytearray = field(default_factory=bytearray)
    too_large: bool = False


class GrpcConnection(asyncio.Protocol):
    """A GrpcConnection answers the calls of one client.

    `calls` are the calls by their names. `opened` is asked about each new connection, and says whether it may stay;
    `closed` is told of its end. Bytes that are not HTTP/2 end the connection, and a call that fails ends that call.
    """

    def __init__(
        self,
        calls: Mapping[str, Method],
        *,
        opened: Callable[[GrpcConnection, asyncio.Transport], bool],
        closed: Callable[[GrpcConnection], None],
    ) -> None:
        self._calls = calls
        self._opened = opened
        self._closed = closed
        self._http = ServerConnection()
        self._transport: asyncio.Transport | None = None
        self._requests: dict[int, _Request] = {}
        self._answering: dict[int, asyncio.Task[None]] = {}
        self._unsent: dict[int, tuple[bytes, tuple[Header, ...]]] = {}
        self._last_stream = 0
        self._going_away = False
        self._quiet = asyncio.Event()

    async def quiet(self) -> None:
        """Wait until every call is answered and every answer is written."""
        await self._quiet.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the connection, unless it may not stay."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream socket has no other
        self._transport = transport
        if not self._opened(self, transport):
            transport.abort()
            return
        self._http.initiate_connection()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what nobody waits for any more."""
        del exc
        for task in self._answering.values():
            task.cancel()
        self._requests.clear()
        self._unsent.clear()
        self._quiet.set()
        self._closed(self)

    def data_received(self, data: bytes) -> None:
        """Handle what the client sent."""
        try:
            events = self._http.receive_data(data)
            for event in events:
                self._handle(event)
        except ProtocolError:
            self._flush()  # h2 has written why
            self.close()
            return
        self._flush()

    def go_away(self) -> None:
        """Tell the client to send further calls elsewhere; what it has sent is answered."""
        if self._transport is not None and not self._going_away:
            self._going_away = True
            self._transport.write(_GOAWAY.pack(0, 8, 7, 0, 0, self._last_stream, ErrorCodes.NO_ERROR))

    def close(self) -> None:
        """End the connection when everything that was written has been sent."""
        if self._transport is not None:
            self._transport.close()

    def _handle(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._begin(event)
            case DataReceived():
                self._take(event)
            case StreamEnded() if event.stream_id in self._requests:
                self._answer(event.stream_id, self._requests.pop(event.stream_id))
            case StreamReset():
                self._forget(event.stream_id)
            case WindowUpdated():
                self._send_unsent()
            case ConnectionTerminated():
                self.close()

    def _begin(self, event: RequestReceived) -> None:
        if self._going_away:
            return  # the client learns from GOAWAY that nobody answers, and asks another connection
        self._last_stream = max(self._last_stream, event.stream_id)
        path = next((value for name, value in event.headers if name == b":path"), b"")
        self._requests[event.stream_id] = _Request(path.decode("latin-1"))

    def _take(self, event: DataReceived) -> None:
        self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        request = self._requests.get(event.stream_id)
        if request is None or request.too_large:
            return
        request.data += event.data
        if len(request.data) > MAX_MESSAGE_BYTES:
            request.too_large = True
            request.data.clear()

    def _forget(self, stream_id: int) -> None:
        self._requests.pop(stream_id, None)
        self._unsent.pop(stream_id, None)
        if task := self._answering.pop(stream_id, None):
            task.cancel()

    def _answer(self, stream_id: int, request: _Request) -> None:
        """Answer at once where the call knows its answer: a task would cost more than the HTTP/2 of the call."""
        try:
            result = self._result(request)
        except Exception as error:  # noqa: BLE001 - see _failed
            self._failed(stream_id, error)
            return
        if isinstance(result, bytes):
            self._succeeded(stream_id, result)
        else:
            self._answering[stream_id] = asyncio.get_running_loop().create_task(self._answered(stream_id, result))

    async def _answered(self, stream_id: int, result: Awaitable[bytes]) -> None:
        try:
            message = await result
        except Exception as error:  # noqa: BLE001 - see _failed
            self._answering.pop(stream_id, None)
            self._failed(stream_id, error)
        else:
            self._answering.pop(stream_id, None)
            self._succeeded(stream_id, message)

    def _succeeded(self, stream_id: int, message: bytes) -> None:
        """Send an answer at once, or as much of it as the client takes now. The client may have given the stream up."""
        data = framed(message)
        try:
            whole = self._http.whole_answer(stream_id, data)
            if not whole:
                self._http.send_headers(stream_id, BEGIN)
                self._unsent[stream_id] = data, SUCCEEDED
        except ProtocolError:
            return
        self._send_unsent(whole)

    def _failed(self, stream_id: int, error: Exception) -> None:
        """End a call that failed. Whatever fails inside of it carries nothing outside, least of all a key."""
        known = error if isinstance(error, RpcError) else RpcError(Status.INTERNAL, "the signer failed")
        trailers = ((b"grpc-status", b"%d" % known.status), (b"grpc-message", known.message.encode()))
        self._send(lambda: self._http.send_headers(stream_id, (*BEGIN, *trailers), end_stream=True))
        self._flush()

    def _result(self, request: _Request) -> bytes | Awaitable[bytes]:
        service, _, name = request.call.removeprefix("/").partition("/")
        call = self._calls.get(name) if service in SERVICES else None
        if call is None:
            raise RpcError(Status.UNIMPLEMENTED, "there is no such call")
        if request.too_large:
            raise RpcError(Status.RESOURCE_EXHAUSTED, "the request is too large")
        return call(unframed(bytes(request.data)))

    def _send_unsent(self, whole: bytes = b"") -> None:
        for stream_id in tuple(self._unsent):
            if not self._send(functools.partial(self._send_part, stream_id)):
                self._unsent.pop(stream_id, None)
        self._flush(whole)

    def _send_part(self, stream_id: int) -> None:
        """Send as much of an answer as the client takes now, and the trailers behind its end."""
        data, trailers = self._unsent[stream_id]
        while data:
            room = self._http.room(stream_id)
            if room <= 0:
                self._unsent[stream_id] = data, trailers
                return
            self._http.send_data(stream_id, data[:room])
            data = data[room:]
        del self._unsent[stream_id]
        self._http.send_headers(stream_id, trailers, end_stream=True)

    def _send(self, send: Callable[[], None]) -> bool:
        """Send something on a stream, and tell whether it could be sent: the client may have given the stream up."""
        try:
            send()
        except ProtocolError:
            return False
        return True

    def _flush(self, whole: bytes = b"") -> None:
        data = self._http.data_to_send() + whole
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
        if self._requests or self._answering or self._unsent:
            self._quiet.clear()
        else:
            self._quiet.set()
