"""Ask a signer for signatures as fast as it answers, over one connection as kube-apiserver does.

The frames are packed by hand: a client that costs as much as the signer would be measured beside it.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_DATA, _HEADERS, _SETTINGS, _GOAWAY, _WINDOW_UPDATE = 0, 1, 4, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_FRAME_BYTES = 9
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: Answers never wait for room.
_MUCH = 2**31 - 1 - 65535
_CLAIMS = {
    "aud": ["https://kubernetes.default.svc.cluster.local"],
    "exp": 1767229200,
    "iat": 1767225600,
    "iss": "https://oidc.example.com/prod",
    "jti": "5f2a2f0e-7d1c-4f3e-9a53-0c1b2d3e4f50",
    "kubernetes.io": {
        "namespace": "default",
        "node": {"name": "worker-1", "uid": "0b9c8d7e-6f5a-4b3c-8d2e-1f0a9b8c7d6e"},
        "pod": {"name": "web-7c9d8b6f5-x2x4z", "uid": "1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f"},
        "serviceaccount": {"name": "web", "uid": "2d3e4f5a-6b7c-4d8e-9f0a-1b2c3d4e5f60"},
        "warnafter": 1767229207,
    },
    "nbf": 1767225600,
    "sub": "system:serviceaccount:default:web",
}


def _text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


#: HPACK (RFC 7541) as grpc-go writes it: the first request fills the table, and the others refer to it. The deadline of
#: a call is in each of them by itself.
_FIRST = (
    b"\x83\x86\x44" + _text("/v1.ExternalJWTSigner/Sign") + b"\x41" + _text("localhost") + b"\x5f"
    + _text("application/grpc") + b"\x7a" + _text("grpc-go/1.79.0") + b"\x40" + _text("te") + _text("trailers")
)  # fmt: skip
_NEXT = b"\x83\x86\xc2\xc1\xc0\xbf\xbe"
_DEADLINE = b"\x00" + _text("grpc-timeout") + _text("9999797u")


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _message() -> bytes:
    claims = base64.urlsafe_b64encode(json.dumps(_CLAIMS, separators=(",", ":")).encode()).rstrip(b"=")
    message = b"\x0a" + bytes([len(claims) & 0x7F | 0x80, len(claims) >> 7]) + claims
    return b"\0" + struct.pack(">I", len(message)) + message


@dataclass(slots=True)
class Signed:
    """What came of some calls of Sign: how many were answered in how many seconds, and how long each one took."""

    seconds: float = 0.0
    each_ms: list[float] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many signatures came."""
        return len(self.each_ms)

    @property
    def per_s(self) -> float:
        """Signatures a second."""
        return self.calls / self.seconds

    @property
    def p99_ms(self) -> float:
        """What 99 of 100 calls stay below."""
        return sorted(self.each_ms)[int(self.calls * 0.99)]


class SignLoad:
    """One connection to a signer; `with SignLoad(path) as load`."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._path = path
        self._received = b""
        self._stream = -1
        self._begun: dict[int, float] = {}
        self._answered: set[int] = set()

    def __enter__(self) -> Self:
        self._socket.connect(str(self._path))
        room = _frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _MUCH))
        self._socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, b"") + room)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def sign(self, streams: int, seconds: float) -> Signed:
        """Keep this many calls under way for some seconds.

        Raises ConnectionError when the signer ends the connection, and RuntimeError when a call fails.
        """
        signed, began = Signed(), time.perf_counter()
        for _ in range(streams):
            self._call()
        while self._begun:
            for stream in self._ended():
                now = time.perf_counter()
                signed.each_ms.append((now - self._begun.pop(stream)) * 1000)
                signed.seconds = now - began
                if signed.seconds < seconds:
                    self._call()
        return signed

    def _call(self) -> None:
        self._stream += 2
        block = (_FIRST if self._stream == 1 else _NEXT) + _DEADLINE
        self._begun[self._stream] = time.perf_counter()
        headers = _frame(_HEADERS, _END_HEADERS, self._stream, block)
        self._socket.sendall(headers + _frame(_DATA, _END_STREAM, self._stream, _MESSAGE))

    def _ended(self) -> Iterator[int]:
        """Receive something, and yield the streams that end by it. A call that failed has no data (gRPC)."""
        received = self._socket.recv(65536)
        if not received:
            raise ConnectionError("the signer ended the connection")
        self._received += received
        for kind, flags, stream in self._frames():
            if kind == _SETTINGS and not flags & _ACK:
                self._socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _DATA:
                self._answered.add(stream)
            elif kind == _HEADERS and flags & _END_STREAM:
                if stream not in self._answered:
                    raise RuntimeError("a call of Sign failed")
                self._answered.remove(stream)
                yield stream
            elif kind == _GOAWAY:
                raise ConnectionError("the signer goes away")

    def _frames(self) -> Iterator[tuple[int, int, int]]:
        """Yield kind, flags and stream of each whole frame."""
        while len(self._received) >= _FRAME_BYTES:
            size = _FRAME_BYTES + int.from_bytes(self._received[:3], "big")
            if len(self._received) < size:
                return
            frame, self._received = self._received[:_FRAME_BYTES], self._received[size:]
            yield frame[3], frame[4], int.from_bytes(frame[5:9], "big")


_MESSAGE = _message()
