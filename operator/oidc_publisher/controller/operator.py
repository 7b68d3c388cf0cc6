"""Start the parts of the operator, run them concurrently, and stop them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import signal
import sys
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog

from oidc_publisher import __version__
from oidc_publisher.cluster import ClusterClient, Credentials, load_credentials
from oidc_publisher.controller.clockstep import ClockSteps
from oidc_publisher.controller.kopf.apidiscovery import objects_are_served
from oidc_publisher.controller.kopf.events import IssuerEvents
from oidc_publisher.controller.kopf.reachability import Contact
from oidc_publisher.controller.kopf.watch import IssuerWatch
from oidc_publisher.controller.leftovers import Leftovers
from oidc_publisher.controller.objectwatches import ObjectWatches
from oidc_publisher.controller.peers.leases import ShardLeases
from oidc_publisher.controller.queue import WorkQueue
from oidc_publisher.controller.rights import RightsCheck
from oidc_publisher.controller.settings import DEFAULT_HEALTH_ADDRESS, RunSettings
from oidc_publisher.errors import AnswerError, ClusterError
from oidc_publisher.process import leave
from oidc_publisher.reconcile.passes import Gone, Outcome
from oidc_publisher.reconcile.status.newissuers import NewIssuers
from oidc_publisher.telemetry.health import (
    LONGEST_STANDSTILL_S,
    Checks,
    HealthServer,
    Heartbeat,
    ListenError,
    Readiness,
)
from oidc_publisher.telemetry.steps import OpenSpan
from oidc_publisher.telemetry.tracing import import_sdk, span_of, tracing_for
from oidc_publisher.timing.loopturns import turns_of

if TYPE_CHECKING:
    from oidc_publisher.controller.metrics.served import ServedMetrics
    from oidc_publisher.reconcile.ports import OpenPorts
    from oidc_publisher.reconcile.reconciler import Reconciler

log = structlog.stdlib.get_logger(__name__)

#: Passes in progress get this long after SIGTERM. To cancel one is safe, because the stores compare and swap.
GRACE_S = 1.2

#: Closing connections gets this long.
_CLOSE_S = 0.25

#: The threads of asyncio's executor: for the names of API servers, and for computations, which always end. Work that
#: may block has threads of its own (threads.py): calls of stores, names of foreign hosts, credential plugins, folders.
_LOOP_THREADS = 16

#: What functions below import themselves, because tests of the shell need none of it, or only where metrics are on.
_IMPORTED = ("oidc_publisher.reconcile.reconciler",)  # and with it the ports
_IMPORTED_FOR_METRICS = tuple(
    f"oidc_publisher.controller.metrics.{name}" for name in ("served", "observed", "ownseries")
)


def prepare(settings: RunSettings) -> Credentials:
    """Load the credentials, and import what `run` needs, which within an event loop would be one long turn of it.

    Only a cloud's library is left to the first pass that needs it.

    Raises:
        CredentialsError: there are no credentials for an API server.
    """
    for name in (*_IMPORTED, *(_IMPORTED_FOR_METRICS if settings.metrics_address else ())):
        importlib.import_module(name)
    import_sdk()
    return load_credentials(settings.kubeconfig, settings.context)


async def run(settings: RunSettings, credentials: Credentials) -> int:
    """Run the operator until SIGTERM or SIGINT, and return the exit code.

    Raises:
        ListenError: the operator cannot listen on an address that an option names.
    """
    asyncio.get_running_loop().set_default_executor(_ImpatientExecutor(_LOOP_THREADS))
    async with ClusterClient(credentials, api_server_names=settings.api_server_names) as client:
        metrics, tracing = _metrics_of(settings), tracing_for(version=__version__)
        new_issuers = NewIssuers()
        reconciler = _the_reconciler(client, settings, metrics, span_of(tracing), new_issuers)
        try:
            return await Operator(settings, credentials, client, reconciler, new_issuers, metrics).run()
        finally:
            if tracing is not None:
                await asyncio.to_thread(tracing.flush)


class Operator:
    """The Operator holds and connects the parts of the operator."""

    def __init__(
        self,
        settings: RunSettings,
        credentials: Credentials,
        client: ClusterClient,
        reconciler: Reconciler,
        new_issuers: NewIssuers,
        metrics: ServedMetrics | None = None,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._client = client
        self._reconciler = reconciler
        self._metrics = metrics
        self._queue = WorkQueue(self._reconcile, max_concurrent=settings.max_concurrent)
        self._watches = ObjectWatches(client, self._queue.add)
        self._leftovers = Leftovers(lambda: self._queue.count)
        events = IssuerEvents(self._queue, settings.shard, new_issuers)
        self._contact = Contact(events.look_at_all)
        self._watch = IssuerWatch(client, events, self._contact, self._take_signals)
        self._heartbeat = Heartbeat()
        self._rights = RightsCheck(client)
        self._leases = _leases_of(client, settings)
        self._steps = ClockSteps(events.look_at_all)
        self._stop = asyncio.Event()
        self._imported = 0
        self._health = HealthServer(settings.health_address or DEFAULT_HEALTH_ADDRESS, self._checks())

    async def run(self) -> int:
        """Run until a signal stops the operator, and return 0; return 1 when a part ends that never should."""
        self._take_signals()
        await self._serve_health()
        await self._serve_metrics()
        log.info(
            "oidc-publisher is running.",
            version=__version__,
            server=self._credentials.server,
            shard=str(self._settings.shard),
            health=self._health.url,
            metrics=self._metrics.url if self._metrics else None,
        )
        self._freeze_imports()
        self._queue.start()
        parts = [
            _part("watch", self._watch.run()),
            _part("heartbeat", self._heartbeat.run()),
            _part("clock", self._steps.run()),
            _part("leftovers", self._leftovers.run()),
            *([_part("shard leases", self._leases.run())] if self._leases else []),
        ]
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        done, _ = await asyncio.wait([*parts, stopping], return_when=asyncio.FIRST_COMPLETED)
        broken = [task for task in done if task is not stopping]
        for task in broken:
            log.error("A part of the operator ended by itself.", part=task.get_name(), exc_info=task.exception())
        await self._drain([*parts, stopping])
        return 1 if broken else 0

    async def _reconcile(self, name: str) -> Outcome | Gone:
        """Run one pass, and watch from then on the objects that the pass has read."""
        began_s = time.monotonic()
        outcome = await self._reconciler.reconcile(name)
        self._freeze_imports()
        if isinstance(outcome, Gone):
            self._watches.forget(name)
            self._leftovers.add()
        elif outcome.follows is not None:
            self._watches.follow(name, outcome.follows, began_s=began_s)
        return outcome

    def _freeze_imports(self) -> None:
        """Keep what was imported out of collections of garbage, each of which would walk through it in a turn of the loop.

        That takes 75 ms at the start, and 25 ms more once the first pass has imported a cloud.
        """
        if len(sys.modules) > self._imported:
            self._imported = len(sys.modules)
            gc.freeze()

    async def _drain(self, tasks: list[asyncio.Task[Any]]) -> None:
        began = time.monotonic()
        for task in tasks:
            task.cancel()
        await asyncio.gather(self._queue.stop(GRACE_S), asyncio.wait(tasks, timeout=GRACE_S))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await asyncio.gather(self._watches.close(), self._health.stop(), self._reconciler.close())
                await self._client.close()
        if self._metrics is not None:
            self._metrics.stop()
        log.info("oidc-publisher has stopped.", took_s=round(time.monotonic() - began, 2))

    async def _serve_health(self) -> None:
        try:
            await self._health.start()
        except ListenError as error:
            if self._settings.health_address is not None:
                raise
            log.warning("The health pages are not served; name an address with --health-address.", why=str(error))

    async def _serve_metrics(self) -> None:
        if self._metrics is None:
            return
        from oidc_publisher.controller.metrics.ownseries import OwnSeries  # noqa: PLC0415 - only where metrics are on

        shard, parts = self._settings.shard, (self._contact, self._watch, self._watches, self._heartbeat)
        own = OwnSeries(shard, self._queue, *parts, turns_of(asyncio.get_running_loop()), leases=self._leases)
        await asyncio.to_thread(self._metrics.start, own)

    def _checks(self) -> Checks:
        return Checks(
            live={"loop": self._heartbeat.check, "queue": self._check_queue, "watch": self._watch.check},
            ready={"apiserver": Readiness(self._check_api_server).check, "running": self._check_running},
        )

    def _check_queue(self) -> str | None:
        still_s = self._queue.standstill_s()
        return f"no reconcile has begun or ended for {still_s:.0f} s" if still_s > LONGEST_STANDSTILL_S else None

    async def _check_api_server(self) -> str | None:
        """Return why the API server cannot be used, or which rights are missing; a missing CRD is no failure."""
        try:
            await objects_are_served(self._client)
        except ClusterError as error:
            refused = isinstance(error, AnswerError) and error.status == HTTPStatus.FORBIDDEN
            return (await self._rights.check() if refused else None) or error.message
        return await self._rights.check()

    async def _check_running(self) -> str | None:
        return "the operator is stopping" if self._stop.is_set() else None

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stop.is_set():  # a second signal ends the process at once
            leave(128 + number)
        log.info("Stopping.", signal=number.name)
        self._stop.set()


class _ImpatientExecutor(ThreadPoolExecutor):
    """The executor does not wait for its threads at the end: one in boto3 would delay the exit until its timeout."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - its signature
        """Drop waiting work, and do not wait for running threads."""
        del wait, cancel_futures
        super().shutdown(wait=False, cancel_futures=True)


