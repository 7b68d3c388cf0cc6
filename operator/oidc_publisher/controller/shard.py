"""Decide which objects belong to this replica, by rendezvous hashing. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Shard:
    """A Shard is part `index` of `count`, counted from 1 as in `--shard 2/8`."""

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "2/8".

        Raises:
            ValueError: the text is not two whole numbers with 1 <= the first <= the second.
        """
        first, slash, second = text.partition("/")
        if not (slash and first.isascii() and first.isdigit() and second.isascii() and second.isdigit()):
            raise ValueError("must be two whole numbers such as 2/8: part 2 of 8")
        shard = cls(int(first), int(second))
        if not 1 <= shard.index <= shard.count:
            raise ValueError(f"must be between 1/{shard.count} and {shard.count}/{shard.count}")
        return shard

    def holds(self, uid: str) -> bool:
        """Return whether the object with this UID is in this part; each object is in exactly one of the parts.

        The part whose hash together with the UID is the highest holds the object (rendezvous hashing, Thaler and
        Ravishankar 1996). So one part more takes its share from all others, and moves nothing between them.
        """
        return max(range(1, self.count + 1), key=lambda part: _score(part, uid)) == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def _score(part: int, uid: str) -> bytes:
    return hashlib.sha256(f"{part}/{uid}".encode()).digest()


#: The only part, for one replica that handles all objects.
WHOLE = Shard()
