"""Define the errors that are the same for every store."""

from __future__ import annotations

from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.storable import MAX_BODY_BYTES


class AnswerLostError(StoreError):
    """The request was sent and no answer came, so that the request may have taken effect."""


class SpoiltWriteError(StoreError):
    """The store refuses a write whose bytes are not those that the request promises: it would have been allowed."""


class RefusedCredentialsError(StoreError):
    """No credentials were found, or the server refuses them; `others_may_do` when the next call searches again."""

    others_may_do = False


def lost_race(name: str) -> PreconditionError:
    """Return the error of a write that another writer preceded."""
    return PreconditionError(
        Reason.StoreUnavailable,
        f"{name} was changed by somebody else after it was read",
        hint="Nothing to do: it is read again and planned anew. If this repeats, look who else writes there.",
        retryable=True,
        subject=name,
    )


def too_large(name: str) -> StoreError:
    """Return the error of a read that found more bytes than any OIDC document has."""
    return StoreError(
        Reason.DocumentsNotOurs,
        f"{name} has more than {MAX_BODY_BYTES} bytes, which no OIDC document has",
        hint="Find out whose it is and remove it, or choose another place.",
        subject=name,
    )
