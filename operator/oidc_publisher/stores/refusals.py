"""The errors that every store words alike."""

from __future__ import annotations

from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.storable import MAX_BODY_BYTES


class AnswerLostError(StoreError):
    """The request went out and no answer came: it may have taken effect."""


class RefusedCredentialsError(StoreError):
    """There are no credentials, or none that are taken; `others_may_do` when the next call looks for others."""

    others_may_do = False


def lost_race(name: str) -> PreconditionError:
    """The error of a writer that was not the first."""
    return PreconditionError(
        Reason.StoreUnavailable,
        f"{name} was changed by somebody else after it was read",
        hint="Nothing to do: it is read again and planned anew. If this repeats, look who else writes there.",
        retryable=True,
        subject=name,
    )


def too_large(name: str) -> StoreError:
    """The error of a reader that found more than any OIDC document has."""
    return StoreError(
        Reason.DocumentsNotOurs,
        f"{name} has more than {MAX_BODY_BYTES} bytes, which no OIDC document has",
        hint="Find out whose it is and remove it, or choose another place.",
        subject=name,
    )
