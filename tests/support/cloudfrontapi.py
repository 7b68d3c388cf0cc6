"""Serve the three calls of CloudFront that the operator makes, in front of caches that are really purged.

Like CloudFront it treats a reference that was used before as the same invalidation, refuses other paths with that
reference, purges edge after edge, and answers Completed when the last one is done. A test can make it refuse, make it
busy, or have a function called for each request. The protocol is XML over HTTP on loopback; AWS_ENDPOINT_URL_CLOUDFRONT
names the server.
"""

from __future__ import annotations

import collections
import contextlib
import http.server
import re
import socket
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from tests.support.processes import free_port
from tests.support.startable import Startable

_XMLNS = "http://cloudfront.amazonaws.com/doc/2020-05-31/"
_PATH = re.compile(r"^/2020-05-31/distribution/(?P<id>[A-Z0-9]+)(?P<rest>/invalidation(?:/(?P<invalidation>\w+))?)?$")
#: An endpoint of its own is signed for in the client's region, Amazon's in us-east-1.
_SCOPE = "/cloudfront/aws4_request"


@dataclass(slots=True)
class Invalidation:
    """One that was taken; `asked` counts how often it was asked for under its reference."""

    id: str
    reference: str
    paths: tuple[str, ...]
    at: float
    asked: int = 1
    done: threading.Event = field(default_factory=threading.Event)


class CloudFrontAPI(Startable):
    """One distribution with one origin. `purge(edge, paths)` drops copies at the edge of that number.

    `delays_s` are the seconds after which each edge is purged. `refuse` maps an operation to the (status, code) of its
    refusal. `arrived` is called with (operation, taken) before an invalidation is taken and, afterwards, before it is
    answered.
    """

    def __init__(
        self,
        distribution: str,
        origin: str,
        origin_path: str = "",
        *,
        purge: Callable[[int, tuple[str, ...]], None] = lambda _edge, _paths: None,
        delays_s: tuple[float, ...] = (0.0,),
    ) -> None:
        self.distribution = distribution
        self.origin, self.origin_path = origin, origin_path
        self.delays_s = delays_s
        self.refuse: dict[str, tuple[int, str]] = {}
        self.arrived: Callable[[str, bool], None] | None = None
        self.requests: collections.Counter[str] = collections.Counter()
        self.invalidations: list[Invalidation] = []
        self.port = free_port()
        self._purge = purge
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The value of AWS_ENDPOINT_URL_CLOUDFRONT."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, in threads of its own."""
        api = self

        class Handler(_Handler):
            def handle_request(self, method: str, body: bytes) -> tuple[int, str]:
                return api._answer(method, self.path, self.headers.get("Authorization", ""), body)

        self._server = _Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, name="cloudfront", daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(  # noqa: PLR0911 - one answer each
        self, method: str, path: str, authorization: str, body: bytes
    ) -> tuple[int, str]:
        found = _PATH.match(path)
        operation = _operation(method, found)
        self.requests[operation] += 1
        if found is None or not operation:
            return _error(404, "NoSuchResource")
        if _SCOPE not in authorization:
            return _error(403, "SignatureDoesNotMatch")
        if operation in self.refuse:
            return _error(*self.refuse[operation])
        if found["id"] != self.distribution:
            return _error(404, "NoSuchDistribution")
        if operation == "GetDistribution":
            return 200, self._described()
        if operation == "GetInvalidation":
            known = next((i for i in self.invalidations if i.id == found["invalidation"]), None)
            return (200, _invalidation(known)) if known else _error(404, "NoSuchInvalidation")
        return self._create(body)

    def _create(self, body: bytes) -> tuple[int, str]:
        batch = ET.fromstring(body)  # noqa: S314 - of our own client
        reference = batch.findtext(f"{{{_XMLNS}}}CallerReference", "")
        paths = tuple(path.text or "" for path in batch.iter(f"{{{_XMLNS}}}Path"))
        self._tell(taken=False)
        with self._lock:
            known = next((i for i in self.invalidations if i.reference == reference), None)
            if known is not None and known.paths != paths:
                return _error(400, "InvalidationBatchAlreadyExists")
            if known is None:
                known = Invalidation(f"I{len(self.invalidations) + 1:013}", reference, paths, time.time())
                self.invalidations.append(known)
                threading.Thread(target=self._purge_edges, args=(known,), daemon=True).start()
            else:
                known.asked += 1
        self._tell(taken=True)
        return 201, _invalidation(known)

    def _tell(self, *, taken: bool) -> None:
        if self.arrived is not None:
            self.arrived("CreateInvalidation", taken)

    def _purge_edges(self, invalidation: Invalidation) -> None:
        for edge, delay_s in enumerate(self.delays_s):
            time.sleep(max(0.0, invalidation.at + delay_s - time.time()))
            self._purge(edge, invalidation.paths)
        invalidation.done.set()

    def _described(self) -> str:
        return (
            f'<Distribution xmlns="{_XMLNS}"><Id>{self.distribution}</Id><Status>Deployed</Status><DistributionConfig>'
            f"<Origins><Quantity>1</Quantity><Items><Origin><Id>one</Id><DomainName>{escape(self.origin)}</DomainName>"
            f"<OriginPath>{escape(self.origin_path)}</OriginPath></Origin></Items></Origins>"
            "</DistributionConfig></Distribution>"
        )


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing, because the client was killed, or its connection is aborted."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        self._respond("GET")

    def do_POST(self) -> None:
        self._respond("POST")

    def handle_request(self, method: str, body: bytes) -> tuple[int, str]:
        raise NotImplementedError

    def log_message(self, *_: object) -> None:
        """Log nothing, because the tests read the recorded requests."""

    def _respond(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, text = self.handle_request(method, body)
        answer = f'<?xml version="1.0"?>\n{text}'.encode()
        with contextlib.suppress(OSError):  # who asked may have been killed
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)


def _operation(method: str, found: re.Match[str] | None) -> str:
    if found is None:
        return ""
    asked = (method, found["rest"] is not None, found["invalidation"] is not None)
    return {
        ("GET", False, False): "GetDistribution",
        ("POST", True, False): "CreateInvalidation",
        ("GET", True, True): "GetInvalidation",
    }.get(asked, "")


def _invalidation(one: Invalidation) -> str:
    status = "Completed" if one.done.is_set() else "InProgress"
    paths = "".join(f"<Path>{escape(path)}</Path>" for path in one.paths)
    return (
        f'<Invalidation xmlns="{_XMLNS}"><Id>{one.id}</Id><Status>{status}</Status>'
        f"<CreateTime>{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(one.at))}</CreateTime><InvalidationBatch><Paths>"
        f"<Quantity>{len(one.paths)}</Quantity><Items>{paths}</Items></Paths>"
        f"<CallerReference>{escape(one.reference)}</CallerReference></InvalidationBatch></Invalidation>"
    )


def _error(status: int, code: str) -> tuple[int, str]:
    return status, (
        f'<ErrorResponse xmlns="{_XMLNS}"><Error><Type>Sender</Type><Code>{code}</Code><Message>{code}</Message></Error>'
        "<RequestId>0</RequestId></ErrorResponse>"
    )
