"""Count the runs in progress, and decide whether one more may begin. Pure.

A run that takes long waits for a server, and costs next to no CPU: it leaves its place to another key and goes on beside
the places, as a slow run.
"""

from __future__ import annotations

from dataclasses import dataclass

#: For each place there may be so many slow runs beside it. Of 16 places these are 64, which hold 50 issuers whose servers
#: fall silent together, even where each pass lasts until its deadline of 90 s.
SLOW_RUNS_PER_PLACE = 4


@dataclass(slots=True, eq=False)
class Run:
    """A run in progress, with its start (monotonic seconds).

    A `slow` run takes none of the places. An `overdue` one has taken long, and keeps its place until it may be slow.
    """

    began: float
    slow: bool = False
    overdue: bool = False


class Places:
    """Places are taken by runs, of which at most `count` take one; beside them are at most `most_slow` slow runs."""

    def __init__(self, count: int, most_slow: int | None = None) -> None:
        self.count = count
        self._most_slow = SLOW_RUNS_PER_PLACE * count if most_slow is None else most_slow
        self._runs: dict[Run, None] = {}

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs in progress, the oldest first."""
        return tuple(self._runs)

    @property
    def slow(self) -> int:
        """How many runs are slow."""
        return sum(run.slow for run in self.runs)

    @property
    def free(self) -> bool:
        """Whether a place is free."""
        return len(self._runs) - self.slow < self.count

    @property
    def free_beside(self) -> bool:
        """Whether a run may begin as a slow one: not all the room is given to them, for others become slow while they run."""
        return self.slow < max(1, min(self.count, self._most_slow))

    def take(self, run: Run) -> None:
        """Count a run that begins."""
        self._runs[run] = None

    def leave(self, run: Run) -> None:
        """Count a run no longer, and let an overdue one have its room."""
        del self._runs[run]
        self.let_overdue_aside()

    def let_overdue_aside(self) -> None:
        """Let overdue runs leave their places, the oldest first, as far as there may be more slow runs."""
        room = max(0, self._most_slow - self.slow)
        for run in [run for run in self._runs if run.overdue and not run.slow][:room]:
            run.slow = True

    def standstill_s(self, now: float) -> float:
        """Return for how many seconds all places have been taken without a run starting; 0 while a place is free."""
        began = [run.began for run in self.runs if not run.slow]
        return now - max(began) if len(began) >= self.count else 0.0
