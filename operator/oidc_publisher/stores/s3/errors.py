"""Translate botocore's errors into StoreError with reasons of the catalogue.

::

    StoreError
    ├── PreconditionError          412, 409, and 404 to If-Match: another writer was first, or this call's first attempt
    ├── AnswerLostError            the request was sent and no answer came, so it may have taken effect
    ├── SpoiltWriteError           the bytes are not those of Content-MD5: sent so on purpose by a rehearsal
    └── RefusedCredentialsError    none found, or none that the store or STS accepts

Messages are stable. What differs from call to call (request IDs, session names) goes to the log
`oidc_publisher.stores`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.calls import may_pass
from oidc_publisher.stores.causes import cause
from oidc_publisher.stores.connections import Break, Mend, broken, origin_of
from oidc_publisher.stores.refusals import AnswerLostError, RefusedCredentialsError, SpoiltWriteError, lost_race
from oidc_publisher.stores.s3.clients import wrong_region
from oidc_publisher.stores.s3.denials import LOOK_IT_UP, denied
from oidc_publisher.stores.s3.endpoint import S3Call, S3Endpoint
from oidc_publisher.stores.storeendpoints import link_local
from oidc_publisher.telemetry.cloudrequests import note

_LOG = logging.getLogger("oidc_publisher.stores")

_OURS = {"GetObject", "PutObject", "DeleteObject"}
_LOST_RACE = {"PreconditionFailed", "ConditionalRequestConflict", "OperationAborted"}
_REFUSED_CREDENTIALS = {
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}
_CLOCK = {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"}
_MEND_KEY = "Correct the operator's access key or cloud identity."
_MEND_ROLE = "Correct the trust policy of the operator's role; it must not rely on the very issuer that is published."
_MENDS = {
    Mend.NOTHING: "",
    Mend.NAME: "Check the region, endpointURL and DNS.",
    Mend.AUTHORITY: "Put its authority into spec.store.s3.certificateAuthority, or correct endpointURL.",
    Mend.CERTIFICATE_NAME: "Its authority is trusted: correct the host of endpointURL, or take addressingStyle Path.",
    Mend.VALIDITY: "Renew the certificate, or mend the clock that is wrong.",
}


@contextlib.contextmanager
def translated(call: S3Call) -> Iterator[None]:
    """Translate every exception that botocore raises within the block into StoreError.

    botocore raises RuntimeError for refreshed credentials that have expired already.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - clouds are imported only when used
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        yield
    except ClientError as error:
        raise _from_answer(call, error.response, error.operation_name) from error
    except (BotoCoreError, ResponseParserError, OSError, RuntimeError) as error:
        _LOG.info("%s on %s: %r", call.permission, call.name, error)
        raise _from_client(call, error) from error


def _from_answer(call: S3Call, response: Mapping[str, Any], operation: str) -> StoreError:
    """Return the StoreError for an error that a server answered."""
    error, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, status = str(error.get("Code", "")), int(metadata.get("HTTPStatusCode", 0))
    # A failed precondition is a normal result of a compare-and-swap.
    _LOG.log(
        logging.DEBUG if status == HTTPStatus.PRECONDITION_FAILED else logging.INFO,
        "%s (%s) on %s: %s %s %s, request id %s, host id %s",
        operation,
        call.permission,
        call.name,
        status,
        code,
        error.get("Message", ""),
        metadata.get("RequestId", ""),
        metadata.get("HostId", ""),
    )
    note_answer(operation, metadata)
    if operation not in _OURS:
        return _from_sts(call, code, status, operation)
    region = wrong_region(response, call.endpoint.region)
    if region is not None:
        return _wrong_region(call, region)
    refused = None
    if code not in _CLOCK | _REFUSED_CREDENTIALS:
        refused = denied(call, code, status, str(error.get("Message", "")))
    return refused or _from_s3(call, code, status)


def note_answer(operation: str, metadata: Mapping[str, Any]) -> None:
    """Note the request IDs of an answer, by its ResponseMetadata."""
    ids = {"x-amz-request-id": metadata.get("RequestId", ""), "x-amz-id-2": metadata.get("HostId", "")}
    note(operation, int(metadata.get("HTTPStatusCode", 0)), **{name: str(value) for name, value in ids.items()})


def _from_s3(call: S3Call, code: str, status: int) -> StoreError:
    """Return the StoreError for a code of S3."""
    if code in _LOST_RACE or (code == "NoSuchKey" and call.conditional):
        return lost_race(call.name)
    if code == "BadDigest":
        what = f"{call.name}: the bytes that arrived are not those that were sent"
        return SpoiltWriteError(Reason.StoreUnavailable, what, retryable=True, subject=call.name)
    if code in {"NoSuchBucket", "InvalidBucketName"}:
        return StoreError(Reason.BucketNotFound, f"The bucket {call.bucket} does not exist", subject=call.name)
    if code in _CLOCK:
        return StoreError(
            Reason.ClockSkewed, f"{call.name}: the operator's clock is off ({code})", retryable=True, subject=call.name
        )
    if code in _REFUSED_CREDENTIALS:
        return RefusedCredentialsError(
            Reason.AccessDenied,
            f"{origin_of(call.endpoint.origin)} refuses the operator's credentials for {call.name} ({code})",
            hint=_MEND_KEY,
            retryable=code.startswith("Expired"),
            subject=call.name,
        )
    return _unusual(call, code, status)


