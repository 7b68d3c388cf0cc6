"""Translate the failures of requests to API servers into ClusterError with reasons of the catalogue.

Every exception of aiohttp and every status that is not a success is translated in this module. The sentences are
stable: they hold no times, local ports or request IDs, because each new text in a condition would cost a PATCH.

::

    ClusterError
    ├── CredentialsError           kubeconfig or in-cluster credentials that cannot be used
    ├── UnreachableError
    │   └── ConnectionLostError    the connection ended before the answer
    ├── CertificateError
    │   └── NameMismatchError      a certificate of the right CA, for another name
    └── AnswerError
        ├── ObjectMissingError     404 of an object; the resource itself is served
        └── ConflictError          409: another writer changed the object in between
"""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import aiohttp

from oidc_publisher.cluster.forbiddenaddresses import ForbiddenAddressError
from oidc_publisher.errors import AnswerError, CertificateError, ClusterError, UnreachableError
from oidc_publisher.findings import Reason

#: X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL: the chain was good.
_NAME_MISMATCH = frozenset({62, 64})
#: X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
_NOT_NOW = frozenset({9, 10})
#: The advice for cases in which the CA is the right one, so that comparing it would not help.
_HINT_NAME = (
    "The CA is the right one; the name is missing. Add it to the API server's certificate (kubeadm: certSANs), name one that"
    " the certificate has (tls-server-name in the kubeconfig), or look who listens there."
)
_HINT_VALIDITY = "Renew the API server's certificate (kubeadm certs renew), or mend the clock that is wrong."
_MESSAGE_LENGTH = 300
#: The text of etcd's refusal, which kube-apiserver passes on as a 500. A second try does not help.
_TOO_LARGE = "request is too large"
_SMALLER = (
    "Make the object smaller: retire keys that no longer sign, drop annotations, or raise etcd's --max-request-bytes."
)


class CredentialsError(ClusterError):
    """The operator has no usable credentials for the API server."""

    def __init__(self, message: str, *, hint: str) -> None:
        # This reason means that the API server could not be asked, so a condition becomes Unknown, not False.
        super().__init__(Reason.APIServerUnreachable, message, hint=hint)


class ConnectionLostError(UnreachableError):
    """The connection ended before the answer; the request may have been carried out."""


class NameMismatchError(CertificateError):
    """The certificate is issued by a CA that is trusted, but not for the name asked for."""


class ObjectMissingError(AnswerError):
    """An API server that serves the resource answers that there is no object of that name (404)."""


class ConflictError(AnswerError):
    """Another writer changed the object after it was read (409): read the object again, then decide again."""


def request_failure(error: Exception, asked: str) -> ClusterError:
    """Translate an exception of aiohttp for a request to `asked` (HOST:PORT)."""
    # A certificate error is a connector error too, so it is tested first.
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate_failure(error.certificate_error, asked)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_failure(error, asked)
    if isinstance(error, _LOST) and not isinstance(error, aiohttp.ClientConnectorError):
        sentence = f"{asked} ended the connection before its answer was complete"
        return ConnectionLostError(Reason.APIServerUnreachable, sentence, retryable=True, subject=asked)
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ForbiddenAddressError):
        sentence = f"{asked} is not asked, for {error.os_error.strerror}, where no API server is"
        hint = (
            "Correct spec.keySources[].apiServer.addresses, or the server in the kubeconfig of a remote cluster, or look who "
            "changed what that name resolves to."
        )
        return UnreachableError(Reason.SpecUnsupported, sentence, hint=hint, subject=asked)
    why = next(
        (say(error) for kind, say in _WHY if isinstance(error, kind)), "does not speak HTTP as an API server does"
    )
    return UnreachableError(Reason.APIServerUnreachable, f"{asked} {why}", retryable=True, subject=asked)


def no_authority(endpoint: str) -> CertificateError:
    """Return the error of an endpoint to which no credentials are sent, because no CA identifies API servers."""
    return CertificateError(
        Reason.APIServerCertificateInvalid,
        f"{endpoint} was not asked: the operator's credentials name no CA that could say whether it is an API server",
        hint="Put certificate-authority into the cluster entry of the kubeconfig.",
        subject=endpoint,
    )


def not_an_api_server(endpoint: str, names: Sequence[str]) -> NameMismatchError:
    """Return the error of an endpoint that gets no credentials: its certificate has no name of an API server."""
    return NameMismatchError(
        Reason.APIServerCertificateInvalid,
        f"{endpoint} has a certificate of the cluster's CA, but for none of the names of an API server "
        f"({', '.join(names)}); no credentials were sent to it",
        hint="Look who listens there. If it is an API server, add one of these names to its certificate, or allow the "
        "name that it has with --api-server-name of the operator.",
        retryable=True,
        subject=endpoint,
    )


