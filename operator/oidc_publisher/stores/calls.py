"""What was asked of a store, for the errors about it."""

from __future__ import annotations

from dataclasses import dataclass

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `permission` is IAM's word for it, `name` is the object's URL, such as `s3://bucket/key`."""

    permission: str
    name: str
    bucket: str
    conditional: bool = False

    def unavailable(
        self, what: str, kind: type[StoreError] = StoreError, *, hint: str = "", retryable: bool = True
    ) -> StoreError:
        """The error of a store that cannot be used now, or of something that is no such store."""
        message = f"{self.permission} on {self.name}: {what}"
        return kind(Reason.StoreUnavailable, message, hint=hint, retryable=retryable, subject=self.name)

    def denied(self, what: str, hint: str) -> StoreError:
        """The error of a call that was understood and refused; `what` follows the object's name."""
        message = f"{self.permission} on {self.name}{what}"
        return StoreError(Reason.AccessDenied, message, hint=hint, subject=self.name)
