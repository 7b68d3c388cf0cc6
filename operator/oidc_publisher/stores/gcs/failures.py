"""What it means when Cloud Storage gave no answer: a connection, a certificate, or the search for credentials."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.causes import cause, certificate_advice
from oidc_publisher.stores.refusals import AnswerLostError, RefusedCredentialsError
from oidc_publisher.stores.timeouts import CONNECT_TIMEOUT_S, READ_TIMEOUT_S

if TYPE_CHECKING:
    from google.auth.exceptions import GoogleAuthError


#: What Google's token endpoint says to an assertion that was issued in its past or future.
_OFF_CLOCK = "reasonable timeframe"
#: How google-auth begins to say that no source of credentials had any; the rest is about gcloud.
_NONE_FOUND = "Your default credentials were not found"
_MAX_QUOTED = 300


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked, for messages. `permission` is IAM's word for it, `name` is `gs://bucket/object`."""

    permission: str
    name: str
    bucket: str
    conditional: bool = False


def from_credentials(call: Call, error: GoogleAuthError) -> StoreError:
    """The search for credentials, or their exchange for a token, ended in an error."""
    from google.auth import exceptions as auth  # noqa: PLC0415 - clouds are imported only when used

    if _OFF_CLOCK in str(error):
        return clock_off(call)
    # Where somebody answered, the answer is the second argument.
    silent = [e for e in (error, *error.args) if isinstance(e, auth.TransportError) and len(e.args) == 1]
    if silent or error.retryable:
        said = _quoted(silent[-1] if silent else error)
        return unavailable(call, f"the source of the operator's credentials fails: {said}")
    none = str(error).startswith(_NONE_FOUND)
    return RefusedCredentialsError(
        Reason.CredentialsMissing,
        f"No credentials for {call.name}: {'none were found' if none else _quoted(error)}",
        hint="Give the operator's ServiceAccount an identity: docs/how-to/publish-to-gcs.md.",
        subject=call.name,
    )


def from_client(call: Call, error: Exception) -> StoreError:
    """The meaning of an error of requests, of urllib3, or of a file that could not be read."""
    import requests  # noqa: PLC0415 - clouds are imported only when used
    from google.cloud.storage.exceptions import DataCorruption  # noqa: PLC0415

    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return _from_connection(call, error)
    if isinstance(error, ValueError):  # bad JSON, or a setting of the environment
        said = f"{_origin(error)} answers, but not as Cloud Storage does" if _is_answer(error) else _quoted(error)
        return unavailable(call, said, retryable=False)
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        hint = "Correct REQUESTS_CA_BUNDLE and GOOGLE_APPLICATION_CREDENTIALS of the operator, or mount the file."
        return unavailable(call, _quoted(error), hint=hint)
    if isinstance(error, DataCorruption):
        return unavailable(call, "the bytes that arrived do not match their checksum")
    return unavailable(call, f"{_origin(error)} closes connections before its answer is complete", AnswerLostError)


def clock_off(call: Call) -> StoreError:
    """The error of credentials that are of another time than Google's."""
    message = f"{call.name}: the operator's clock is off, so that Google does not take its credentials"
    return StoreError(Reason.ClockSkewed, message, retryable=True, subject=call.name)


def unavailable(
    call: Call, what: str, kind: type[StoreError] = StoreError, *, hint: str = "", retryable: bool = True
) -> StoreError:
    """The error of a store that cannot be used now, or of something that is no Cloud Storage."""
    message = f"{call.permission} on {call.name}: {what}"
    return kind(Reason.StoreUnavailable, message, hint=hint, retryable=retryable, subject=call.name)


def _from_connection(call: Call, error: OSError) -> StoreError:
    """The meaning of a connection that did not come about, or did not last."""
    from requests import exceptions  # noqa: PLC0415 - clouds are imported only when used

    origin, kind, hint = _origin(error), StoreError, ""
    match error:
        case exceptions.SSLError():
            return _tls(call, origin, error)
        case exceptions.ProxyError():
            what = f"the proxy for {origin} cannot be reached"
        case exceptions.ConnectTimeout():
            what = f"{origin} does not answer within {CONNECT_TIMEOUT_S} s"
        case exceptions.ReadTimeout():
            what, kind = f"{origin} does not answer within {READ_TIMEOUT_S} s", AnswerLostError
        case _ if cause(error, socket.gaierror):
            what, hint = f"the name {urlsplit(origin).hostname} cannot be resolved", "Check DNS."
        case _ if cause(error, ConnectionRefusedError):
            what = f"{origin} refuses connections"
        case _:
            what, kind = f"{origin} closes connections before its answer is complete", AnswerLostError
    return unavailable(call, what, kind, hint=hint)


def _tls(call: Call, origin: str, error: Exception) -> StoreError:
    refused = cause(error, ssl.SSLCertVerificationError)
    if refused is not None:
        return unavailable(
            call,
            f"the certificate of {origin} is not trusted: {refused.verify_message.rstrip('.')}",
            hint=certificate_advice(
                refused,
                name="Its authority is trusted: look who answers in its place.",
                authority="Put its authority into the file that REQUESTS_CA_BUNDLE of the operator names.",
            ),
        )
    failed = cause(error, ssl.SSLError)
    return unavailable(call, f"TLS with {origin} fails ({failed.reason if failed else 'no reason given'})")


def _is_answer(error: Exception) -> bool:
    from requests.exceptions import InvalidJSONError  # noqa: PLC0415 - clouds are imported only when used

    return isinstance(error, InvalidJSONError)


def _quoted(error: BaseException) -> str:
    """The first line of what a library says, without what it received: that differs from call to call."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    said = str(error.args[0] if error.args else error).partition("Response:")[0].strip()
    return " ".join(said.partition("\n")[0].split())[:_MAX_QUOTED]


def _origin(error: Exception) -> str:
    """The server that was asked: requests' errors name the request, urllib3's do not."""
    url = getattr(getattr(error, "request", None), "url", None)
    parts = urlsplit(str(url or "https://storage.googleapis.com"))
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
