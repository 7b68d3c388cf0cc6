"""Send the HTTP requests of Cloud Storage's clients through one session for the whole process.

The retries of google-auth and google-cloud-storage take minutes, with timeouts of a minute and more. This module sends
every request for an object at most twice, with 2 s to connect and 5 s to answer. It imports google-auth and requests,
which take long to import: import it late.
"""

from __future__ import annotations

import os
import random
import socket
import ssl
import time
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import google.auth
import requests
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession, Request
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

from oidc_publisher.chainchecks import check_as_go_does
from oidc_publisher.stores.deadlines import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, BoundedTLSSocket, bounded, left_s
from oidc_publisher.timing.httpdate import parsed_date

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_TIMEOUTS_S = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
#: The bounds of the random pause before the second attempt, so that the issuers of one operator do not retry together.
_PAUSE_S = (0.1, 0.5)
#: The number of asyncio's threads on a machine of up to 28 cores, so that no thread waits for a connection.
_MAX_CONNECTIONS = 32
#: The statuses that Cloud Storage itself lists as retryable (cloud.google.com/storage/docs/retry-strategy).
_WORTH_ANOTHER_TRY = frozenset({408, 429, 500, 502, 503, 504})
#: The retries of a request for a token that AuthorizedSession has by default.
_TOKEN_RETRIES = 3
#: The narrowest scope that can write objects. IAM decides what the identity may do.
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


def new_session() -> AuthorizedSession:
    """Return a session with newly searched credentials; raises google-auth's errors when none are found.

    With STORAGE_EMULATOR_HOST no credentials are needed, as in Google's own clients.
    """
    emulated = bool(os.environ.get("STORAGE_EMULATOR_HOST"))
    credentials = AnonymousCredentials() if emulated else _found_credentials()  # type: ignore[no-untyped-call]
    http = AuthorizedSession(  # type: ignore[no-untyped-call]
        credentials, max_refresh_attempts=1, auth_request=Request(_token_session())
    )
    for scheme in ("https://", "http://"):
        http.mount(scheme, _BoundedAdapter(pool_maxsize=_MAX_CONNECTIONS))
    return http


def _token_session() -> requests.Session:
    session = requests.Session()
    session.mount("https://", _Adapter(max_retries=_TOKEN_RETRIES))
    return session


class _HTTPConnection(HTTPConnection):
    """A connection whose socket applies the deadline of its thread."""

    def _new_conn(self) -> socket.socket:
        return bounded(super()._new_conn())


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _Adapter(HTTPAdapter):
    """The adapter accepts the certificate chains that Google's Go clients accept, behind a proxy as well."""

    sslsocket_class = ssl.SSLSocket

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools as the parent does, with a TLS context of this module."""
        super().init_poolmanager(*arguments, ssl_context=self._context(), **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Return the pools behind a proxy as the parent does, with a TLS context of this module."""
        return super().proxy_manager_for(proxy, **({"ssl_context": self._context()} | options))

    def _context(self) -> ssl.SSLContext:
        context = create_urllib3_context()
        context.sslsocket_class = self.sslsocket_class
        check_as_go_does(context)
        return context


class _BoundedAdapter(_Adapter):
    """The adapter makes connections that apply the deadline of their thread."""

    sslsocket_class = BoundedTLSSocket

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools as the parent does, with bounded sockets in them."""
        super().init_poolmanager(*arguments, **options)
        classes = {**self.poolmanager.pool_classes_by_scheme, "http": _HTTPPool}
        self.poolmanager.pool_classes_by_scheme = classes


class GCSTransport:
    """A GCSTransport sends one client's requests: it tries twice, follows no redirect, and notes each answer's Date."""

    is_mtls = False  # google-cloud-core reads this attribute

    def __init__(self, http: AuthorizedSession, note_date: Callable[[datetime], None]) -> None:
        self._http = http
        self._note_date = note_date

    def request(self, method: str, url: str, **arguments: Any) -> requests.Response:
        """Return the answer, whatever its status; raises errors of requests and google-auth.

        A second try is safe for every request of this package, because each one reads, or names the generation that it
        replaces. The second try of a write whose first answer was lost gets 412, and GCSStore then reads the object
        again.
        """
        try:
            answer = self._request(method, url, arguments)
        except (requests.ConnectionError, requests.Timeout):
            pass
        else:
            if answer.status_code not in _WORTH_ANOTHER_TRY:
                return answer
            answer.close()
        time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - jitter
        return self._request(method, url, arguments)

    def _request(self, method: str, url: str, arguments: dict[str, Any]) -> requests.Response:
        if left_s() <= 0:  # nothing is sent after the deadline of the thread
            raise requests.ReadTimeout(request=requests.Request(method, url))
        sent = arguments | {"timeout": _TIMEOUTS_S, "allow_redirects": False}
        answer: requests.Response = self._http.request(method, url, **sent)  # type: ignore[no-untyped-call]
        date = parsed_date(answer.headers.get("Date"))
        if date is not None:
            self._note_date(date)
        return answer


class _Search(Request):
    """The requests of a search for credentials have short timeouts, and none of them asks for the project.

    For an identity of Workload Identity Federation the search asks Resource Manager for the name of the project, and
    fails where the network does not let the operator connect to it. No call of this package needs a project.
    """

    def __call__(self, url: str, *arguments: Any, **named: Any) -> Any:
        """Send a request as the parent class does."""
        if (urlsplit(url).hostname or "").startswith("cloudresourcemanager."):
            return _NotFound()
        return super().__call__(url, *arguments, **({"timeout": _TIMEOUTS_S} | named))  # type: ignore[no-untyped-call]


class _NotFound:
    """A 404 answer without a request."""

    status = HTTPStatus.NOT_FOUND
    headers: dict[str, str] = {}  # noqa: RUF012 - no code writes to it
    data = b"{}"


def _found_credentials() -> Credentials:
    found, _ = google.auth.default(scopes=[_SCOPE], request=cast("Any", _Search(_token_session())))
    return found
