"""Run the signer: one thread looks at the ring every two seconds, and the event loop answers the API server from memory.

The order at the start is what lets a control plane boot by itself: the disk is read, the socket is there, and only then
is the API server asked, which may not run yet (S10, S11).
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import os
import resource
import signal
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from oidc_publisher.errors import PublisherError
from oidc_publisher.signer.keeper import LostRaceError, NoRingError, RingKeeper
from oidc_publisher.signer.keypairs import TokenSigner, make_pair, read_pair
from oidc_publisher.signer.kube import (
    KubeAccess,
    KubeApi,
    KubeRequestError,
    RingReporter,
    SecretRing,
    sight_of,
)
from oidc_publisher.signer.liveness import Liveness
from oidc_publisher.signer.ring import Choice, RingKey, Sight
from oidc_publisher.signer.server import GrpcServer, Offer, SigningService
from oidc_publisher.signer.storage import DiskFile, Plaintext, RingUnreadableError, Wrapping, WrappingKey
from oidc_publisher.signer.storage.ringerror import unreadable

#: How long a signer rests between two looks, and after one that failed: an API server that starts is waited for (S10).
#: Each look is three requests, which were most of what a signer did at rest. Every promise has room for one: all signers
#: switch within 10 s, and the Secret is healed within 5 s.
LOOK_S, AGAIN_S = 2.0, 1.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SignerSettings:
    """What a signer is started with. `wrapping_key_file` is None only where the Secret is to be in plaintext."""

    socket: Path
    state: Path
    kubeconfig: Path
    node: str
    wrapping_key_file: Path | None
    import_key: Path | None = None
    max_token_lifetime: timedelta = timedelta(hours=24)
    hint: timedelta = timedelta(seconds=10)
    allowed_uids: frozenset[int] | None = None


class Signer:
    """The Signer is the process: `run` returns when it is asked to stop."""

    def __init__(self, settings: SignerSettings) -> None:
        self._settings = settings
        self._access = KubeAccess.read(settings.kubeconfig)
        self._api = KubeApi(self._access)
        disk = DiskFile(settings.state)
        keeper = RingKeeper(SecretRing(self._api, _wrapping(settings)), disk, make_pair)
        self._disk, self._keeper = disk, keeper
        self._signers: dict[str, TokenSigner] = {}
        server = str(self._access.cluster["server"]).removeprefix("https://")
        self._reporter = RingReporter(self._api, node=settings.node, api_server=server)
        self._said = ""
        self._ending = threading.Event()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT: then answer what was asked, and return.

        Raises SocketError: the socket cannot be made.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        front = Front(self._settings)
        self._begin(front)
        looking = threading.Thread(target=self._look_on, args=(loop, front), name="looks", daemon=True)
        looking.start()
        await stop.wait()
        self._ending.set()
        await front.stop()
        if front.trouble is not None:
            raise front.trouble

    def _begin(self, front: Front) -> None:
        """Serve from the disk, if it has a ring."""
        try:
            self._keeper.copy = self._disk.read()
        except RingUnreadableError as error:
            log.warning("%s", error.sentence)
        if self._keeper.copy is not None:
            written = datetime.fromtimestamp(self._disk.path.stat().st_mtime, UTC)
            choice = self._keeper.look_at_disk(datetime.now(UTC))
            front.take(self._offer(choice, written), from_ring=False)

    def _look_on(self, loop: asyncio.AbstractEventLoop, front: Front) -> None:
        while not self._ending.is_set():
            trouble = self._looked_on(loop, front)
            self._say(trouble)
            self._ending.wait(AGAIN_S if trouble else LOOK_S)

    def _looked_on(self, loop: asyncio.AbstractEventLoop, front: Front) -> str:
        """Look, hand over what follows from it, and return what is wrong, empty where nothing is."""
        try:
            renewed = functools.partial(front.take, self._look(), from_ring=True)
            if not self._ending.is_set():
                loop.call_soon_threadsafe(renewed)
        except PublisherError as error:
            return error.sentence
        except Exception as error:  # noqa: BLE001 - signing goes on whatever a look meets
            return f"A look failed: {type(error).__name__}"
        return ""

    def _look(self) -> Offer:
        sight = sight_of(
            self._api, token_lifetime=self._settings.max_token_lifetime, jitter=_jitter(self._settings.node)
        )
        try:
            choice = self._looked(sight)
        except PublisherError as error:
            self._report_trouble(error, sight)
            raise
        self._reporter.report(choice, sight)
        return self._offer(choice, sight.now)

    def _looked(self, sight: Sight) -> Choice:
        try:
            return self._keeper.look(sight)
        except NoRingError:
            if self._settings.import_key is None:
                raise
            self._found(self._settings.import_key, sight.now)
            return self._keeper.look(sight)

    def _found(self, imported: Path, now: datetime) -> None:
        """Found the ring with the key that the cluster signs with already."""
        public, private = read_pair(_content(imported))
        self._keeper.found(public, private, lineage=str(uuid.uuid4()), now=now)
        log.info("The ring of signing keys is founded, with key %s as version 1.", public.key_id)

    def _offer(self, choice: Choice, time: datetime) -> Offer:
        return Offer(None if choice.sign is None else self._signer(choice.sign), choice.listed, time)

    def _signer(self, key: RingKey) -> TokenSigner:
        """Return the signer of a version. Loading a private key takes milliseconds, so that it is loaded once."""
        if key.key_id not in self._signers:
            self._signers = {key.key_id: TokenSigner.of(key)}
            log.info("Tokens are signed with version %d, key %s.", key.number, key.key_id)
        return self._signers[key.key_id]

    def _report_trouble(self, error: PublisherError, sight: Sight) -> None:
        """Report that this signer goes on from its disk, and why, unless that is over with the next look."""
        nobody_answers = isinstance(error, KubeRequestError) and error.status is None
        if not nobody_answers and not isinstance(error, LostRaceError):
            choice = None if self._keeper.copy is None else self._keeper.look_at_disk(sight.now)
            self._reporter.report_trouble(error.finding(), choice, sight)

    def _say(self, trouble: str) -> None:
        """Log what is wrong with the looks once, and once that it is over."""
        if trouble != self._said:
            log.warning("%s", trouble) if trouble else log.info("The ring is read again.")
            self._said = trouble


class Front:
    """The Front is the side that the API server sees. The socket is made with the first offer that is complete (S11).

    `trouble` is why it cannot be made, None otherwise.
    """

    def __init__(self, settings: SignerSettings) -> None:
        self.trouble: BaseException | None = None
        self._settings = settings
        self._service: SigningService | None = None
        self._server: GrpcServer | None = None
        self._starting: asyncio.Task[None] | None = None
        self._ending = threading.Event()

    def take(self, offer: Offer, *, from_ring: bool) -> None:
        """Answer from this offer from now on."""
        if self._service is None:
            if not offer.complete:
                return
            settings = self._settings
            self._service = SigningService(offer, max_token_lifetime=settings.max_token_lifetime, hint=settings.hint)
            self._server = GrpcServer(settings.socket, self._service.calls, allowed_uids=_allowed(settings))
            self._starting = asyncio.get_running_loop().create_task(self._server.start())
            self._starting.add_done_callback(self._started)
        self._service.renew(offer)
        if from_ring:
            self._service.ring_was_read()

    async def stop(self) -> None:
        """Answer what was asked, and end."""
        self._ending.set()
        if self._server is not None:
            await self._server.stop()

    def _started(self, starting: asyncio.Task[None]) -> None:
        """Watch over the socket that is there from now on, or end the process where it cannot be made."""
        service = self._service
        if starting.cancelled() or service is None:
            return
        self.trouble = starting.exception()
        if self.trouble is not None:
            signal.raise_signal(signal.SIGTERM)
            return
        liveness = Liveness(self._settings.socket, lambda: service.waits_for_ring, self._ending)
        threading.Thread(target=liveness.watch, name="liveness", daemon=True).start()


def _allowed(settings: SignerSettings) -> frozenset[int] | None:
    """Return the users that may connect, the signer's own among them, because it calls itself."""
    return None if settings.allowed_uids is None else settings.allowed_uids | {os.getuid()}


def _wrapping(settings: SignerSettings) -> Wrapping:
    if settings.wrapping_key_file is None:
        return Plaintext()
    return WrappingKey.from_file(_content(settings.wrapping_key_file))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(f"{path} cannot be read: {error.strerror}") from None


def _jitter(node: str) -> float:
    """Return a number between 0 and 1 that is this node's own, and the same after each start."""
    return int.from_bytes(hashlib.sha256(node.encode()).digest()[:4]) / 2**32


def run_signer(settings: SignerSettings) -> None:
    """Run a signer until it is asked to stop; raises PublisherError when it cannot begin."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold every private half
    asyncio.run(Signer(settings).run())
