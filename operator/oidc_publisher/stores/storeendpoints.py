"""Decide which servers an OIDCIssuer may name as its store.

The server that `endpointURL` names receives requests that are signed with the operator's credentials, session token
included. So a link-local address is never accepted, and plain http only for a server that the operator was started with
(`--store-endpoint`). Where such a list is given, only its servers and Amazon's S3 are accepted. The addresses that a
name resolves to are checked when a connection is made (stores/s3/transport.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn, Self
from urllib.parse import urlsplit

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.linklocal import is_link_local
from oidc_publisher.stores.port import Document, Rehearsal, StoredDocument
from oidc_publisher.stores.s3.hosts import is_amazon_s3

_PORTS = {"http": 80, "https": 443}
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#: The hosts that both botocore and the resolver accept. On any other text each fails with errors of its own.
_HOST_AND_PORT = re.compile(rf"(({_LABEL}\.)*{_LABEL}\.?|\[[0-9A-Fa-f:.]+\])(:[0-9]{{1,5}})?")
_MAX_HOST = 253


@dataclass(frozen=True, slots=True)
class Server:
    """A Server identifies what answers at a URL: `scheme` and `host` in lower case, IPv6 addresses without brackets."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Return the server of a URL, whatever its path.

        Raises:
            ValueError: the text is no http or https URL of a server.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").removesuffix(".")
        if parts.scheme not in _PORTS or not _HOST_AND_PORT.fullmatch(parts.netloc) or len(host) > _MAX_HOST:
            raise ValueError("must be an http or https URL")
        return cls(parts.scheme, host, parts.port or _PORTS[parts.scheme])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a server of the allow list, a URL of scheme, host and port alone.

        Raises:
            ValueError: the text is no such URL; the message says what is expected.
        """
        expected = "must be the URL of a server without a path, such as https://minio.example.com:9000"
        try:
            server = cls.of(text)
        except ValueError:
            raise ValueError(expected) from None
        parts = urlsplit(text)
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError(expected)
        return server

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


@dataclass(frozen=True, slots=True)
class StoreEndpoints:
    """StoreEndpoints holds the servers that `--store-endpoint` allows. An empty list allows every https server."""

    allowed: frozenset[Server] = frozenset()

    @classmethod
    def listed(cls, urls: Iterable[str]) -> Self:
        """Return the endpoints of an allow list; raises ValueError as `Server.parse` does."""
        return cls(frozenset(map(Server.parse, urls)))

    def refusal(self, url: str) -> StoreError | None:
        """Return the error of an object whose endpointURL is `url`, None when requests may go there."""
        try:
            server = Server.of(url)
        except ValueError:
            return _refused(url, "is not the URL of a server", "Correct spec.store.s3.endpointURL.")
        if _is_link_local(server.host):
            return link_local(url, server.host)
        if server in self.allowed:
            return None
        if server.scheme == "http":
            hint = f"Use https, or start the operator with --store-endpoint {server}."
            return _refused(url, "is plain http, over which anybody can read and answer", hint)
        if self.allowed and not is_amazon_s3(server.host):
            hint = f"Use one of those servers, or start the operator with --store-endpoint {server} beside them."
            return _refused(url, "is none of the servers that the operator may use (--store-endpoint)", hint)
        return None


def link_local(url: str, address: str, subject: str = "") -> StoreError:
    """Return the error of a server at a link-local address."""
    what = f"is at {address}, where no store is but the machine's own network and its cloud's metadata service"
    return _refused(url, what, "Correct spec.store.s3.endpointURL, or the DNS record of its host.", subject)


class ClosedStore:
    """A ClosedStore stands for a location at a server that may not be used: each of its operations raises why."""

    def __init__(self, location: str, endpoint_url: str, why: StoreError) -> None:
        self.location = location
        self.endpoint_url = endpoint_url
        self._why = why

    @property
    def clock_offsets(self) -> tuple[timedelta, ...]:
        """Empty, because no request is sent."""
        return ()

    async def read(self, path: str) -> StoredDocument | None:
        """Raise the reason why the server is not used."""
        self._refuse(path)

    async def write(self, path: str, document: Document, *, expected: str | None) -> StoredDocument:
        """Raise the reason why the server is not used."""
        del document, expected
        self._refuse(path)

    async def delete(self, path: str, *, expected: str) -> None:
        """Raise the reason why the server is not used."""
        del expected
        self._refuse(path)

    async def rehearse(self, path: str) -> Rehearsal:
        """Raise the reason why the server is not used."""
        self._refuse(path)

    async def identity(self) -> str:
        """Raise the reason why the server is not used."""
        raise self._why

    async def aclose(self) -> None:
        """Release nothing: no connection was made."""

    def _refuse(self, path: str) -> NoReturn:
        why = self._why
        raise StoreError(why.reason, why.message, hint=why.hint, subject=f"{self.location}/{path}")


def _is_link_local(host: str) -> bool:
    try:
        return is_link_local(host)
    except ValueError:  # the host is a name
        return False


def _refused(url: str, what: str, hint: str, subject: str = "") -> StoreError:
    return StoreError(Reason.EndpointNotAllowed, f"endpointURL {url} {what}", hint=hint, subject=subject)
