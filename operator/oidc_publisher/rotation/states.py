"""The states of a key: derived from its times, for people. They decide nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidc_publisher.rotation.ledger import LedgerKey


class State(StrEnum):
    """What a person calls the phase that a key is in; the first that matches wins."""

    LEAVING = "Leaving"
    RETIRING = "Retiring"
    SIGNING = "Signing"
    SAFE_TO_SIGN = "SafeToSign"
    SERVED = "Served"
    PUBLISHED = "Published"
    PENDING = "Pending"


def state(entry: LedgerKey, signing: frozenset[str]) -> State:
    """The state of `entry` while the keys of `signing` are those of the present API servers' latest tokens."""
    matches = (
        (State.LEAVING, entry.leaving),
        (State.RETIRING, entry.unused_since_time is not None),
        (State.SIGNING, entry.key_id in signing),
        (State.SAFE_TO_SIGN, entry.safe_since_time is not None),
        (State.SERVED, entry.served_since_time is not None),
        (State.PUBLISHED, entry.published_time is not None),
    )
    return next((name for name, holds in matches if holds), State.PENDING)
