"""What happened when, for the report of a run that failed."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened; `at` is in seconds since the epoch, as all times of a run are."""

    at: float
    what: str


class Chronicle:
    """Collects what the parts of a run do; anybody writes to it from any thread."""

    def __init__(self) -> None:
        self.began = time.time()
        self._happenings: list[Happening] = []
        self._lock = threading.Lock()

    def note(self, what: str) -> None:
        """Write down something that happens now."""
        with self._lock:
            self._happenings.append(Happening(time.time(), what))

    def clock(self, at: float) -> str:
        """A time as seconds since the run began."""
        return f"+{at - self.began:.2f} s"

    def text(self) -> str:
        """Everything, one line each, in the order of time."""
        with self._lock:
            ordered = sorted(self._happenings, key=lambda h: h.at)
        return "\n".join(f"{self.clock(h.at):>10}  {h.what}" for h in ordered)
