"""Serve cloud credentials as a machine or a pod gets them: instance metadata (IMDSv2) and EKS Pod Identity's agent."""

from __future__ import annotations

import datetime as dt
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_ROLE = "publisher"
_SESSION = "session-of-the-test"


@dataclass(frozen=True, slots=True)
class Granted:
    """Credentials with their stated validity.

    There is no session token: versitygw verifies keys and secrets, and refuses every token.
    """

    access_key: str
    secret_key: str
    lifetime: dt.timedelta = dt.timedelta(hours=6)


class CredentialServer:
    """Both services on one loopback port. `granted` and `pod_token` may be changed while it runs.

    `pod_token` is the content of the file that a pod must show; another one is refused, as the agent does.
    """

    def __init__(self, granted: Granted, *, pod_token: str = "") -> None:
        self.granted = granted
        self.pod_token = pod_token
        self.handed_out: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        """The origin, for AWS_EC2_METADATA_SERVICE_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def pod_url(self) -> str:
        """The agent's URL, for AWS_CONTAINER_CREDENTIALS_FULL_URI."""
        return f"{self.url}/v1/credentials"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, session: str | None, authorization: str | None) -> tuple[int, str]:
        """Status and text for a request with these headers."""
        if (method, path) == ("PUT", "/latest/api/token"):
            return 200, _SESSION
        if path == "/v1/credentials":
            return self._granted("agent") if authorization == self.pod_token else (401, "unknown token")
        if not path.startswith("/latest/meta-data/iam/security-credentials/"):
            return 404, ""
        if session != _SESSION:
            return 401, ""
        return self._granted("instance") if path.endswith(_ROLE) else (200, _ROLE)

    def _granted(self, by: str) -> tuple[int, str]:
        granted = self.granted
        self.handed_out.append(f"{by}: {granted.access_key}")
        expires = dt.datetime.now(dt.UTC) + granted.lifetime
        return 200, json.dumps(
            {
                "Code": "Success",
                "Type": "AWS-HMAC",
                "AccessKeyId": granted.access_key,
                "SecretAccessKey": granted.secret_key,
                "Token": "",
                "Expiration": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
                "LastUpdated": f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
            }
        )


def _handler(server: CredentialServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            session = self.headers.get("x-aws-ec2-metadata-token")
            status, text = server.answer(self.command, self.path, session, self.headers.get("Authorization"))
            body = text.encode()
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = _answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    return Handler
