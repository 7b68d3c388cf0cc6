"""One line for each thing that takes minutes: how long it has taken, what share is done, and how long it will still take."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

#: Before this much is done, what is left is a guess of no use.
_ENOUGH_SHARE = 0.05
_ENOUGH_S = 5.0


class Progress:
    """The line of one thing; `share` is set by who does it, from 0 to 1, and stays None where nobody knows."""

    def __init__(self, what: str, *, terminal: bool) -> None:
        self.what = what
        self.share: float | None = None
        self._terminal = terminal
        self._began = time.monotonic()
        self._said = 0  # quarters, where lines cannot be written over

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def show(self) -> None:
        """Write the line over, or add to it where it cannot be written over: a log gets 25 %, 50 %, 75 %."""
        if self._terminal:
            print(f"\r{self.what} ... {describe(self.elapsed_s, self.share)}\x1b[K", end="", flush=True)
            return
        while self.share is not None and self._said < 3 and self.share * 4 >= self._said + 1:
            self._said += 1
            print(f" {25 * self._said} %", end="", flush=True)

    def end(self) -> None:
        """Write the line for the last time."""
        print(f"\r{self.what} ... {self.elapsed_s:.0f} s\x1b[K" if self._terminal else f" {self.elapsed_s:.0f} s")


def describe(elapsed_s: float, share: float | None) -> str:
    """Say "62 s", "62 s, 3 %" or "62 s, 25 %, about 3 min left"."""
    if share is None:
        return f"{elapsed_s:.0f} s"
    said = f"{elapsed_s:.0f} s, {min(share, 0.99):.0%}".replace("%", " %")
    if share < _ENOUGH_SHARE or elapsed_s < _ENOUGH_S:
        return said
    left_s = elapsed_s * (1 - min(share, 1)) / share
    return f"{said}, about {left_s / 60:.0f} min left" if left_s >= 90 else f"{said}, about {left_s:.0f} s left"


@contextlib.contextmanager
def progress(what: str) -> Iterator[Progress]:
    """Show a line while the block runs, counting up on a terminal."""
    line = Progress(what, terminal=sys.stdout.isatty())
    print(f"{what} ...", end="", flush=True)
    done = threading.Event()

    def count() -> None:
        while not done.wait(1.0):
            line.show()

    counter = threading.Thread(target=count, daemon=True)
    counter.start()
    try:
        yield line
    except BaseException:
        print(" failed", flush=True)
        raise
    finally:
        done.set()
        counter.join()
    line.end()
