"""A client of gRPC over a Unix socket, whose every frame a test can see and spoil."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

_GOAWAY = 7
V1, V1ALPHA1 = "v1.ExternalJWTSigner", "v1alpha1.ExternalJWTSigner"


@dataclass(slots=True)
class Reply:
    """What came of one call; `status` is grpc-status, None while there is none."""

    headers: dict[str, str] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: bool = False

    @property
    def status(self) -> int | None:
        """The status of gRPC."""
        text = self.headers.get("grpc-status")
        return None if text is None else int(text)

    @property
    def message(self) -> bytes:
        """The one message."""
        compressed, size = struct.unpack_from(">BI", self.data)
        assert not compressed
        assert len(self.data) == 5 + size
        return bytes(self.data[5:])


class GrpcClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.replies: dict[int, Reply] = defaultdict(Reply)
        self.last_stream: int | None = None  # that of a GOAWAY
        self._received = b""
        self.closed = False
        self.pings = 0
        self._reader, self._writer = reader, writer

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, path: Path) -> AsyncIterator[GrpcClient]:
        """Connect and begin HTTP/2."""
        client = cls(*await asyncio.open_unix_connection(path))
        client.http.initiate_connection()
        await client.flush()
        try:
            yield client
        finally:
            client._writer.close()

    async def call(self, name: str, message: bytes = b"", *, service: str = V1) -> Reply:
        """Make one call and wait for its end."""
        stream = await self.send(name, message, service=service)
        return await self.reply(stream)

    async def send(
        self, name: str, message: bytes = b"", *, service: str = V1, prefix: bytes | None = None, end: bool = True
    ) -> int:
        """Send a request, as many bytes at a time as the server takes."""
        stream = await self.begin(f"/{service}/{name}")
        whole = (struct.pack(">BI", 0, len(message)) if prefix is None else prefix) + message
        await self.put(stream, whole, end=end)
        return stream

    async def begin(self, path: str) -> int:
        """Send the headers of a request."""
        stream = self.http.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
        self.http.send_headers(stream, [*headers, ("content-type", "application/grpc"), ("te", "trailers")])
        await self.flush()
        return stream

    async def put(self, stream: int, data: bytes, *, end: bool = True) -> None:
        """Send the body of a request."""
        while data:
            room = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size)
            if not room:
                await self.receive()
                continue
            self.http.send_data(stream, data[:room])
            data = data[room:]
            await self.flush()
        if end:
            self.http.end_stream(stream)
            await self.flush()

    async def reply(self, stream: int) -> Reply:
        """Wait for the end of a call, or of the connection."""
        reply = self.replies[stream]
        while not (reply.ended or reply.reset or self.closed):
            await self.receive()
        return reply

    async def receive(self) -> None:
        """Handle what the server sends next."""
        try:
            data = await asyncio.wait_for(self._reader.read(65536), 30)
        except ConnectionError:
            data = b""
        self.closed = not data
        self._received += data
        for frame in self._frames():
            if frame[3] == _GOAWAY:
                self.last_stream = int.from_bytes(frame[9:13])  # h2 would end the connection, which gRPC does not
                continue
            for event in self.http.receive_data(frame):
                self._handle(event)
        await self.flush()

    def _frames(self) -> Iterator[bytes]:
        """Yield the whole frames that came (RFC 9113, 4.1)."""
        while len(self._received) >= 9 and len(self._received) >= (size := 9 + int.from_bytes(self._received[:3])):
            frame, self._received = self._received[:size], self._received[size:]
            yield frame

    async def flush(self) -> None:
        """Send what h2 wants to send."""
        with contextlib.suppress(ConnectionError):
            await self.raw(self.http.data_to_send())

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    def _handle(self, event: Event) -> None:
        match event:
            case ResponseReceived() | TrailersReceived():
                self.replies[event.stream_id].headers |= {str(k): str(v) for k, v in event.headers}
            case DataReceived():
                self.replies[event.stream_id].data += event.data
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                self.replies[event.stream_id].ended = True
            case StreamReset():
                self.replies[event.stream_id].reset = True
            case PingAckReceived():
                self.pings += 1
