"""Order the keys that wait for a place: what has changed comes before what only rests. Pure.

After a few changed keys in a row the longest resting key has its turn, so that no stream of changes starves the others.
"""

from __future__ import annotations

from collections import OrderedDict

#: So many changed keys in a row overtake the resting keys. Resting keys keep a quarter of the turns, which is four times
#: what 1,000 issuers at an interval of a minute need where a pass takes 0.1 s and 16 run together.
MOST_IN_A_ROW = 3


class WaitingLine:
    """A WaitingLine holds each waiting key once; within each of its two parts, the key that came first is first."""

    def __init__(self) -> None:
        self._changed: OrderedDict[str, None] = OrderedDict()
        self._resting: OrderedDict[str, None] = OrderedDict()
        self._in_a_row = 0

    def __len__(self) -> int:
        """Return how many keys wait."""
        return len(self._changed) + len(self._resting)

    def put(self, key: str, *, changed: bool) -> None:
        """Let the key wait behind the keys of its kind; a resting key that has changed meanwhile becomes a changed one."""
        if changed:
            self._resting.pop(key, None)
            self._changed.setdefault(key)
        elif key not in self._changed:
            self._resting.setdefault(key)

    @property
    def resting(self) -> int:
        """How many keys wait that only rest."""
        return len(self._resting)

    def rests_next(self) -> bool:
        """Whether the key whose turn it is only rests."""
        return bool(self._resting) and not (self._changed and self._in_a_row < MOST_IN_A_ROW)

    def take(self, *, resting: bool = True) -> str:
        """Remove the key whose turn it is, or without `resting` the first changed key, and return the key.

        Raises:
            KeyError: no such key waits.
        """
        overtakes = not resting or not self.rests_next()
        self._in_a_row = self._in_a_row + 1 if overtakes and self._resting else 0
        return (self._changed if overtakes else self._resting).popitem(last=False)[0]
