"""Let go what issuers that went leave in memory."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import deque
from collections.abc import Callable

import structlog

from oidc_publisher.keys.remembering import forget_unused
from oidc_publisher.process import return_freed

log = structlog.stdlib.get_logger(__name__)

#: What is asked for less often is parsed anew. At the default interval of a minute that is nothing while passes are not late and
#: few issuers go, and at an interval of minutes it costs nothing that could be measured.
FORGET_S = 75.0

#: So many issuers that went leave some 4 MiB of what was parsed for them and of garbage. Python's allocator gives back a MiB
#: only when all of it is empty, so that what the busiest minute needed stays.
AT_ONCE = 100

#: With more issuers, those included that went just before, a collection of garbage would hold the event loop for more than some
#: 20 ms. Each has about 180 objects through which it walks; those of imports are frozen, and do not count.
COLLECTED_UP_TO = 250

#: So long after an issuer went, kopf has let go what it knew of it, 5 s after its last event. Before, what the issuer had is
#: walked through and is no garbage yet: at once, every object of 800 issuers that were deleted together, twice for 60 ms.
SETTLE_S = 6.0


class Leftovers:
    """Leftovers lets go of parsed documents that nobody asks for any more, and of garbage.

    It does so every FORGET_S seconds, and in between whenever AT_ONCE issuers went, or as many as are there if those are more.
    What is forgotten too early is parsed anew: so much cannot exceed what went. `issuers` returns how many are there now.
    """

    def __init__(self, issuers: Callable[[], int]) -> None:
        self._issuers = issuers
        self._gone = 0  # since what is unused was last forgotten
        self._went: deque[float] = deque(maxlen=COLLECTED_UP_TO + 1)  # when the latest did, by the loop's clock
        self._wave = asyncio.Event()
        self._garbage = False  # whether there may be any of issuers that went

    def add(self) -> None:
        """Note that a pass found its issuer gone, which may come twice for one issuer."""
        self._gone += 1
        self._went.append(asyncio.get_running_loop().time())
        self._garbage = True
        if self._gone >= max(AT_ONCE, self._issuers()):
            self._wave.set()

    async def run(self) -> None:
        """Let go, and return the memory to the system, without end."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FORGET_S):
                    await self._wave.wait()
                    await asyncio.sleep(SETTLE_S)
            self._let_go()
            try:
                await asyncio.to_thread(return_freed)
            except RuntimeError as error:  # the process may have no more threads
                log.warning("Freed memory was not returned to the system.", why=str(error))

    def _let_go(self) -> None:
        self._gone = 0
        self._wave.clear()
        forget_unused()
        settled = asyncio.get_running_loop().time() - SETTLE_S
        in_progress = sum(at > settled for at in self._went)
        if self._garbage and self._issuers() + in_progress <= COLLECTED_UP_TO:
            # By itself Python collects old garbage after 2.5 million objects (_COLLECTED_AFTER), which is never at rest.
            # kopf's view of an event is a cycle of 280 blocks: 16 MiB waited while issuers came and went.
            self._garbage = in_progress > 0
            gc.collect()
