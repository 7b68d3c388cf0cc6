"""`oidc-publisher run` with a reconcile that only writes down what it saw; the arguments are those of the command.

LIFECYCLE_RECORD names the file it writes to: one line of JSON per reconcile, with the monotonic time, the issuer's name
and its generation, null when it is gone. LIFECYCLE_HANG makes each reconcile hang afterwards: "task" in the event
loop, "thread" in a thread that cannot be cancelled. Each SIGUSR1 steps the wall clock that the operator sees an hour
forward: the machine's own belongs to everybody. LIFECYCLE_WATCH_S shortens each watch to so many seconds, and five times
that is what a watch may be silent for. The process has no passwd entry, as in a pod with any UID.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import signal
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

from oidc_publisher.cli import main
from oidc_publisher.cluster import ClusterClient, get_issuer
from oidc_publisher.controller import clockstep, operator
from oidc_publisher.controller.kopf import watch as watching
from oidc_publisher.controller.settings import RunSettings
from oidc_publisher.errors import ClusterError
from oidc_publisher.reconcile.passes import Gone, Outcome
from oidc_publisher.timing.clock import SystemClock

HANG_S = 30.0


class Recorder:
    """A reconcile that reads its object and does nothing with it."""

    def __init__(
        self, client: ClusterClient, settings: RunSettings, metrics: object, open_span: object, new_issuers: object
    ) -> None:
        del settings, metrics, open_span, new_issuers
        self._client = client
        self._record = Path(os.environ["LIFECYCLE_RECORD"])
        self._hang = os.environ.get("LIFECYCLE_HANG")

    async def reconcile(self, name: str) -> Outcome | Gone:
        """Read the object and write down its generation."""
        try:
            found = await get_issuer(self._client, name)
        except ClusterError:
            return Outcome(failed=True)
        generation = None if found is None else found["metadata"]["generation"]
        with self._record.open("a") as record:
            record.write(json.dumps({"at": time.monotonic(), "name": name, "generation": generation}) + "\n")
        if self._hang == "task":
            await asyncio.sleep(HANG_S)
        if self._hang == "thread":
            await asyncio.to_thread(time.sleep, HANG_S)
        # So long that whatever is seen in a test is seen because of an event.
        return Gone() if found is None else Outcome(wake_after=timedelta(hours=1))

    async def close(self) -> None:
        """Hold nothing open."""


class SteppedClock(SystemClock):
    """A wall clock that every SIGUSR1 steps."""

    step = timedelta(0)

    def now(self) -> datetime:
        """The machine's time, stepped."""
        return super().now() + self.step

    def on_signal(self, *_: object) -> None:
        """Step."""
        type(self).step += timedelta(hours=1)


async def _wait_for_nothing(_client: object, _contact: object) -> None:
    """Look at nothing."""


def _nobody() -> NoReturn:
    raise KeyError("getpwuid(): uid not found: 54321")


if __name__ == "__main__":
    getpass.getuser = _nobody
    operator._the_reconciler = Recorder  # type: ignore[assignment]
    clockstep.__dict__.update(SystemClock=SteppedClock)
    signal.signal(signal.SIGUSR1, SteppedClock().on_signal)
    if os.environ.get("LIFECYCLE_BLIND"):
        watching.__dict__.update(wait_until_served=_wait_for_nothing, _BEGINS_WITHIN_S=1.0)
    if watch_s := float(os.environ.get("LIFECYCLE_WATCH_S") or 0):
        watching.__dict__.update(WATCH_S=watch_s, DEAD_AFTER_S=5 * watch_s)
    main()
