"""Keep one node's copy of the ring in step with the Secret, and decide what the node's signer does (S1 to S5).

The order of the steps is what keeps the promises: the Secret is written before anything follows from the change, and
the disk before the first signature with another key. A step that fails leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from oidc_publisher.errors import PublisherError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.signer.ring import (
    Choice,
    Memory,
    PrivateHalf,
    Renumbered,
    Ring,
    RingIntent,
    Sight,
    choose,
    join,
    settle,
)
from oidc_publisher.signer.storage import DiskCopy

#: How often one look begins anew because another signer was faster. Each time somebody has made progress.
_ATTEMPTS = 8


class LostRaceError(PublisherError):
    """Another signer wrote the Secret in between."""


class NoRingError(PublisherError):
    """There is no ring: neither the Secret nor the disk has one. Keys are never invented (S11)."""


class SharedRing(Protocol):
    """The SharedRing is the ring that all signers of a cluster share."""

    def read(self) -> tuple[Ring | None, str]:
        """Return the ring, None where there is none yet, and the version of what was read; raises PublisherError."""
        ...

    def replace(self, ring: Ring, version: str) -> None:
        """Replace what has this version; raises LostRaceError when it has another one by now, PublisherError else."""
        ...


class OwnCopy(Protocol):
    """The OwnCopy is the copy of the ring on this node's disk."""

    def read(self) -> DiskCopy | None:
        """Return the copy, None where there is none."""
        ...

    def write(self, copy: DiskCopy) -> None:
        """Replace the copy as a whole, or raise and leave it as it was."""
        ...


@dataclass(slots=True)
class RingKeeper:
    """A RingKeeper looks at the ring, again and again, for one signer.

    `make_pair` makes a key of an algorithm. `evidence_since` is the time of the first look, or of the last one that
    healed the Secret, by the clock of the API server as everything that it is compared with.
    """

    shared: SharedRing
    disk: OwnCopy
    make_pair: Callable[[str], tuple[PublicKey, PrivateHalf]]
    copy: DiskCopy | None = None
    evidence_since: datetime | None = None
    memory: Memory = field(default_factory=Memory)

    def look(self, sight: Sight) -> Choice:
        """Bring Secret and disk to one ring, apply the rules, write what follows, and return what to do now.

        Raises LostRaceError, NoRingError, AnotherLineageError and whatever reading and writing raise. Then nothing has
        changed that the signer serves from.
        """
        conflicts: tuple[Renumbered, ...] = ()
        self.evidence_since = self.evidence_since or sight.now
        for _ in range(_ATTEMPTS):
            shared, version = self.shared.read()
            ring, renumbered = self._joined(shared, sight.now)
            conflicts += renumbered
            choice = choose(ring, self._own(sight))
            wanted = self._with_new_version(choice, sight.now)
            if shared is not None and wanted == shared:
                return self._kept(ring, choice, conflicts)
            try:
                self.shared.replace(replace(wanted, serial=wanted.serial + 1), version)
            except LostRaceError:
                continue
        raise LostRaceError(Reason.RingUnreadable, "Other signers write the ring faster than this one", retryable=True)

    def look_at_disk(self, now: datetime) -> Choice:
        """Return what to do while the Secret cannot be read: go on with what signed last, and change nothing."""
        if self.copy is None:
            raise _no_ring()
        return choose(self.copy.ring, self._own(Sight(now, intent=RingIntent(suspend=True))))

    def found(self, public: PublicKey, private: PrivateHalf, *, lineage: str, now: datetime, highest: int = 0) -> None:
        """Make the first ring of a cluster, with the key that the cluster signs with already (S11).

        `highest` is the highest number of a former ring that is lost, which is never used again (S2).

        Raises NoRingError when there is a ring, and LostRaceError when another signer founded one at the same time.
        """
        shared, version = self.shared.read()
        if shared is not None or self.copy is not None:
            raise NoRingError(Reason.RingReplaced, "There is a ring already, which is joined and never founded anew")
        self.shared.replace(Ring(lineage, highest=highest).with_new(public, private, at=now, imported=True), version)

    def _joined(self, shared: Ring | None, now: datetime) -> tuple[Ring, tuple[Renumbered, ...]]:
        if self.copy is None:
            if shared is None:
                raise _no_ring()
            return settle(shared, shared)
        if shared is None:
            ring, renumbered = settle(self.copy.ring)
        else:
            ring, renumbered = settle(join(shared, self.copy.ring), shared)
        if ring != shared:
            self.evidence_since = now  # the Secret was restored or lost, and perhaps the issuers' statuses with it
        return ring, renumbered

    def _own(self, sight: Sight) -> Sight:
        signing = self.copy.signing_key_id if self.copy else None
        return replace(sight, signing_key_id=signing, evidence_since=self.evidence_since, memory=self.memory)

    def _with_new_version(self, choice: Choice, now: datetime) -> Ring:
        if choice.make is None:
            return choice.ring
        return choice.ring.with_new(*self.make_pair(choice.make.algorithm), at=now)

    def _kept(self, ring: Ring, choice: Choice, conflicts: tuple[Renumbered, ...]) -> Choice:
        """Write the disk before anything is signed with another key (S5), and return the choice."""
        former = self.copy.signing_key_id if self.copy else None
        copy = DiskCopy(ring, choice.sign.key_id if choice.sign else former)
        if copy != self.copy:
            self.disk.write(copy)
            self.copy = copy
        self.memory = choice.memory
        return replace(choice, findings=(*choice.findings, *map(_conflict, dict.fromkeys(conflicts))))


def _conflict(each: Renumbered) -> Finding:
    said = f"Version {each.former} was two keys; {each.key_id} is version {each.number} now"
    return Finding.of(Reason.VersionConflict, said, subject=each.key_id)


def _no_ring() -> NoRingError:
    return NoRingError(
        Reason.RingUnreadable,
        "There is no ring of signing keys: the Secret is empty or cannot be read, and the disk holds no copy",
        hint="Restore the file of a disk with `oidc-publisher signer restore`, or give --import-key on a cluster without a ring.",
    )
