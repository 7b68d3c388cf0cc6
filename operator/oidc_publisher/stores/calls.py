"""Describe one call to a store, for the errors about the call."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason


def may_pass(status: int) -> bool:
    """Tell whether the same request may succeed later, by the HTTP status of the answer (429 and 5xx)."""
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(frozen=True, slots=True)
class Call:
    """A call names the IAM permission that it needs, and the URL of its object, such as `s3://bucket/key`."""

    permission: str
    name: str
    bucket: str
    conditional: bool = False

    def unavailable(
        self, what: str, kind: type[StoreError] = StoreError, *, hint: str = "", retryable: bool = True
    ) -> StoreError:
        """Return the error of a store that cannot be used now, or of a server that is no such store."""
        message = f"{self.permission} on {self.name}: {what}"
        return kind(Reason.StoreUnavailable, message, hint=hint, retryable=retryable, subject=self.name)

    def denied(self, what: str, hint: str) -> StoreError:
        """Return the error of a call that the store understood and refused; `what` follows the object's name."""
        message = f"{self.permission} on {self.name}{what}"
        return StoreError(Reason.AccessDenied, message, hint=hint, subject=self.name)
