"""An event loop whose clock jumps to the next timer instead of waiting for it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class LoopClock:
    """The running loop's time as the controller's Clock."""

    def monotonic(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        """As many seconds after EPOCH."""
        return EPOCH + timedelta(seconds=self.monotonic())


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits and nothing is scheduled: this test would hang"
            self.time += timeout
        return ready


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jumping = _JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.time


def run_jumping(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function on such a loop; its sleeps cost nothing."""
    with asyncio.Runner(loop_factory=_JumpingLoop) as runner:
        return runner.run(main())
