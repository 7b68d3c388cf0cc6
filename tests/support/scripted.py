"""Run a plain HTTP server with enough of S3's API for botocore, and with the wrong answers of a test."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the server."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the server got."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Script = Callable[[Request], Answer]


def s3_error(status: int, code: str, message: str = "made by the test", **members: str) -> Answer:
    """An error as S3 words it; names with _ are headers."""
    headers = {name.replace("_", "-"): value for name, value in members.items() if "_" in name}
    more = "".join(f"<{name}>{value}</{name}>" for name, value in members.items() if "_" not in name)
    text = f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    return Answer(status, {"Content-Type": "application/xml", "x-amz-request-id": "R1"} | headers, text.encode())


class ObjectServer:
    """A script that keeps objects; `honours` names the preconditions on writes that it heeds."""

    def __init__(self, *honours: str) -> None:
        self.honours = honours
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.now = 1_750_000_000

    def __call__(self, request: Request) -> Answer:
        """Answer as S3 does."""
        return {"GET": self._get, "PUT": self._put, "DELETE": self._delete}[request.method](request)

    def _get(self, request: Request) -> Answer:
        if request.path not in self.objects:
            return s3_error(404, "NoSuchKey")
        body, headers = self.objects[request.path]
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return Answer(304, {name: headers[name] for name in ("ETag", "Last-Modified")} | self._date())
        return Answer(200, headers | self._date(), body)

    def _put(self, request: Request) -> Answer:
        present = self.objects.get(request.path)
        if "If-None-Match" in self.honours and request.headers.get("If-None-Match") == "*" and present:
            return s3_error(412, "PreconditionFailed")
        wanted = request.headers.get("If-Match")
        if "If-Match" in self.honours and wanted and (present is None or present[1]["ETag"] != wanted):
            return s3_error(412, "PreconditionFailed") if present else s3_error(404, "NoSuchKey")
        kept = {
            k: v for k, v in request.headers.items() if k.lower().startswith(("x-amz-meta-", "cache-c", "content-t"))
        }
        etag = f'"{hashlib.md5(request.body, usedforsecurity=False).hexdigest()}"'
        modified = formatdate(self.now, usegmt=True)
        self.objects[request.path] = (request.body, kept | {"ETag": etag, "Last-Modified": modified})
        return Answer(200, {"ETag": etag} | self._date())

    def _delete(self, request: Request) -> Answer:
        if "If-Match" in request.headers and "delete" not in self.honours:
            return s3_error(501, "NotImplemented")
        self.objects.pop(request.path, None)
        return Answer(204, self._date())

    def _date(self) -> dict[str, str]:
        return {"Date": formatdate(self.now, usegmt=True)}


class ScriptedServer:
    """Answers by `script` on a loopback port and remembers what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.host = "127.0.0.1"  # a test may give it a name
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Request(self.command, self.path, dict(self.headers.items()), body)
                outer.requests.append(request)
                answer = outer.script(request)
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = _answer  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        """The endpoint URL."""
        return f"http://{self.host}:{self._server.server_address[1]}"

    def methods(self) -> list[str]:
        """The methods asked so far."""
        return [request.method for request in self.requests]

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
