"""Call a signer over its socket, as an API server does; blocking, and for one thread."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from h2.config import H2Configuration
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError

from oidc_publisher.errors import PublisherError
from oidc_publisher.findings import Reason
from oidc_publisher.signer.server.h2connection import BriefConnection
from oidc_publisher.signer.server.http2 import SERVICES
from oidc_publisher.signer.server.rpc import RpcError, Status, framed, unframed

_MOST_BYTES = 65536


class CallError(PublisherError):
    """The signer does not answer, or answers with an error."""


@dataclass(slots=True)
class _Response:
    """What has come of the answer to one call."""

    status: str = ""
    data: bytearray = field(default_factory=bytearray)
    ended: bool = False


class SignerClient:
    """The SignerClient has one connection; `timeout_s` is how long a call may take."""

    def __init__(self, endpoint: socket.socket, timeout_s: float) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._http = BriefConnection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._http.initiate_connection()

    @classmethod
    @contextmanager
    def connected(cls, path: Path, timeout_s: float) -> Iterator[SignerClient]:
        """Connect to the socket at `path`; raises CallError where nobody listens."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as endpoint:
            endpoint.settimeout(timeout_s)
            try:
                endpoint.connect(str(path))
            except OSError as error:
                raise _failed(f"Nobody answers at the socket {path}: {error.strerror or error}") from None
            yield cls(endpoint, timeout_s)

    def call(self, name: str, message: bytes = b"") -> bytes:
        """Return the answer of Sign, FetchKeys or Metadata; raises CallError."""
        try:
            response = self._response(name, message, time.monotonic() + self._timeout_s)
            if response.status != str(int(Status.OK)):
                raise _failed(f"The signer answers {name} with status {response.status or 'none'} of gRPC")
            return unframed(bytes(response.data))
        except TimeoutError:
            raise _failed(f"The signer does not answer {name} within {self._timeout_s:g} s") from None
        except (OSError, ProtocolError) as error:
            raise _failed(
                f"The connection to the signer ended during {name}: {error or type(error).__name__}"
            ) from None
        except RpcError as error:
            raise _failed(f"The signer's answer to {name} is no message: {error.message}") from None

    def _response(self, name: str, message: bytes, end_s: float) -> _Response:
        stream = self._http.get_next_available_stream_id()
        path = f"/{SERVICES[0]}/{name}"
        headers = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
        self._http.send_headers(stream, [*headers, ("content-type", "application/grpc"), ("te", "trailers")])
        self._http.send_data(stream, framed(message), end_stream=True)
        response = _Response()
        while not response.ended:
            self._exchange(response, end_s)
        return response

    def _exchange(self, response: _Response, end_s: float) -> None:
        """Send what is to be sent, and take what comes next."""
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._endpoint.settimeout(left_s)
        self._endpoint.sendall(self._http.data_to_send())
        data = self._endpoint.recv(_MOST_BYTES)
        if not data:
            raise ConnectionResetError("closed by the signer")
        for event in self._http.receive_data(data):
            self._take(event, response)
        self._endpoint.sendall(self._http.data_to_send())

    def _take(self, event: Event, response: _Response) -> None:
        match event:
            case ResponseReceived() | TrailersReceived():
                headers = {str(name): str(value) for name, value in event.headers}
                response.status = headers.get("grpc-status", response.status)
            case DataReceived():
                response.data += event.data
                self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                response.ended = True
            case StreamReset():
                raise ConnectionResetError("the call was given up")


def _failed(message: str) -> CallError:
    return CallError(Reason.InternalError, message, retryable=True, hint="Look at the signer's log.")
