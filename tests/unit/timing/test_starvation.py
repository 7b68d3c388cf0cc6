"""For how long the event loop did not run."""

from __future__ import annotations

import asyncio
import time

from oidc_publisher.timing.starvation import Starvation


async def test_time_in_which_the_loop_is_blocked_counts() -> None:
    """Once, however many timers were due; at once, before the loop has had another turn."""
    with Starvation() as starvation:
        time.sleep(0.3)  # noqa: ASYNC251 - the loop does not run
        assert starvation.seconds > 0.2
        await asyncio.sleep(0)
        assert starvation.seconds > 0.2
        first = starvation.seconds
        time.sleep(0.3)  # noqa: ASYNC251
        assert starvation.seconds > first + 0.2


async def test_waiting_is_no_starvation() -> None:
    """The loop runs whenever something is due; what is left is how busy this machine is."""
    with Starvation() as starvation:
        began = time.monotonic()
        await asyncio.sleep(0.6)
        assert starvation.seconds < (time.monotonic() - began) / 2
