"""Run kopf as the source of events only, without writes by kopf, and restart it whenever it ends.

By default kopf ends on a refused list, on a deleted CRD and on an error in the watch, without coming back. When it
stops it waits for tasks that it did not start, and it installs signal handlers. Each setting is documented in
kopf.OperatorSettings.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

import kopf
import structlog

from oidc_publisher.cluster import ClusterClient
from oidc_publisher.controller.kopf.apidiscovery import wait_until_served
from oidc_publisher.controller.kopf.events import IssuerEvents, register
from oidc_publisher.controller.kopf.reachability import Contact
from oidc_publisher.controller.kopf.session import KopfSessions
from oidc_publisher.timing.backoff import Backoff

log = structlog.stdlib.get_logger(__name__)

#: The pauses between failing requests of kopf, without end. With more than a second, the first event after an outage
#: would come too late.
_RETRIES = Backoff(base_s=0.1, cap_s=1.0)
_RESTARTS = Backoff(base_s=0.1, cap_s=1.0)

#: A run of kopf that has not requested the objects after this time missed them in discovery, and never will request
#: them.
_BEGINS_WITHIN_S = 5.0

#: The API server ends each watch request after this time, and kopf begins the next one where it ended. Without a limit the
#: API server chooses one of 30 to 60 minutes, and for so long nothing tells a living watch from a dead one.
WATCH_S = 300.0

#: A watch that has asked for nothing for so long has died, and a restart helps. kopf itself begins a stream anew that has
#: sent nothing for 70 s, although the API server sends a bookmark each minute.
DEAD_AFTER_S = 3 * WATCH_S

#: After a run of kopf that lasted at least this long, the next restart is fast again.
_GOOD_RUN_S = 10.0


class IssuerWatch:
    """An IssuerWatch passes every event of an OIDCIssuer to `events`, despite outages, refusals and a missing CRD.

    `on_spawned` is called each time after kopf has installed its handlers of SIGINT and SIGTERM. `restarts` counts how often
    kopf ended, and `running` says whether it runs.
    """

    def __init__(
        self, client: ClusterClient, events: IssuerEvents, contact: Contact, on_spawned: Callable[[], None]
    ) -> None:
        self._client = client
        self._contact = contact
        self._on_spawned = on_spawned
        self._sessions = KopfSessions(client.credentials, contact, events.look_at_all)
        self.restarts = 0
        self.running = False
        self._registry = kopf.OperatorRegistry()
        self._sessions.register(self._registry)
        register(self._registry, events)

    def check(self) -> str | None:
        """Return for how long the watch has asked for nothing where that is too long, else None."""
        return death_of(self._contact)

    async def run(self) -> None:
        """Watch until cancelled."""
        pauses = iter(_RESTARTS)
        try:
            while True:
                await wait_until_served(self._client, self._contact)
                began = time.monotonic()
                why = await self._watch_once()
                self.restarts += 1
                log.warning("The watch of OIDCIssuers ended; it begins again.", why=why)
                if time.monotonic() - began > _GOOD_RUN_S:
                    pauses = iter(_RESTARTS)
                await asyncio.sleep(next(pauses))
        finally:
            await self._sessions.close()

    async def _watch_once(self) -> str:
        """Run kopf until it ends, and return why it ended."""
        self._sessions.begin()
        tasks = await kopf.spawn_tasks(
            registry=self._registry,
            settings=_settings(),
            identity="oidc-publisher",  # type: ignore[arg-type] # a private NewType; without it kopf needs a passwd entry
            clusterwide=True,
        )
        self._on_spawned()
        self.running = True
        running = asyncio.create_task(kopf.run_tasks(tasks, ignored=_Everything()), name="kopf")
        try:
            while not running.done():
                await asyncio.wait({running}, timeout=_BEGINS_WITHIN_S)
                if not running.done() and not self._sessions.asked and not self._contact.lost:
                    return "kopf did not find the resource in discovery"
            return _ending(running)
        finally:
            self.running = False
            running.cancel()
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await running


def death_of(contact: Contact) -> str | None:
    """Return a sentence where the watch behind `contact` has died, else None.

    An API server that is away is no fault of the watch, which asks again and again.
    """
    age_s = contact.age_s
    if age_s is None or age_s <= DEAD_AFTER_S:
        return None
    return f"the watch of OIDCIssuers has asked the API server for nothing for {age_s:.0f} s"


def _ending(task: asyncio.Task[None]) -> str:
    error = None if task.cancelled() else task.exception()
    return f"{type(error).__name__}: {error.args[0] if error.args else ''}" if error else "kopf ended by itself"


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True  # discovery.py waits for the CRD; kopf needs no rights on CRDs and namespaces
    settings.networking.connect_timeout = 3
    settings.networking.request_timeout = 10
    settings.networking.error_backoffs = _RETRIES
    settings.watching.server_timeout = int(WATCH_S)  # the API server refuses 300.0
    settings.queueing.exit_timeout = 1
    settings.process.ultimate_exiting_timeout = None  # otherwise kopf schedules a SIGKILL of this process
    settings.persistence.finalizer = "oidc-publisher.io/never"  # kopf removes its own finalizer from every object
    return settings


class _Everything(Collection[Any]):
    """The collection contains every task, because kopf would wait for tasks that it did not start and cancel them."""

    def __contains__(self, item: object) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0
