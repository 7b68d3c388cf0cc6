"""HTTP for S3 clients: botocore's own session with one TLS context for its whole life.

botocore reads the file of roots anew for every connection, which takes 50 ms of CPU with the 150 roots of a machine;
many S3 servers close the connection after each answer. This module imports botocore: import it late.
"""

from __future__ import annotations

import functools
import socket
import ssl
from pathlib import Path
from typing import Any, cast

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session, create_urllib3_context, get_cert_path
from botocore.utils import get_environ_proxies

from oidc_publisher.stores.s3.trust import system_roots, trust

# What botocore gives its own session: without it every call waits 40 ms for a delayed ACK.
_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


def tls_context(roots: str | None, extra_pem: str | None) -> ssl.SSLContext:
    """A context that trusts the file `roots` (None: the machine's, else botocore's) and `extra_pem`.

    Clients that trust the same share it. A file that was replaced since is read again.
    """
    path = roots or system_roots() or str(get_cert_path(True))  # noqa: FBT003 - botocore's word for its own
    written_at = Path(path).stat().st_mtime_ns if Path(path).exists() else 0
    return _loaded_context(path, written_at, extra_pem)


@functools.lru_cache(maxsize=8)
def _loaded_context(path: str, written_at: int, extra_pem: str | None) -> ssl.SSLContext:
    del written_at  # only tells one state of the file from another
    context: ssl.SSLContext = create_urllib3_context()
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    trust(context, path, extra_pem)
    return context


class Transport(URLLib3Session):
    """Sends what a client has signed; a handler of botocore's event `before-send`, whose answer stands for its own."""

    def __init__(self, context: ssl.SSLContext, url: str, timeouts_s: tuple[float, float], connections: int) -> None:
        self._context = context
        super().__init__(
            proxies=get_environ_proxies(url),
            timeout=cast("Any", timeouts_s),
            max_pool_connections=connections,
            socket_options=cast("Any", _SOCKET_OPTIONS),
        )

    def answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """The answer to a signed request; raises botocore's errors, as its own session does."""
        return self.send(request)

    def _get_ssl_context(self) -> ssl.SSLContext:
        return self._context

    def _setup_ssl_cert(self, conn: Any, url: str, verify: object) -> None:
        del url, verify
        conn.cert_reqs = "CERT_REQUIRED"  # urllib3 sets it anew on the context; without a file it loads no roots
        conn.ca_certs = None
