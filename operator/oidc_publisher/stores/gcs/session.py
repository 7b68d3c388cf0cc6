"""HTTP for clients of Cloud Storage: one session for the whole process, and what each client sends through it.

google-auth's and google-cloud-storage's own retries go on for minutes, with timeouts of a minute and more. Here every
request for an object is made at most twice, with 2 s to connect and 5 s to answer, in the one place through which all
of them pass. This module imports google-auth and requests: import it late.
"""

from __future__ import annotations

import os
import random
import socket
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

from oidc_publisher.stores.deadlines import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, BoundedTLSSocket, bounded, left_s
from oidc_publisher.timing.httpdate import parsed_date

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_TIMEOUTS_S = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
#: Before the second attempt, as long as chance wills, so that the issuers of one operator do not come back together.
_PAUSE_S = (0.1, 0.5)
#: asyncio's threads on a machine of up to 28 cores: no thread waits for a connection.
_MAX_CONNECTIONS = 32
#: Cloud Storage's own list (cloud.google.com/storage/docs/retry-strategy).
_WORTH_ANOTHER_TRY = frozenset({408, 429, 500, 502, 503, 504})
#: The narrowest scope that writes objects; what the identity may do is IAM's business.
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


def new_session() -> AuthorizedSession:
    """A session with the credentials that are found now; raises google-auth's errors when there are none.

    With STORAGE_EMULATOR_HOST there are none needed, as in Google's own clients.
    """
    emulated = bool(os.environ.get("STORAGE_EMULATOR_HOST"))
    credentials = AnonymousCredentials() if emulated else _found_credentials()  # type: ignore[no-untyped-call]
    http = AuthorizedSession(credentials, max_refresh_attempts=1)  # type: ignore[no-untyped-call]
    for scheme in ("https://", "http://"):
        http.mount(scheme, _BoundedAdapter(pool_maxsize=_MAX_CONNECTIONS))
    return http


class _HTTPConnection(HTTPConnection):
    """A connection that knows the deadline of its thread."""

    def _new_conn(self) -> socket.socket:
        return bounded(super()._new_conn())


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _BoundedAdapter(HTTPAdapter):
    """Connections that know the deadline of their thread."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools as the parent does, with another kind of sockets in them."""
        context = create_urllib3_context()
        context.sslsocket_class = BoundedTLSSocket
        super().init_poolmanager(*arguments, ssl_context=context, **options)
        classes = {**self.poolmanager.pool_classes_by_scheme, "http": _HTTPPool}
        self.poolmanager.pool_classes_by_scheme = classes


class GCSTransport:
    """What a client sends its requests through: tries twice, follows no redirect, tells each answer's Date."""

    is_mtls = False  # asked for by google-cloud-core

    def __init__(self, http: AuthorizedSession, note_date: Callable[[datetime], None]) -> None:
        self._http = http
        self._note_date = note_date

    def request(self, method: str, url: str, **arguments: Any) -> requests.Response:
        """The answer, whatever its status; raises errors of requests and google-auth.

        A second try is safe for every request made here: it reads, or it names the generation it replaces. Of a write
        whose first answer was lost it says 412, which the store above does not take at its word.
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
        if left_s() <= 0:  # after the deadline of the thread nothing is sent any more
            raise requests.ReadTimeout(request=requests.Request(method, url))
        sent = arguments | {"timeout": _TIMEOUTS_S, "allow_redirects": False}
        answer: requests.Response = self._http.request(method, url, **sent)  # type: ignore[no-untyped-call]
        date = parsed_date(answer.headers.get("Date"))
        if date is not None:
            self._note_date(date)
        return answer


class _Search(Request):
    """The requests of a search for credentials: short ones, and none about the project.

    For an identity of Workload Identity Federation the search asks Resource Manager for the name of its project, and
    fails where the network lets nobody through to it. No call here needs a project.
    """

    def __call__(self, url: str, *arguments: Any, **named: Any) -> Any:
        """Send a request as its parent does."""
        if (urlsplit(url).hostname or "").startswith("cloudresourcemanager."):
            return _NotFound()
        return super().__call__(url, *arguments, **({"timeout": _TIMEOUTS_S} | named))  # type: ignore[no-untyped-call]


class _NotFound:
    """An answer that nobody sent."""

    status = HTTPStatus.NOT_FOUND
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody writes to it
    data = b"{}"


def _found_credentials() -> Credentials:
    found, _ = google.auth.default(scopes=[_SCOPE], request=cast("Any", _Search()))
    return found
