"""Translate failures without an answer of Cloud Storage: a connection, a certificate, or the search for credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.calls import Call
from oidc_publisher.stores.causes import cause
from oidc_publisher.stores.connections import Break, Mend, broken, origin_of
from oidc_publisher.stores.refusals import AnswerLostError, RefusedCredentialsError

if TYPE_CHECKING:
    from google.auth.exceptions import GoogleAuthError


#: The text of Google's token endpoint about an assertion that was issued too far in the past or future.
_OFF_CLOCK = "reasonable timeframe"
#: The beginning of google-auth's message that no source has credentials. The rest is about gcloud.
_NONE_FOUND = "Your default credentials were not found"
_MAX_QUOTED = 300
_MENDS = {
    Mend.NOTHING: "",
    Mend.NAME: "Check DNS.",
    Mend.AUTHORITY: "Put its authority into the file that REQUESTS_CA_BUNDLE of the operator names.",
    Mend.CERTIFICATE_NAME: "Its authority is trusted: look who answers in its place.",
    Mend.VALIDITY: "Renew the certificate, or mend the clock that is wrong.",
}


def from_credentials(call: Call, error: GoogleAuthError) -> StoreError:
    """Return the error of a failed search for credentials, or of a failed exchange for a token."""
    from google.auth import exceptions as auth  # noqa: PLC0415 - clouds are imported only when used

    if _OFF_CLOCK in str(error):
        return clock_off(call)
    # Where a server answered, its answer is the second argument.
    silent = [e for e in (error, *error.args) if isinstance(e, auth.TransportError) and len(e.args) == 1]
    if silent or error.retryable:
        said = _quoted(silent[-1] if silent else error)
        return call.unavailable(f"the source of the operator's credentials fails: {said}")
    none = str(error).startswith(_NONE_FOUND)
    return RefusedCredentialsError(
        Reason.CredentialsMissing,
        f"No credentials for {call.name}: {'none were found' if none else _quoted(error)}",
        hint="Give the operator's ServiceAccount an identity: docs/how-to/publish-to-gcs.md.",
        subject=call.name,
    )


def from_client(call: Call, error: Exception) -> StoreError:
    """Return the StoreError for an error of requests, of urllib3, or of a file that could not be read."""
    import requests  # noqa: PLC0415 - clouds are imported only when used
    from google.cloud.storage.exceptions import DataCorruption  # noqa: PLC0415

    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return _from_connection(call, error)
    if isinstance(error, ValueError):  # bad JSON, or a setting of the environment
        said = (
            f"{origin_of(_url(error))} answers, but not as Cloud Storage does" if _is_answer(error) else _quoted(error)
        )
        return call.unavailable(said, retryable=False)
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        hint = "Correct REQUESTS_CA_BUNDLE and GOOGLE_APPLICATION_CREDENTIALS of the operator, or mount the file."
        return call.unavailable(_quoted(error), hint=hint)
    if isinstance(error, DataCorruption):
        return call.unavailable("the bytes that arrived do not match their checksum")
    return call.unavailable(broken(Break.CLOSED, _url(error), error).what, AnswerLostError)


def clock_off(call: Call) -> StoreError:
    """Return the error of credentials that Google refuses because of the operator's clock."""
    message = f"{call.name}: the operator's clock is off, so that Google does not take its credentials"
    return StoreError(Reason.ClockSkewed, message, retryable=True, subject=call.name)


def _from_connection(call: Call, error: OSError) -> StoreError:
    """Return the error of a connection that could not be made, or broke."""
    found = broken(_break_of(error), _url(error), error)
    return call.unavailable(found.what, AnswerLostError if found.answer_lost else StoreError, hint=_MENDS[found.mend])


def _break_of(error: OSError) -> Break:
    """Return where a request failed, by the error class of requests, or by urllib3's where that is too general."""
    from requests import exceptions  # noqa: PLC0415 - clouds are imported only when used
    from urllib3.exceptions import NewConnectionError  # noqa: PLC0415

    match error:
        case exceptions.SSLError():
            return Break.TLS
        case exceptions.ProxyError():
            return Break.PROXY
        case exceptions.ConnectTimeout():
            return Break.CONNECT_TIMEOUT
        case exceptions.ReadTimeout():
            return Break.READ_TIMEOUT
        case _ if cause(error, NewConnectionError):
            return Break.UNREACHABLE
        case _:
            return Break.CLOSED


def _is_answer(error: Exception) -> bool:
    from requests.exceptions import InvalidJSONError  # noqa: PLC0415 - clouds are imported only when used

    return isinstance(error, InvalidJSONError)


def _quoted(error: BaseException) -> str:
    """Return the first line of a library's message, without the received answer, which differs from call to call."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    said = str(error.args[0] if error.args else error).partition("Response:")[0].strip()
    return " ".join(said.partition("\n")[0].split())[:_MAX_QUOTED]


def _url(error: Exception) -> str:
    """Return the URL of the request: the errors of requests name it, those of urllib3 do not."""
    return str(getattr(getattr(error, "request", None), "url", None) or "https://storage.googleapis.com")
