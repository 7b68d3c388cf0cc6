"""Send the HTTP requests of S3 clients: botocore's session with one TLS context, and no link-local addresses.

botocore reads the file of roots again for every connection, which takes 50 ms of CPU with the 150 roots of a machine,
and many S3 servers close the connection after each answer.

Each new connection checks the addresses that the host resolves to, and connects to exactly those. A name may resolve to
another address later than when an object named it, and only the resolver interprets a host such as 0xa9fea9fe. TLS
still verifies the name. Behind a proxy the proxy resolves the name, and has to refuse such addresses.

This module imports botocore, which takes long to import: import it late.
"""

from __future__ import annotations

import functools
import socket
import ssl
from pathlib import Path
from typing import Any, cast

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
    AWSPreparedRequest,
    AWSResponse,
)
from botocore.client import BaseClient
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session, create_urllib3_context, get_cert_path
from botocore.utils import get_environ_proxies
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family, create_connection

from oidc_publisher.chainchecks import check_as_go_does
from oidc_publisher.linklocal import is_link_local
from oidc_publisher.stores.deadlines import BoundedTLSSocket, bounded, check_deadline, left_s
from oidc_publisher.stores.s3.authorities import system_roots, trust

# The option that botocore sets for its own session. Without it every call waits 40 ms for a delayed ACK.
_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


def tls_context(roots: str | None, extra_pem: str | None) -> ssl.SSLContext:
    """Return a context that trusts the file `roots` (None: the machine's, else botocore's) and `extra_pem`.

    Clients with equal arguments share a context. A file that was replaced since is read again.
    """
    path = roots or system_roots() or str(get_cert_path(True))  # noqa: FBT003 - True asks for botocore's own file
    written_at = Path(path).stat().st_mtime_ns if Path(path).exists() else 0
    return _loaded_context(path, written_at, extra_pem)


@functools.lru_cache(maxsize=8)
def _loaded_context(path: str, written_at: int, extra_pem: str | None) -> ssl.SSLContext:
    del written_at  # only part of the cache's key: it distinguishes the states of the file
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

    def serve(self, client: BaseClient, service: str) -> None:
        """Handle all requests of a client of this service from now on."""
        client.meta.events.register(
            f"before-send.{service}", cast("Any", self.answer)
        )  # the stubs allow no return value

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
