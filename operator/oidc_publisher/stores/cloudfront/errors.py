"""Translate botocore's errors about CloudFront into reasons of the catalogue.

No error of CloudFront stops an issuer: the documents are in the bucket, caches keep copies of them for their max-age,
and the probe proves what relying parties get. So every failure of an invalidation is a warning, InvalidationDenied,
with a sentence of its own. So is an unreachable API: StoreUnavailable would set Published, and after three intervals
Ready, to Unknown, although both are known. Only a distribution that cannot serve the bucket is critical.

`retryable` means that the failure may end without a change by an admin. Request IDs are logged.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.calls import may_pass
from oidc_publisher.stores.connections import broken
from oidc_publisher.stores.s3.errors import break_of
from oidc_publisher.stores.s3.policies import Denial
from oidc_publisher.telemetry.cloudrequests import note

_LOG = logging.getLogger("oidc_publisher.stores")
_MAX_AGE = "until then copies live for their max-age"
_ENDPOINT = "https://cloudfront.amazonaws.com"  # for errors that do not name the endpoint
_OURS = {"CreateInvalidation", "GetInvalidation", "GetDistribution"}
_THROTTLED = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"}
_DENIED = {"AccessDenied", "AccessDeniedException"}
#: The consequence of each missing permission.
_WITHOUT = {
    "CreateInvalidation": _MAX_AGE,
    "GetInvalidation": "until then changes that follow one another quickly are not gathered",
    "GetDistribution": "until then a wrong distributionID is not noticed here",
}


class NoSuchInvalidationError(StoreError):
    """CloudFront does not know the invalidation any more."""


@contextlib.contextmanager
def translated(distribution: str, operation: str) -> Iterator[None]:
    """Translate every exception that botocore raises within one call into StoreError."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - clouds are imported only when used
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        yield
    except StoreError as error:  # the client could not be built
        raise _not_made(distribution, operation, error.message, error.hint) from error
    except ClientError as error:
        raise _from_answer(distribution, error.response, error.operation_name) from error
    except (BotoCoreError, ResponseParserError, OSError) as error:
        _LOG.info("cloudfront:%s on %s: %r", operation, distribution, error)
        raise _not_made(distribution, operation, _what_failed(error)) from error


def no_such_distribution(distribution: str) -> StoreError:
    """Return the error of an ID that the operator's account does not have."""
    return mismatched(
        distribution,
        f"There is no distribution {distribution} in the operator's account",
        "Correct distributionID, or let the operator act in the account of the distribution.",
    )


def mismatched(distribution: str, sentence: str, hint: str) -> StoreError:
    """Return the error of a distribution that cannot serve the bucket."""
    return StoreError(Reason.DistributionMismatch, sentence, hint=hint, subject=distribution)


def _from_answer(distribution: str, response: Mapping[str, Any], operation: str) -> StoreError:
    error, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, status = str(error.get("Code", "")), int(metadata.get("HTTPStatusCode", 0))
    _LOG.info(
        "cloudfront:%s on %s: %s %s %s, request id %s",
        operation,
        distribution,
        status,
        code,
        error.get("Message", ""),
        metadata.get("RequestId", ""),
    )
    note(operation, status, **{"x-amz-request-id": str(metadata.get("RequestId", ""))})
    if operation not in _OURS:
        what = f"STS gives the operator no credentials ({code})"
        return _not_made(distribution, "CreateInvalidation", what, "Correct the operator's cloud identity")
    if code == "NoSuchDistribution":
        return no_such_distribution(distribution)
    if code == "NoSuchInvalidation":
        return NoSuchInvalidationError(Reason.InvalidationDenied, "The invalidation is unknown", subject=distribution)
    if code in _DENIED:
        denial = Denial.read(str(error.get("Message", "")))
        message = f"cloudfront:{operation} on distribution {distribution} is denied{denial.sentence}"
        hint = f"Allow the operator cloudfront:{operation} on it; {_WITHOUT[operation]}."
        if denial.explicit:
            hint = f"No allow mends an explicit deny: look for it in {denial.place}; {_WITHOUT[operation]}."
        return StoreError(Reason.InvalidationDenied, message, hint=hint, subject=distribution)
    return _unusual(distribution, operation, code, status)


def _unusual(distribution: str, operation: str, code: str, status: int) -> StoreError:
    if code == "TooManyInvalidationsInProgress":
        return _not_made(distribution, operation, "too many invalidations are in progress", "It is asked for again")
    passing = code in _THROTTLED or may_pass(status)
    what = f"CloudFront answers {code or 'an error'} ({status})"
    return _not_made(distribution, operation, what, "It is asked again", retryable=passing)


def _what_failed(error: Exception) -> str:
    from botocore import exceptions as boto  # noqa: PLC0415 - clouds are imported only when used

    match error:
        case boto.ConnectionError() | boto.HTTPClientError():
            url = str(getattr(error, "kwargs", {}).get("endpoint_url") or _ENDPOINT)
            return broken(break_of(error), url, error).what
        case boto.NoCredentialsError():
            return "the operator has no credentials"
        case _:
            return f"CloudFront could not be asked ({type(error).__name__})"


def _not_made(
    distribution: str,
    operation: str,
    what: str,
    hint: str = "Let the operator reach CloudFront",
    *,
    retryable: bool = True,
) -> StoreError:
    return StoreError(
        Reason.InvalidationDenied,
        f"cloudfront:{operation} on distribution {distribution}: {what}",
        hint=f"{hint.rstrip('.')}; {_WITHOUT[operation]}.",
        retryable=retryable,
        subject=distribution,
    )