def answer_failure(status: int, body: bytes, *, request: str, asked: str) -> AnswerError:
    """Translate a status that is not a success; `request` is the method and the path."""
    kind = _kind_of(status, body)
    too_large = status >= HTTPStatus.INTERNAL_SERVER_ERROR and _TOO_LARGE in status_message(body)
    reason, hint = (Reason.InternalError, _SMALLER) if too_large else _reason_of(status)
    said = status_message(body) if status < HTTPStatus.INTERNAL_SERVER_ERROR or too_large else ""
    return kind(
        reason,
        f"{asked} answered {status} to {request}" + (f": {said}" if said else ""),
        status=status,
        hint=hint,
        retryable=status in {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
        or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and not too_large),
        subject=asked,
    )


def unexpected_body(status: int, what: str, *, request: str, asked: str) -> AnswerError:
    """Return the error of a success with an unexpected body, which does not mean that the result is empty."""
    return AnswerError(
        Reason.APIServerUnreachable,
        f"{asked} answered {request} with {what}",
        status=status,
        hint="API servers that just start or stop do this for a moment; if it stays, look who listens there.",
        retryable=True,
        subject=asked,
    )


def with_reason(error: AnswerError, reason: Reason, message: str, *, hint: str = "") -> AnswerError:
    """Return the same error with a more specific reason than its status gives."""
    return AnswerError(
        reason, message, status=error.status, hint=hint, retryable=error.retryable, subject=error.subject
    )


@contextmanager
def where_forbidden(reason: Reason | None, message: str, *, hint: str) -> Iterator[None]:
    """Name the right that is missing where the API server forbids what is asked within; without a reason the error's own stays."""
    try:
        yield
    except AnswerError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        raise with_reason(error, reason or error.reason, message, hint=hint) from error


def status_of(body: bytes) -> dict[str, Any]:
    """Return the `Status` object in a body, or an empty one: proxies send HTML, kube-apiserver sometimes plain text."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) and parsed.get("kind") == "Status" else {}


def status_message(body: bytes) -> str:
    """Return the API server's message about its refusal, on one line."""
    said = status_of(body).get("message")
    return re.sub(r"\s+", " ", said).strip()[:_MESSAGE_LENGTH] if isinstance(said, str) else ""


def _kind_of(status: int, body: bytes) -> type[AnswerError]:
    if status == HTTPStatus.CONFLICT:
        return ConflictError
    # A 404 without a Status comes from a proxy, or for a resource that is not served; it shows nothing about the
    # object.
    named = status_of(body).get("reason") == "NotFound"
    return ObjectMissingError if status == HTTPStatus.NOT_FOUND and named else AnswerError


def _reason_of(status: int) -> tuple[Reason, str]:
    if status == HTTPStatus.UNAUTHORIZED:
        return Reason.SourceForbidden, (
            "The API server does not accept the operator's credentials. If a key was just removed from it, restart "
            "the operator for a new token; else compare its kubeconfig with the cluster."
        )
    if status == HTTPStatus.FORBIDDEN:
        return Reason.SourceForbidden, ""
    if status == HTTPStatus.NOT_FOUND:
        return Reason.SourceNotFound, ""
    if status in {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS} or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Reason.APIServerUnreachable, ""
    return Reason.InternalError, ""


def _certificate_failure(error: Exception, asked: str) -> CertificateError:
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else "not verified"
    kind = NameMismatchError if code in _NAME_MISMATCH else CertificateError
    if code in _NAME_MISMATCH:
        # OpenSSL's message is not repeated, because it holds the requested name.
        sentence, hint = f"{asked} has a certificate of the right CA, but for another name", _HINT_NAME
    else:
        sentence = f"{asked} has a certificate that the cluster's CA did not issue for it ({why})"
        hint = _HINT_VALIDITY if code in _NOT_NOW else ""
    return kind(Reason.APIServerCertificateInvalid, sentence, hint=hint, retryable=True, subject=asked)


def _errno_text(error: aiohttp.ClientConnectorError) -> str:
    number = error.os_error.errno
    return os.strerror(number).lower() if number is not None and number > 0 else "no connection"


def _tls_alert(error: aiohttp.ClientConnectorSSLError) -> str:
    cause = error.os_error
    reason = cause.reason if isinstance(cause, ssl.SSLError) else None
    return reason.replace("_", " ").lower() if reason else "the handshake failed"


_LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError)
#: The sentences for the other exceptions. The first match counts, because most of the classes derive from each other.
_WHY: tuple[tuple[type[Exception], Callable[[Any], str]], ...] = (
    (aiohttp.ClientConnectorSSLError, lambda e: f"does not speak TLS as an API server does ({_tls_alert(e)})"),
    (TimeoutError, lambda _: "does not answer in time"),
    (aiohttp.ClientConnectorDNSError, lambda _: "has a name that cannot be resolved"),
    (aiohttp.ClientConnectorError, lambda e: f"cannot be connected to ({_errno_text(e)})"),
    (aiohttp.ClientHttpProxyError, lambda e: f"cannot be reached: the proxy answered {e.status}"),
)