def _wrong_region(call: S3Call, region: str) -> StoreError:
    where = f"lies in {region}" if region else "lies in another region"
    return StoreError(
        Reason.WrongRegion,
        f"The bucket {call.bucket} {where}, not in {call.endpoint.region}",
        hint=f"Set spec.store.s3.region to {region}." if region else "Set spec.store.s3.region to the bucket's region.",
        subject=call.name,
    )


def _unusual(call: S3Call, code: str, status: int) -> StoreError:
    if status == HTTPStatus.NOT_IMPLEMENTED and call.conditional:
        return conditions_ignored(call.endpoint, call.name, "does not implement preconditions")
    transient = may_pass(status)
    what = f"{origin_of(call.endpoint.origin)} answers {code or 'an error'} ({status})"
    return call.unavailable(what, hint="" if transient else LOOK_IT_UP, retryable=transient)


def _from_sts(call: S3Call, code: str, status: int, operation: str) -> StoreError:
    """Return the error of a failed exchange of the operator's identity for credentials."""
    if code in {"IDPCommunicationError", "Throttling"} or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return call.unavailable(f"STS answers {code} to {operation}")
    return RefusedCredentialsError(
        Reason.CredentialsMissing,
        f"STS does not accept the operator's credentials: {code} to {operation}"
        if operation == "GetCallerIdentity"
        else f"STS gives the operator no credentials: {code} to {operation}",
        hint=_MEND_KEY if operation == "GetCallerIdentity" else _MEND_ROLE,
        retryable=code.startswith("Expired"),
        subject=call.name,
    )


def _from_client(call: S3Call, error: Exception) -> StoreError:
    """Return the StoreError for an error that botocore raised without an answer."""
    from botocore import exceptions as boto  # noqa: PLC0415 - clouds are imported only when used
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    if isinstance(error, boto.ParamValidationError | boto.InvalidRegionError | boto.EndpointProviderError):
        return StoreError(Reason.SpecUnsupported, f"{call.name}: {_one_line(error)}", subject=call.name)
    if isinstance(error, boto.ConnectionError | boto.HTTPClientError | boto.IncompleteReadError):
        return _from_transport(call, error)
    if isinstance(error, ResponseParserError):
        return call.unavailable(f"{origin_of(call.endpoint.origin)} answers, but not as S3 does", retryable=False)
    return _credentials(call, error)


def _from_transport(call: S3Call, error: Exception) -> StoreError:
    """Return the error of a connection that could not be made, or broke."""
    from oidc_publisher.stores.s3.transport import LinkLocalError  # noqa: PLC0415 - imports botocore

    url = _asked(call, error)
    refused = cause(error, LinkLocalError)
    if refused is not None:
        return link_local(origin_of(url), refused.address, call.name)
    found = broken(break_of(error), url, error)
    return call.unavailable(found.what, AnswerLostError if found.answer_lost else StoreError, hint=_MENDS[found.mend])


def break_of(error: Exception) -> Break:
    """Return where a request failed, by botocore's class of error."""
    from botocore import exceptions as boto  # noqa: PLC0415 - clouds are imported only when used

    match error:
        case boto.SSLError():
            return Break.TLS
        case boto.EndpointConnectionError():
            return Break.UNREACHABLE
        case boto.ConnectTimeoutError():
            return Break.CONNECT_TIMEOUT
        case boto.ProxyConnectionError():
            return Break.PROXY
        case boto.ReadTimeoutError():
            return Break.READ_TIMEOUT
        case _:
            return Break.CLOSED


def _credentials(call: S3Call, error: Exception) -> StoreError:
    """Return the error of a failed search for credentials; the callers have handled every other kind of error."""
    from botocore import exceptions as boto  # noqa: PLC0415 - clouds are imported only when used

    passing = isinstance(error, boto.CredentialRetrievalError | boto.MetadataRetrievalError | RuntimeError)
    what = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else _one_line(error)
    if isinstance(error, boto.NoCredentialsError):
        what = "none were found"
    return RefusedCredentialsError(
        Reason.CredentialsMissing,
        f"No credentials for {call.name}: {what}",
        retryable=passing,
        subject=call.name,
    )


def conditions_ignored(endpoint: S3Endpoint, name: str, what: str = "ignores preconditions") -> StoreError:
    """Return the error of a server that does not prevent two writers from overwriting each other."""
    return StoreError(
        Reason.ConditionalWritesUnsupported,
        f"{endpoint.endpoint_url or 'The store'} {what} (If-None-Match, If-Match) on writes",
        hint="Use a store with conditional writes, or update this one and restart the operator.",
        subject=name,
    )


def owned_by_another(call: S3Call) -> StoreError:
    """Return the error of a bucket that can be read, but does not belong to the expected owner."""
    return StoreError(
        Reason.BucketOwnedByAnother,
        f"The bucket {call.bucket} does not belong to account {call.expected_owner}",
        subject=call.name,
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _asked(call: S3Call, error: Exception) -> str:
    """Return the URL of the server that the error names, which may be STS, or else the store's."""
    return str(getattr(error, "kwargs", {}).get("endpoint_url") or call.endpoint.origin)