def _part(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work, name=name)


def _leases_of(client: ClusterClient, settings: RunSettings) -> ShardLeases | None:
    """Return the leases of the shards, None where nobody else is to be looked at."""
    if settings.shard_leases is None or settings.shard.count == 1:
        return None
    return ShardLeases(client, settings.shard, settings.shard_leases)


def _metrics_of(settings: RunSettings) -> ServedMetrics | None:
    if settings.metrics_address is None:
        return None
    from oidc_publisher.controller.metrics.served import ServedMetrics  # noqa: PLC0415 - only where metrics are on

    return ServedMetrics(settings.metrics_address, per_key=settings.metrics_per_key)


def _say_what_is_missing(hint: str) -> None:
    log.warning("The SigningKeyRing may not be read: managed keys keep numbers of the ledger.", hint=hint)


def _the_reconciler(
    client: ClusterClient,
    settings: RunSettings,
    metrics: ServedMetrics | None,
    open_span: OpenSpan,
    new_issuers: NewIssuers,
) -> Reconciler:
    from oidc_publisher.reconcile.ports import PortOpener  # noqa: PLC0415 - tests of the shell need none of it
    from oidc_publisher.reconcile.reconciler import Reconciler  # noqa: PLC0415 - the same

    opener = PortOpener(
        client,
        probe_account=settings.probe_service_account,
        key_files_root=settings.key_files_root,
        store_endpoints=settings.store_endpoints,
        probe_proxies=settings.probe_proxies,
        api_server_names=settings.api_server_names,
        on_ring_refusal=_say_what_is_missing,
    )
    open_ports: OpenPorts = opener.open
    series = metrics.series if metrics else None
    if series is not None:
        from oidc_publisher.controller.metrics.observed import observing  # noqa: PLC0415 - only where metrics are on

        open_ports = observing(open_ports, series.notes_of)
    holds = settings.shard.holds
    return Reconciler(client, open_ports, holds=holds, observer=series, open_span=open_span, new_issuers=new_issuers)
