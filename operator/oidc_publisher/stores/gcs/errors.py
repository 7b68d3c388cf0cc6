"""Translate the errors of google-cloud-storage, google-auth and requests into StoreError with reasons of the catalogue.

::

    StoreError
    ├── PreconditionError          412, and 404 to a conditional replacement: another writer was first
    ├── AnswerLostError            the request was sent and no answer came, so it may have taken effect
    └── RefusedCredentialsError    none found, none that can be exchanged, or none that Cloud Storage accepts

Messages are stable. Cloud Storage's own text goes to the log `oidc_publisher.stores`. The patterns for that text come
from Google's reference (cloud.google.com/storage/docs/json_api/v1/status-codes), not from answers of a bucket.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.calls import Call, may_pass
from oidc_publisher.stores.gcs.failures import clock_off, from_client, from_credentials
from oidc_publisher.stores.refusals import RefusedCredentialsError, lost_race
from oidc_publisher.telemetry.cloudrequests import note
from oidc_publisher.timing.httpdate import parsed_date

if TYPE_CHECKING:
    from google.api_core.exceptions import GoogleAPICallError

_LOG = logging.getLogger("oidc_publisher.stores")

#: The header of Cloud Storage's answers by which Google's support finds a request.
_UPLOAD_ID = "x-guploader-uploadid"
#: Cloud Storage names the missing permission: "... does not have storage.objects.get access to ...".
_PERMISSION = re.compile(r"\bstorage\.[a-zA-Z]+\.[a-zA-Z]+")
_KMS = re.compile(r"\b(?:cloudkms|KMS)\b")
#: Google refuses tokens whose time of issue differs from Google's clock by more than a few minutes.
_MAX_CLOCK_OFFSET = timedelta(minutes=5)
_RATE_LIMITS = {"rateLimitExceeded", "userRateLimitExceeded"}

_HINTS = {
    "storage.objects.get": (
        "Allow the operator's identity storage.objects.get and storage.objects.list on the bucket: without the latter,"
        " Cloud Storage answers 403, not 404, where there is no object yet."
    ),
    "storage.objects.delete": (
        "Allow the operator's identity storage.objects.delete on the bucket: replacing an object needs it beside"
        " storage.objects.create."
    ),
}
#: The causes of a 403 other than a missing permission, by Cloud Storage's reason: the cause, and the advice.
_OTHER_CAUSES = {
    "accountDisabled": ("the billing of its project is disabled", "Enable the billing of the bucket's project."),
    "insufficientPermissions": (
        "the scopes of the operator's credentials do not include it",
        "Use Workload Identity, or give the nodes the scope devstorage.read_write.",
    ),
    "retentionPolicyNotMet": (
        "a retention policy or a hold keeps the present object",
        "Remove it: documents that cannot be replaced cannot follow the cluster's keys.",
    ),
}
#: The reasons that mean no more than "denied". An absent reason is one of them.
_SIMPLY_DENIED = {"", "forbidden", "required", "authError"}
_LOOK_IT_UP = (
    "This is no missing permission: see cloud.google.com/storage/docs/json_api/v1/status-codes. Its own words are in the"
    " operator's log."
)
_PERIMETER = (
    "the organization's policy prohibits it",
    "Let the operator through the perimeter of VPC Service Controls, or move the bucket out of it.",
)


@dataclass(frozen=True, slots=True)
class _CloudSaid:
    """An error answer of Cloud Storage; `reason` is the word of Cloud Storage's own catalogue, or empty."""

    status: int
    reason: str
    message: str
    date: datetime | None

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later."""
        return may_pass(self.status) or self.status == HTTPStatus.REQUEST_TIMEOUT or self.reason in _RATE_LIMITS

    @property
    def is_about_bucket(self) -> bool:
        """Whether the bucket is missing ("The specified bucket ..."), not the object ("No such object: ...")."""
        no_such = self.status == HTTPStatus.NOT_FOUND and "bucket does not exist" in self.message
        return no_such or (self.status == HTTPStatus.BAD_REQUEST and "bucket name" in self.message)

    @property
    def is_requester_pays(self) -> bool:
        """Whether the bucket lets the requester pay."""
        return self.reason == "UserProjectMissing" or "requester pays" in self.message


@contextlib.contextmanager
def translated(call: Call) -> Iterator[None]:
    """Translate every exception that Google's libraries raise within the block into StoreError."""
    from google.api_core.exceptions import GoogleAPICallError  # noqa: PLC0415 - clouds are imported only when used
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
    from google.cloud.storage.exceptions import DataCorruption  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - raised by bodies that are read raw

    try:
        yield
    except GoogleAPICallError as error:
        headers = getattr(error.response, "headers", None) or {}
        note(call.permission, int(error.code or 0), **{_UPLOAD_ID: str(headers.get(_UPLOAD_ID, ""))})
        raise _from_answer(call, _said(error)) from error
    except GoogleAuthError as error:
        _LOG.info("%s on %s: %r", call.permission, call.name, error)
        raise from_credentials(call, error) from error
    # The errors of requests are OSErrors.
    except (OSError, ValueError, HTTPError, DataCorruption) as error:
        _LOG.info("%s on %s: %r", call.permission, call.name, error)
        raise from_client(call, error) from error


