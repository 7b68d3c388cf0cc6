"""Send requests to the API server over one connection."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from oidc_publisher.errors import PublisherError
from oidc_publisher.findings import Reason
from oidc_publisher.signer.kube.kubeaccess import KubeAccess
from oidc_publisher.timing.httpdate import parsed_date

#: What an admin does next, by the status of an answer.
_HINTS: Mapping[int | None, str] = {
    HTTPStatus.UNAUTHORIZED: "Renew the credentials of the signer's kubeconfig, which have expired or are no longer taken: "
    "the signer reads them again by itself, and goes on meanwhile with what it knows.",
}
JSON, APPLY = "application/json", "application/apply-patch+yaml"


class KubeRequestError(PublisherError):
    """A request failed; `status` is the HTTP status, None where no answer came."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(Reason.RingUnreadable, message, hint=_HINTS.get(status, ""), retryable=True)
        self.status = status


@dataclass(frozen=True, slots=True)
class KubeAnswer:
    """A KubeAnswer is a success; `time` is the API server's, by which the ring reckons."""

    document: Mapping[str, Any]
    time: datetime


class KubeApi:
    """The KubeApi keeps a connection open. It belongs to one thread."""

    def __init__(self, access: KubeAccess) -> None:
        self._access = access
        self._connection: http.client.HTTPSConnection | None = None
        self._stamp = access.stamp()
        self._context: ssl.SSLContext | None = None

    def get(self, path: str, accept: str = JSON) -> KubeAnswer:
        """Get an object or a list; a connection that has ended meanwhile is opened anew."""
        if self._connection is not None:
            try:
                return self._ask("GET", path, None, JSON, accept)
            except KubeRequestError as error:
                if error.status is not None:
                    raise
        return self._ask("GET", path, None, JSON, accept)

    def send(self, method: str, path: str, body: Mapping[str, Any], content_type: str = JSON) -> KubeAnswer:
        """Write an object, once: whether a write without an answer took effect is known by the next look."""
        return self._ask(method, path, body, content_type)

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, content_type: str, accept: str = JSON
    ) -> KubeAnswer:
        """Send one request.

        Raises KubeRequestError for every status above 299 and where no answer came, and KubeAccessError.
        """
        status, date, content = self._answer(method, path, body, {"Accept": accept, "Content-Type": content_type})
        document = _document(content)
        if status == HTTPStatus.UNAUTHORIZED:
            self._close()  # the next connection may lead to an API server that takes the credentials
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            said = str(document.get("message", ""))[:300]
            raise KubeRequestError(f"{method} {path} was answered with {status}: {said}", status)
        return KubeAnswer(document, parsed_date(date) or datetime.now(UTC).replace(microsecond=0))

    def _answer(
        self, method: str, path: str, body: Mapping[str, Any] | None, types: Mapping[str, str]
    ) -> tuple[int, str | None, bytes]:
        self._follow()
        payload = None if body is None else json.dumps(body).encode()
        headers = {**self._access.headers, **types}
        try:
            connection = self._connection = self._connection or self._opened()
            connection.request(method, self._access.prefix + path, payload, headers)
            response = connection.getresponse()
            return response.status, response.headers.get("Date"), response.read()
        except (OSError, http.client.HTTPException) as error:
            self._close()
            raise KubeRequestError(f"{method} {path} got no answer: {error or type(error).__name__}") from None

    def _follow(self) -> None:
        """Read a kubeconfig or a certificate again that was renewed, and leave the connection that has the former one.

        An API server that is asked again and again keeps a connection for good, and judges its certificate anew with each
        request. Without a change nothing is read: where no API server runs that would be most of what a signer does.
        """
        stamp = self._access.stamp()
        if stamp != self._stamp:
            self._close()
            self._context = None
            self._access = self._access.renewed()
            self._stamp = stamp

    def _opened(self) -> http.client.HTTPSConnection:
        self._context = self._context or self._access.context()
        return self._access.connection(self._context)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _document(content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
