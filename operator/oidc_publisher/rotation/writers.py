"""R9: whose write the stored documents under our mark are: ours, or those of a second writer who bears the same name.

A cluster that was cloned from an etcd snapshot has the same UIDs, the same ledger and the same owner mark. What tells the
two apart is the nonce that every write carries: each ledger knows those of its own writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from oidc_publisher.rotation.ledger import Ledger
from oidc_publisher.rotation.readings import StoreState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidc_publisher.rotation.passes import Pass

#: So many nonces are remembered: those of writes that failed since the stored one, and former ones, for somebody may put
#: an older version of the documents back.
MAX_NONCES = 16


@dataclass(frozen=True, slots=True)
class OwnWrites:
    """What is known of our own writes: the serial and the nonces.

    `certain`: no write of ours can have been forgotten, so that a mark of ours with another nonce is a second writer's.
    """

    serial: int
    nonces: frozenset[str]
    certain: bool

    def unknown(self, nonces: Iterable[str]) -> bool:
        """Whether one of the nonces is of no write of ours. A mark without one was written by an earlier version."""
        return any(nonce and nonce not in self.nonces for nonce in nonces)


def own_writes(
    ledger: Ledger, saved: Ledger | None, *, remembered: Iterable[str] = (), token_lifetime: timedelta, now: datetime
) -> OwnWrites:
    """What is known of our writes.

    `saved` is the ledger as this process saved it last, None where it has saved none since it read documents that the
    ledger knew. `remembered` are nonces of writes that this process has known, whatever the status says now. While the
    ledger is the saved one, all writes are known. After a restart, or where somebody restored a status, they are not: then
    the first unknown nonce rebuilds the ledger, and another one within one token lifetime is a second writer's.
    """
    # Without a nonce nothing is remembered: an earlier version wrote, or the status was lost while the store was away.
    unchanged = bool(ledger.nonces) and saved is not None and same_writes(ledger, saved)
    lifetime = max([token_lifetime, *(entry.token_lifetime for entry in ledger.keys)])
    rebuilt = ledger.unknown_writer_time
    again = rebuilt is not None and now < rebuilt + lifetime
    nonces = frozenset({*ledger.nonces, *(saved.nonces if saved else ()), *remembered})
    return OwnWrites(ledger.serial, nonces, certain=unchanged or again or ledger.second_writer_time is not None)


def note_writers(ledger: Ledger, seen: Pass) -> Ledger:
    """Note the nonces that are stored, newest last, and since when a second writer keeps us from writing.

    That mark stays over restarts until the documents are ours again, or until a person takes it away: then the ledger is
    not the saved one, and the unknown nonce rebuilds it (docs/how-to/take-over-documents.md, two writers under one mark).
    """
    stored = seen.stored
    if stored.second_writer:
        return replace(ledger, second_writer_time=ledger.second_writer_time or seen.now, unknown_writer_time=None)
    if stored.state is not StoreState.PRESENT or not stored.nonces:
        return ledger
    found = tuple(dict.fromkeys(stored.nonces))
    others = tuple(nonce for nonce in ledger.nonces if nonce not in found)[len(found) - MAX_NONCES :]
    # After an unknown writer ours stays the newest, so that the mark differs and is written: the other one then stops.
    nonces = (*found, *others) if stored.unknown_writer else (*others, *found)
    return replace(ledger, nonces=nonces, second_writer_time=None)


def same_writes(one: Ledger, other: Ledger) -> bool:
    """Whether two ledgers know of the same writes."""
    return _writes(one) == _writes(other)


def _writes(ledger: Ledger) -> tuple[object, ...]:
    return ledger.serial, ledger.nonces, ledger.second_writer_time
