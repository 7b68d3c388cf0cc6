"""Send the HTTP requests of S3 clients: botocore's session with one TLS context, and no link-local addresses.

botocore reads the file of roots again for every connection, which takes 50 ms of CPU with the 150 roots of a machine,
and many S3 servers close the connection after each answer.

Each new connection checks the addresses that the host resolves to, and connects to exactly those. A name may resolve to
another address later than when an object named it, and only the resolver interprets a host such as 0xa9fea9fe. TLS
still verifies the name. Behind a proxy the proxy resolves the name, and has to refuse such addresses.

An object at rest is asked for at every pass, and botocore makes and parses the same request anew each time, which is
half of what the read costs. A `Question` is a request for an object as botocore has made it once; asked again, it is
only signed and sent.

This module imports botocore, which takes long to import: import it late.
"""

from __future__ import annotations

import functools
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from botocore.auth import BaseSigner
from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
    AWSPreparedRequest,
    AWSRequest,
    AWSResponse,
)
from botocore.client import BaseClient
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session, create_urllib3_context, get_cert_path
from botocore.signers import RequestSigner
from botocore.utils import get_environ_proxies
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family, create_connection

from oidc_publisher.chainchecks import check_as_go_does
from oidc_publisher.filestate import FileState, file_state
from oidc_publisher.linklocal import is_link_local
from oidc_publisher.stores.deadlines import BoundedTLSSocket, bounded, check_deadline, left_s
from oidc_publisher.stores.s3.authorities import system_roots, trust

# The option that botocore sets for its own session. Without it every call waits 40 ms for a delayed ACK.
_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
#: The headers that each attempt of a call has of its own.
_OF_ONE_ATTEMPT = frozenset({"amz-sdk-invocation-id", "amz-sdk-request", "if-none-match"})
#: The signatures whose request is complete without anything that the operation or its session adds.
_SIGNATURES = frozenset({"v4", "s3v4"})
#: What botocore notes of one call only, which no signature needs.
_OF_ONE_CALL = frozenset({"input_params", "s3_redirect", "retries"})
#: What botocore states for such a signature; credentials of a single call are not among it.
_STATED = frozenset({"region", "signing_name", "disableDoubleEncoding"})


def tls_context(roots: str | None, extra_pem: str | None) -> ssl.SSLContext:
    """Return a context that trusts the file `roots` (None: the machine's, else botocore's) and `extra_pem`.

    Clients with equal arguments share a context. A file that was replaced since is read again.
    """
    path = roots or system_roots() or str(get_cert_path(True))  # noqa: FBT003 - True asks for botocore's own file
    try:
        state = file_state(path)
    except OSError:  # loading it says why
        state = None
    return _loaded_context(path, state, extra_pem)


@functools.lru_cache(maxsize=8)
def _loaded_context(path: str, state: FileState | None, extra_pem: str | None) -> ssl.SSLContext:
    del state  # only part of the cache's key: it distinguishes the states of the file
    context: ssl.SSLContext = create_urllib3_context()
    context.sslsocket_class = BoundedTLSSocket
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    check_as_go_does(context)
    trust(context, path, extra_pem)
    return context