def is_absent(error: GoogleAPICallError) -> bool:
    """Return whether the error is about a missing object, and not about a missing bucket."""
    said = _said(error)
    return said.status == HTTPStatus.NOT_FOUND and not said.is_about_bucket


def _from_answer(call: Call, said: _CloudSaid) -> StoreError:
    """Return the StoreError for an error answer of Cloud Storage."""
    # A failed precondition is a normal result of a compare-and-swap.
    level = logging.DEBUG if said.status == HTTPStatus.PRECONDITION_FAILED else logging.INFO
    _LOG.log(level, "%s on %s: %s %s %s", call.permission, call.name, said.status, said.reason, said.message)
    if said.is_about_bucket:
        return _no_bucket(call)
    if said.is_requester_pays:
        return _requester_pays(call)
    match said.status:
        case HTTPStatus.PRECONDITION_FAILED:
            error: StoreError = lost_race(call.name)
        case HTTPStatus.NOT_FOUND:  # for a call that expects no object, only the bucket can be missing
            error = lost_race(call.name) if call.conditional else _no_bucket(call)
        case HTTPStatus.UNAUTHORIZED:
            error = _refused(call, said)
        case HTTPStatus.FORBIDDEN if not said.is_transient:
            error = _denied(call, said)
        case _:
            what = f"Cloud Storage answers {said.reason or 'an error'} ({said.status})"
            error = call.unavailable(what, retryable=said.is_transient)
    return error


def _no_bucket(call: Call) -> StoreError:
    return StoreError(Reason.BucketNotFound, f"The bucket {call.bucket} does not exist", subject=call.name)


def _requester_pays(call: Call) -> StoreError:
    return StoreError(
        Reason.AccessDenied,
        f"The bucket {call.bucket} lets the requester pay, which no relying party does",
        hint=f"Turn it off: gcloud storage buckets update gs://{call.bucket} --no-requester-pays.",
        subject=call.name,
    )


def _refused(call: Call, said: _CloudSaid) -> StoreError:
    """Return the error of a 401 in spite of refreshed credentials."""
    if said.date and abs(said.date - datetime.now(UTC)) > _MAX_CLOCK_OFFSET:
        return clock_off(call)
    return RefusedCredentialsError(
        Reason.AccessDenied,
        f"Cloud Storage refuses the operator's credentials for {call.name}",
        hint="Correct the operator's cloud identity: its service account may be disabled or deleted.",
        subject=call.name,
    )


def _denied(call: Call, said: _CloudSaid) -> StoreError:
    """Return the error of a 403: KMS, a cause that Cloud Storage names, or a missing permission."""
    if _KMS.search(said.message):
        hint = "Allow the service agent of Cloud Storage in the bucket's project to encrypt and decrypt with its key."
        return StoreError(Reason.KMSDenied, f"{call.name}: its KMS key cannot be used", hint=hint, subject=call.name)
    found = _PERMISSION.search(said.message)
    permission = found[0] if found else call.permission
    prohibited = "organization's policy" in said.message
    what, hint = _PERIMETER if prohibited else _OTHER_CAUSES.get(said.reason, ("", ""))
    if not what and said.reason not in _SIMPLY_DENIED:
        what, hint = f"Cloud Storage says {said.reason}", _LOOK_IT_UP
    return StoreError(
        Reason.AccessDenied,
        f"{permission} on {call.name} is denied" + (f": {what}" if what else ""),
        hint=hint or _HINTS.get(permission, f"Allow the operator's identity {permission} on the bucket."),
        subject=call.name,
    )


def _said(error: GoogleAPICallError) -> _CloudSaid:
    """Read the answer behind an error. The answer may be anything, because the server may not be Cloud Storage."""
    answer: Any = error.response
    try:
        inner = answer.json()["error"]
        causes = inner.get("errors") or [{}]
        reason, message = str(causes[0].get("reason", "")), str(inner.get("message", ""))
    except (AttributeError, ValueError, LookupError, TypeError):
        reason, message = "", str(getattr(answer, "text", ""))
    headers = getattr(answer, "headers", {})
    return _CloudSaid(int(error.code or 0), reason, message, parsed_date(headers.get("Date")))
