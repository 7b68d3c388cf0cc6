"""Define how a call of gRPC ends, and how messages are framed. Pure.

Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

import struct
from enum import IntEnum

#: An API server sends a few kilobytes; a token of the largest object that etcd takes has less.
MAX_MESSAGE_BYTES = 2 * 1024 * 1024
_NOT_COMPRESSED = 0
_PREFIX = struct.Struct(">BI")


class Status(IntEnum):
    """A Status is what gRPC says of a call. UNAVAILABLE is not among them: it ends an API server that starts (S11)."""

    OK = 0
    INVALID_ARGUMENT = 3
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13


class RpcError(Exception):
    """A call fails with this status. The message goes to whoever asked for a token, and so carries no detail."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def framed(message: bytes) -> bytes:
    """Return a message with its prefix: not compressed, and its length."""
    return _PREFIX.pack(_NOT_COMPRESSED, len(message)) + message


def unframed(data: bytes) -> bytes:
    """Return the one message of a request; raises RpcError for none, several, or one that is compressed."""
    if len(data) < _PREFIX.size:
        raise RpcError(Status.INTERNAL, "the request has no message")
    compressed, size = _PREFIX.unpack_from(data)
    if compressed:
        raise RpcError(Status.UNIMPLEMENTED, "compressed messages are not supported")
    if len(data) != _PREFIX.size + size:
        raise RpcError(Status.INTERNAL, "the request is not one message")
    return data[_PREFIX.size :]