class LinkLocalError(OSError):
    """The host resolves to the link-local address `address`."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} is link-local")
        self.address = address


class _Checked:
    """The mixin keeps a connection of botocore from link-local addresses."""

    def _new_conn(self: Any) -> socket.socket:
        if self.proxy is not None:  # the operator's environment names it, and it resolves the host
            return cast("socket.socket", super()._new_conn())  # type: ignore[misc] # the mixin's sibling has it
        # Errors become urllib3's classes, as in its own method, because botocore distinguishes them by class.
        try:
            # `host` has lost a dot at its end, which `_dns_host` keeps: the dot makes the name absolute.
            return _connect(self._dns_host, self.port, self.timeout, self.socket_options)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"{self.host} does not answer in time") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error


class _HTTPConnection(_Checked, AWSHTTPConnection):  # type: ignore[misc] # stubs and urllib3 disagree on botocore's own
    pass


class _HTTPSConnection(_Checked, AWSHTTPSConnection):  # type: ignore[misc] # as above
    pass


class _HTTPPool(AWSHTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(AWSHTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


def _connect(host: str, port: int, timeout_s: float, options: Any) -> socket.socket:
    """Connect to the first address of a host that answers; raises OSError, of which LinkLocalError is a subclass."""
    infos = socket.getaddrinfo(host.strip("[]"), port, allowed_gai_family(), socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
    for address in addresses:
        if is_link_local(address):
            raise LinkLocalError(address)
    failure: OSError = socket.gaierror(socket.EAI_NODATA, "no address")
    for address in addresses:
        try:
            check_deadline()  # a name may have a hundred addresses
            return bounded(create_connection((address, port), min(timeout_s, left_s()), socket_options=options))
        except OSError as error:
            failure = error
    raise failure


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply is an answer to a question: its status, its headers in lower case, and its body, None where that is too long."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A question is a request for one object, made by botocore and not signed yet.

    `signer` makes the signature with the credentials of the moment.
    """

    transport: S3Transport
    url: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    context: Mapping[str, Any]
    signer: Callable[[], BaseSigner]

    def ask(self, version: str | None, limit_bytes: int) -> Reply:
        """Ask again, for a body of at most `limit_bytes`, and for none where the object still has the version.

        Raises botocore's and urllib3's errors, and OSError. Nothing is repeated.
        """
        headers = {**self.headers, **({"If-None-Match": version} if version else {})}
        request = AWSRequest("GET", self.url, headers, params=self.params, stream_output=True)
        request.context = dict(self.context)
        self.signer().add_auth(request)
        answer = self.transport.answer(request.prepare())
        body = answer.raw.read(limit_bytes + 1)
        if len(body) > limit_bytes:
            answer.raw.close()
        headers = {name.lower(): value for name, value in answer.raw.headers.items()}
        return Reply(answer.status_code, headers, body if len(body) <= limit_bytes else None)


class S3Transport(URLLib3Session):
    """An S3Transport sends a client's signed requests: botocore uses what its handler of `before-send` returns."""

    def __init__(self, context: ssl.SSLContext, url: str, timeouts_s: tuple[float, float], connections: int) -> None:
        self._context = context
        super().__init__(
            proxies=get_environ_proxies(url),
            timeout=cast("Any", timeouts_s),
            max_pool_connections=connections,
            socket_options=cast("Any", _SOCKET_OPTIONS),
        )
        # botocore keeps its two pool classes in both attributes; managers of proxies take them from the first.
        self._pool_classes_by_scheme: dict[str, Any] = {"http": _HTTPPool, "https": _HTTPSPool}
        self._manager.pool_classes_by_scheme = self._pool_classes_by_scheme  # type: ignore[attr-defined]
        self._of_thread = threading.local()

    def serve(self, client: BaseClient, service: str) -> None:
        """Handle all requests of a client of this service from now on."""
        client.meta.events.register(
            f"before-send.{service}", cast("Any", self.answer)
        )  # the stubs allow no return value
        client.meta.events.register(f"before-sign.{service}.GetObject", self._remember)

    @property
    def question(self) -> Question | None:
        """The last request for an object that this thread has made, None where it cannot be asked again."""
        return getattr(self._of_thread, "question", None)

    def _remember(
        self,
        request: AWSRequest,
        signing_name: str,
        region_name: str,
        signature_version: object,
        request_signer: RequestSigner,
        **_: object,
    ) -> None:
        stated = request.context.get("signing", {})
        self._of_thread.question = None
        if request.url is None or signature_version not in _SIGNATURES or stated.keys() - _STATED:
            return
        signer = functools.partial(
            request_signer.get_auth_instance,
            stated.get("signing_name") or signing_name,
            stated.get("region") or region_name,
            signature_version,
        )
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_ATTEMPT}
        context = {name: value for name, value in request.context.items() if name not in _OF_ONE_CALL}
        self._of_thread.question = Question(self, request.url, dict(request.params), headers, context, signer)

    def answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Return the answer to a signed request; raises botocore's errors, as its own session does.

        After the deadline of the thread nothing is sent, and no further attempt either.
        """
        if left_s() <= 0:
            raise ReadTimeoutError(endpoint_url=request.url)
        return self.send(request)

    def _get_ssl_context(self) -> ssl.SSLContext:
        return self._context

    def _setup_ssl_cert(self, conn: Any, url: str, verify: object) -> None:
        del url, verify
        conn.cert_reqs = "CERT_REQUIRED"  # urllib3 sets it on the context again; without a file it loads no roots
        conn.ca_certs = None
