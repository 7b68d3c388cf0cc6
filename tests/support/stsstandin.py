"""AWS STS as far as an operator's own identity needs it: it believes a token that the public documents bear out."""

from __future__ import annotations

import json
import ssl
import threading
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_CANNOT_READ = "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"


class STSStandIn:
    """AssumeRoleWithWebIdentity on a loopback port, for tokens of `issuer_url`; grants these keys to whom it believes.

    It reads the documents at every request, as STS does after its cache. There is no session token: versitygw takes none.
    """

    def __init__(self, issuer_url: str, trust: ssl.SSLContext, access_key: str, secret_key: str) -> None:
        self.issuer_url = issuer_url
        self.granted = 0
        self.refused = 0
        self._trust = trust
        self._keys = (access_key, secret_key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        """The origin, for AWS_ENDPOINT_URL_STS."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

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

    def answer(self, form: dict[str, list[str]]) -> tuple[int, str]:
        """Status and XML for the parameters of a request."""
        try:
            self._verify(form["WebIdentityToken"][0])
        except (OSError, ValueError, KeyError, StopIteration, jwt.PyJWTError):
            self.refused += 1
            return 400, _error("InvalidIdentityToken", _CANNOT_READ)
        self.granted += 1
        return 200, _credentials(*self._keys)

    def _verify(self, token: str) -> None:
        discovery = self._fetch(f"{self.issuer_url}/.well-known/openid-configuration")
        keys = self._fetch(discovery["jwks_uri"])["keys"]
        header = jwt.get_unverified_header(token)
        key = jwt.PyJWK(next(key for key in keys if key["kid"] == header["kid"]))
        jwt.decode(token, key, algorithms=["RS256", "ES256"], audience="sts.amazonaws.com", issuer=self.issuer_url)

    def _fetch(self, url: str) -> Any:
        with urllib.request.urlopen(url, context=self._trust, timeout=5) as answer:  # noqa: S310 - https
            return json.load(answer)


def _credentials(access_key: str, secret_key: str) -> str:
    granted = (
        f"<AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>{secret_key}</SecretAccessKey>"
        "<SessionToken></SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
    )
    result = f"<AssumeRoleWithWebIdentityResult><Credentials>{granted}</Credentials></AssumeRoleWithWebIdentityResult>"
    return f'<AssumeRoleWithWebIdentityResponse xmlns="{_NAMESPACE}">{result}</AssumeRoleWithWebIdentityResponse>'


def _error(code: str, message: str) -> str:
    said = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return f'<ErrorResponse xmlns="{_NAMESPACE}">{said}<RequestId>1</RequestId></ErrorResponse>'


def _handler(server: STSStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, text = server.answer(urllib.parse.parse_qs(form))
            body = text.encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
