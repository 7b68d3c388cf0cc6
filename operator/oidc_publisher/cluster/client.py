"""Send requests to the API server that the credentials name, and to single API servers of the cluster."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import SocketFactoryType
from yarl import URL

from oidc_publisher.cluster.answer import Answer
from oidc_publisher.cluster.credentials.credentials import Credentials
from oidc_publisher.cluster.failures import (
    ConnectionLostError,
    NameMismatchError,
    answer_failure,
    no_authority,
    not_an_api_server,
    request_failure,
    unexpected_body,
)
from oidc_publisher.cluster.forbiddenaddresses import guarded_socket
from oidc_publisher.errors import AnswerError, CertificateError
from oidc_publisher.timing.httpdate import parsed_date

#: The name in every API server's certificate, which is the name that pods use.
API_SERVER_NAME = "kubernetes.default.svc"
#: The names that every machine has for itself do not identify it: the cluster's CA issues them to kubelets of k3s.
_NAMES_OF_ALL = frozenset({"localhost", "127.0.0.1", "::1"})

CONNECT_TIMEOUT_S = 2.0
BODY_LIMIT = 16 * 2**20
#: kube-apiserver closes an idle connection after 90 s. A connection is kept for longer than the usual interval of a
#: minute.
_KEEP_IDLE_S = 80.0
#: Just after an API server's start, requests for custom resources are answered with 429 and Retry-After 1.
_BUSY_RETRIES = 3
_BUSY_PAUSE_S = 2.0
_OFFSETS_KEPT_S = 600.0


@dataclass(frozen=True, slots=True)
class _Call:
    """A call describes one request, which may be sent more than once."""

    method: str
    url: URL
    asked: str
    endpoint: bool  # whether it goes to a single API server, not to the one that the credentials name
    names: tuple[str | None, ...]  # the names to verify in the certificate, in turn; None: the host of the URL
    body: bytes | None
    content_type: str
    repeatable: bool
    deadline_s: float

    @property
    def request(self) -> str:
        """The method and path, for messages."""
        return f"{self.method} {self.url.path}"


class ClusterClient:
    """A ClusterClient holds the connections to the API servers of one cluster.

    Credentials, client certificates included, are sent to the server that they name. They are sent to a single endpoint
    only when the CA in the credentials issued its certificate for `kubernetes.default.svc`, for the name of that
    server, or for one of `api_server_names`, which the program's options allow. An endpoint's own address is no such
    name, because objects name it.

    `guard` opens the sockets to every address, where not even the server of the credentials may be anywhere, and
    `resolver` makes what resolves names; None uses the usual ones.

    Every failure is a ClusterError. Make requests from one event loop only, and call `close` at the end.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        api_server_names: Sequence[str] = (),
        guard: SocketFactoryType | None = None,
        resolver: Callable[[], AbstractResolver] | None = None,
    ) -> None:
        self.credentials = credentials
        self._guard = guard
        self._resolver = resolver
        self._allowed_names = tuple(api_server_names)
        self._session: aiohttp.ClientSession | None = None
        self._endpoints_session: aiohttp.ClientSession | None = None
        self._known_as: dict[str, str | None] = {}  # by endpoint, the name that its certificate had last
        self._offsets: dict[str, tuple[float, timedelta]] = {}

    @property
    def host_port(self) -> str:
        """The HOST:PORT of the credentials' own server."""
        return self.credentials.host_port

    @property
    def vouches(self) -> bool:
        """Whether the credentials name a CA, without which no single endpoint is asked."""
        return self.credentials.vouches

    @property
    def grantee(self) -> str:
        """Empty, because the chart grants the rights in the operator's own cluster."""
        return ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        for session in (self._session, self._endpoints_session):
            if session is not None:
                await session.close()
        self._session = self._endpoints_session = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        endpoint: str | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        repeatable: bool = False,
    ) -> Answer:
        """Send one request and return its success (2xx).

        `path` is percent-encoded already. `endpoint` is the HOST:PORT of one API server; None asks the server of the
        credentials. `repeatable`: the request may be sent again after its connection broke, although its method is not
        idempotent (a TokenRequest, for example). `timeout_s` is the limit for the whole request; connecting gets 2 s of
        it.

        Raises:
            UnreachableError: no answer came.
            CertificateError: the certificate does not prove that the server is an API server, so nothing was sent.
            AnswerError: the status is not a success; ConflictError for 409.
            CredentialsError: there are no valid credentials at the moment.
        """
        call = _Call(
            method,
            self._url(path, endpoint).with_query(params),
            endpoint or self.credentials.host_port,
            endpoint is not None,
            self._names(endpoint),
            None if body is None else json.dumps(body).encode(),
            content_type,
            repeatable,
            time.monotonic() + timeout_s,
        )
        try:
            return await self._patiently(call)
        except CertificateError:
            if not await self.credentials.renew_trust():
                raise
        except AnswerError as error:
            if error.status != HTTPStatus.UNAUTHORIZED or not await self.credentials.renew():
                raise
        return await self._patiently(replace(call, deadline_s=time.monotonic() + timeout_s))

    async def stream(
        self, path: str, *, params: Mapping[str, str] | None = None, accept: str, timeout_s: float
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the JSON objects of a watch, one for each line, until the server or `timeout_s` ends the watch.

        A refusal that renewed credentials may prevent is raised too; the next call has the renewed ones.

        Raises:
            UnreachableError, CertificateError, AnswerError, CredentialsError: as `request`, and when the stream breaks.
        """
        try:
            async with aclosing(self._stream(self._url(path, None).with_query(params), accept, timeout_s)) as lines:
                async for line in lines:
                    yield line
        except CertificateError:
            await self.credentials.renew_trust()
            raise
        except AnswerError as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                await self.credentials.renew()
            raise

    async def _stream(self, url: URL, accept: str, timeout_s: float) -> AsyncGenerator[dict[str, Any], None]:
        asked = self.credentials.host_port
        headers = {"Accept": accept, **await self.credentials.headers()}
        try:
            async with self._open(endpoint=False).get(
                url,
                headers=headers,
                allow_redirects=False,
                ssl=self.credentials.tls,
                server_hostname=self.credentials.tls_server_name,
                proxy=self.credentials.proxy,
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S),
            ) as response:
                if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
                    body = await response.content.read(BODY_LIMIT)
                    raise answer_failure(response.status, body, request=f"GET {url.path}", asked=asked)
                async for line in _lines(response):
                    yield line
        except (aiohttp.ClientError, OSError) as error:
            raise request_failure(error, asked) from error

    def clock_offsets(self, since_s: float) -> dict[str, timedelta]:
        """Return Date minus the time on receipt, by HOST:PORT, of answers since `since_s` on time.monotonic() (R13).

        The call clears nothing, because the passes of several issuers share one client, and each needs all answers that
        came during the pass.
        """
        return {asked: offset for asked, (at_s, offset) in self._offsets.items() if at_s >= since_s}

    def _url(self, path: str, endpoint: str | None) -> URL:
        base = self.credentials.server if endpoint is None else f"https://{endpoint}"
        return URL(base + path, encoded=True)

    def _names(self, endpoint: str | None) -> tuple[str | None, ...]:
        if endpoint is None:
            return (self.credentials.tls_server_name,)
        own = self.credentials.own_name
        stated = (API_SERVER_NAME, *(() if own in _NAMES_OF_ALL else (own,)), *self._allowed_names)
        return tuple(sorted(dict.fromkeys(stated), key=lambda name: name != self._known_as.get(endpoint)))

    async def _patiently(self, call: _Call) -> Answer:
        """Send a request, and repeat it while the API server answers 429 with Retry-After."""
        for left in reversed(range(_BUSY_RETRIES + 1)):
            status, headers, body = await self._by_name(call)
            pause_s = _retry_after_s(headers) if status == HTTPStatus.TOO_MANY_REQUESTS else None
            if pause_s is None or not left or time.monotonic() + pause_s >= call.deadline_s:
                break
            await asyncio.sleep(pause_s)
        self._note_date(call.asked, headers)
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise answer_failure(status, body, request=call.request, asked=call.asked)
        return Answer(status, body, call.asked, call.request)

    async def _by_name(self, call: _Call) -> tuple[int, dict[str, str], bytes]:
        """Send a request under the first name that the certificate has, and remember that name of an endpoint."""
        if not call.endpoint:
            return await self._unbroken(call, call.names[0])
        for name in call.names:
            try:
                answer = await self._unbroken(call, name)
            except NameMismatchError:
                continue
            self._known_as[call.asked] = name
            return answer
        raise not_an_api_server(call.asked, [name for name in call.names if name])

    async def _unbroken(self, call: _Call, name: str | None) -> tuple[int, dict[str, str], bytes]:
        """Send a request, once more if a kept connection had been closed; aiohttp itself repeats GET."""
        try:
            return await self._send(call, name)
        except ConnectionLostError:
            if not call.repeatable:
                raise
        return await self._send(call, name)

    async def _send(self, call: _Call, name: str | None) -> tuple[int, dict[str, str], bytes]:
        # This is kubectl's Accept: with application/json alone the key set (application/jwk-set+json) gives 406.
        headers = {"Accept": "application/json, */*", **await self.credentials.headers()}
        if call.endpoint and not self.credentials.vouches:  # checked here, because they may have been reloaded since
            raise no_authority(call.asked)
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        left_s = max(call.deadline_s - time.monotonic(), 0.001)
        try:
            async with self._open(endpoint=call.endpoint).request(
                call.method,
                call.url,
                data=call.body,
                headers=headers,
                allow_redirects=False,
                ssl=self.credentials.tls,
                server_hostname=name,
                proxy=self.credentials.proxy,
                timeout=aiohttp.ClientTimeout(total=left_s, sock_connect=min(CONNECT_TIMEOUT_S, left_s)),
            ) as response:
                return response.status, {k.lower(): v for k, v in response.headers.items()}, await _body(response, call)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError and ssl.SSLError are OSErrors
            raise request_failure(error, call.asked) from error

    def _open(self, *, endpoint: bool) -> aiohttp.ClientSession:
        if endpoint:
            self._endpoints_session = self._endpoints_session or self._session_by(self._guard or guarded_socket)
            return self._endpoints_session
        self._session = self._session or self._session_by(self._guard)
        return self._session

    def _session_by(self, socket_factory: SocketFactoryType | None) -> aiohttp.ClientSession:
        return _session(socket_factory, self._resolver() if self._resolver else None)

    def _note_date(self, asked: str, headers: Mapping[str, str]) -> None:
        now, now_s = datetime.now(UTC), time.monotonic()
        stated = parsed_date(headers.get("date"))
        if stated is None:
            return
        self._offsets = {k: v for k, v in self._offsets.items() if now_s - v[0] < _OFFSETS_KEPT_S}
        self._offsets[asked] = (now_s, stated - now)


def _session(socket_factory: SocketFactoryType | None, resolver: AbstractResolver | None) -> aiohttp.ClientSession:
    # There is no limit, because each watch holds a connection: 100 watches would use up the default limit of 100.
    connector = aiohttp.TCPConnector(
        limit=0, keepalive_timeout=_KEEP_IDLE_S, socket_factory=socket_factory, resolver=resolver
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity", "User-Agent": "oidc-publisher"},
        trust_env=False,
    )


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Yield the objects of a stream of JSON lines, and skip other lines, because watches may get new kinds of lines."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > BODY_LIMIT:
            return
        for line in lines:
            try:
                parsed = json.loads(line)
            except ValueError:
                continue
            if isinstance(parsed, dict):
                yield parsed


async def _body(response: aiohttp.ClientResponse, call: _Call) -> bytes:
    chunks: list[bytes] = []
    length = 0
    async for chunk in response.content.iter_any():
        length += len(chunk)
        if length > BODY_LIMIT:
            response.close()
            raise unexpected_body(
                response.status, f"more than {BODY_LIMIT >> 20} MiB", request=call.request, asked=call.asked
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long a 429 asks to wait, at most 2 s, None when the answer does not state it."""
    stated = headers.get("retry-after", "")
    return min(float(stated), _BUSY_PAUSE_S) if stated.isascii() and stated.isdigit() else None
