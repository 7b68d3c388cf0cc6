"""Define the result of reading one entry or one key set: its keys and its defects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from oidc_publisher.findings import Reason
from oidc_publisher.keys.publickey import PublicKey


@dataclass(frozen=True, slots=True)
class KeyDefect:
    """A KeyDefect is one error; `detail` continues after a name and a colon, and repeats no content of the entry.

    `overlooked`: no verifier minds, as far as is known.
    """

    reason: Reason
    detail: str
    overlooked: bool = False


@dataclass(frozen=True, slots=True)
class EntryReading:
    """An EntryReading holds the keys of one entry or one key set in the order found, each once, and every defect."""

    keys: tuple[PublicKey, ...] = ()
    defects: tuple[KeyDefect, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is no key and no defect: a zero-byte entry, or a key set without keys."""
        return not self.keys and not self.defects

    @classmethod
    def refused(cls, reason: Reason, detail: str) -> Self:
        """Return a reading with one defect and no keys."""
        return cls(defects=(KeyDefect(reason, detail),))
