"""Run work beside a test until the test stops it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.support.startable import Startable

if TYPE_CHECKING:
    from collections.abc import Callable


class Background(Startable):
    """Threads, one for each of `works` by name; each looks at `self.stopping` and returns when it is set."""

    def __init__(self, **works: Callable[[], None]) -> None:
        self.stopping = threading.Event()
        self._threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in works.items()]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop all threads, and wait until they have ended."""
        self.stopping.set()
        for thread in self._threads:
            thread.join()
