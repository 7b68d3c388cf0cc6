"""R10: whether the cluster may sign with every listed key, and which keys that speaks of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidc_publisher.rotation.clock import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidc_publisher.rotation.ledger import Ledger, LedgerKey

#: More key IDs than this are counted, not named: `status.keys` has them all.
_NAMED = 16


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether every listed key may sign, None when nothing is listed; and the sentence that names the key IDs.

    The sentence changes with the keys and with `lastCompletePassTime`, which is coarse: a resting issuer costs no PATCH.
    """

    granted: bool | None
    sentence: str = ""


def permission(ledger: Ledger) -> Permission:
    """The permission as of this ledger. It cannot speak of a key that no pass has seen, and says when all was last read."""
    listed = [entry for entry in ledger.keys if entry.origins]
    if not listed:
        return Permission(None)
    waiting = [entry for entry in listed if not may_sign(entry)]
    if waiting:
        return Permission(granted=False, sentence=f"These listed keys may not sign yet: {_names(waiting)}.")
    since = max(entry.safe_since_time for entry in listed if entry.safe_since_time is not None)
    read = ledger.last_complete_pass_time
    seen = f"when everything was last read, about {stamp(read)}" if read else "so far, and never was everything read"
    sentence = f"All listed keys may sign since {stamp(since)}: {_names(listed)}. No other was listed {seen}."
    return Permission(granted=True, sentence=sentence)


def may_sign(entry: LedgerKey) -> bool:
    """Whether the cluster may sign with the key: it is safe, and no API server lacks it (R15)."""
    return entry.safe_since_time is not None and not entry.unlisted_by


def _names(entries: Sequence[LedgerKey]) -> str:
    more = f" and {len(entries) - _NAMED} more" if len(entries) > _NAMED else ""
    return ", ".join(entry.key_id for entry in entries[:_NAMED]) + more
