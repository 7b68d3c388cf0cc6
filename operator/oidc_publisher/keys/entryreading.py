"""What a piece of a key source says: its keys, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from oidc_publisher.findings import Reason
from oidc_publisher.keys.publickey import PublicKey


@dataclass(frozen=True, slots=True)
class KeyDefect:
    """One thing that is wrong; `detail` reads on after a name and a colon, and holds nothing of an entry's content."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class EntryReading:
    """The keys of one entry or one key set in the order found, each once, and every defect."""

    keys: tuple[PublicKey, ...] = ()
    defects: tuple[KeyDefect, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing there and nothing wrong: a zero-byte entry, or a key set without keys."""
        return not self.keys and not self.defects

    @classmethod
    def refused(cls, reason: Reason, detail: str) -> Self:
        """A reading of which nothing counts."""
        return cls(defects=(KeyDefect(reason, detail),))
