"""Define the error of a ring that cannot be read."""

from __future__ import annotations

from oidc_publisher.errors import PublisherError
from oidc_publisher.findings import Reason


class RingUnreadableError(PublisherError):
    """A copy of the ring is not what a signer writes. Nothing of such a copy is used, because a part may lack a key."""


def unreadable(message: str) -> RingUnreadableError:
    """Return the error with a message that repeats no value of the copy, because it may hold a private key."""
    return RingUnreadableError(Reason.RingUnreadable, message)
