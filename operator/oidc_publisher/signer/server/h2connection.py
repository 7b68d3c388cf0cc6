"""Keep the HTTP/2 state of one connection by the h2 library, and pack the frames of a whole answer without it.

Every answer has the same headers and trailers. h2 makes three frames of them one by one, through checks and a header
table that an answer of a signer has no use for, which was a third of what a call cost beside its signature.
"""

from __future__ import annotations

import struct

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, H2Connection
from h2.stream import StreamInputs

from oidc_publisher.signer.server.rpc import Status

Header = tuple[bytes, bytes]

#: What every answer begins with, and how one that succeeds ends.
BEGIN: tuple[Header, ...] = ((b":status", b"200"), (b"content-type", b"application/grpc"))
SUCCEEDED: tuple[Header, ...] = ((b"grpc-status", b"%d" % Status.OK),)
#: Headers are compared as they are, and of those that come only the path is read: h2's own looks at each of them cost
#: a third of a call.
_CONFIGURATION = H2Configuration(
    client_side=False,
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)
#: The header of a frame (RFC 9113, 4.1): its size in three bytes, kind, flags and stream.
_FRAME = struct.Struct(">BHBBI")
_DATA, _HEADERS = 0, 1
_END_STREAM, _END_HEADERS = 1, 4


def _literals(headers: tuple[Header, ...]) -> bytes:
    """Return a header block of literals that no table keeps (RFC 7541, 6.2.2), for names and values below 127 bytes."""
    return b"".join(b"\0%c%b%c%b" % (len(name), name, len(value), value) for name, value in headers)


_BEGIN_BLOCK, _SUCCEEDED_BLOCK = _literals(BEGIN), _literals(SUCCEEDED)


class BriefConnection(H2Connection):
    """The BriefConnection is h2's, which knows a short history."""

    #: Of how many streams that are over it is known how they ended. An API server keeps one connection for months, as the
    #: signer does that calls itself, and h2's own number, 65,536, is nine megabytes.
    MAX_CLOSED_STREAMS = 256


class ServerConnection(BriefConnection):
    """The ServerConnection sends an answer at once."""

    def __init__(self) -> None:
        super().__init__(_CONFIGURATION)

    def room(self, stream_id: int) -> int:
        """Return how many bytes one frame of data may have now; raises ProtocolError for a stream that is over."""
        return min(self.local_flow_control_window(stream_id), self.max_outbound_frame_size)

    def whole_answer(self, stream_id: int, data: bytes) -> bytes:
        """Return the frames of an answer that succeeds, and end its stream; nothing where the client has no room for it.

        The frames may be sent before or after whatever h2 wants to be sent: they change no table.

        Raises ProtocolError for a stream that is over, as when the client gave it up.
        """
        size = len(data)
        if size > self.room(stream_id):
            return b""
        self.state_machine.process_input(ConnectionInputs.SEND_HEADERS)
        stream = self.streams[stream_id].state_machine
        stream.process_input(StreamInputs.SEND_HEADERS)
        stream.process_input(StreamInputs.SEND_END_STREAM)
        self.outbound_flow_control_window -= size
        return b"".join(
            (
                _frame(_HEADERS, _END_HEADERS, stream_id, _BEGIN_BLOCK),
                _frame(_DATA, 0, stream_id, data),
                _frame(_HEADERS, _END_HEADERS | _END_STREAM, stream_id, _SUCCEEDED_BLOCK),
            )
        )


def _frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    size = len(payload)
    return _FRAME.pack(size >> 16, size & 0xFFFF, kind, flags, stream_id) + payload
