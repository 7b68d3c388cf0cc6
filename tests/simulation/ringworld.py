"""A cluster in memory whose API servers sign by signers: the real RingKeeper, a Secret, disks, and an operator's ledger.

Time goes in minutes. The operator is a model of its own: it lists, calls safe, and retires by its own reckoning, so that
a rule of the ring that is wrong is seen as a token that somebody refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from oidc_publisher.errors import PublisherError
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.signer.keeper import LostRaceError, RingKeeper
from oidc_publisher.signer.ring import Choice, IssuerView, KeyView, PrivateHalf, Ring, RingIntent, Sight
from oidc_publisher.signer.storage import DiskCopy
from tests.support.rings import NOW, pair

MINUTE = timedelta(minutes=1)
#: How long a key is served before it is safe, and how long a token lives: days in the world, hours here.
PRE_PUBLISH, LIFETIME = 30 * MINUTE, 60 * MINUTE
COARSE = 5 * MINUTE


class SecretGoneError(PublisherError):
    """The API server does not answer."""


@dataclass(slots=True)
class Secret:
    """The Secret, and everything that it ever held; `lost_answers` writes succeed and say that they did not."""

    ring: Ring | None = None
    version: int = 0
    lost_answers: int = 0
    past: list[Ring] = field(default_factory=list)

    def put(self, ring: Ring | None) -> None:
        """Replace the content, as a signer or as an admin does."""
        self.ring, self.version = ring, self.version + 1
        if ring is not None and ring not in self.past:
            self.past.append(ring)


@dataclass(slots=True)
class Door:
    """One signer's way to the Secret, which may be shut."""

    secret: Secret
    open: bool = True

    def read(self) -> tuple[Ring | None, str]:
        """Return what the Secret holds."""
        if not self.open:
            raise SecretGoneError(Reason.RingUnreadable, "no answer")
        return self.secret.ring, str(self.secret.version)

    def replace(self, ring: Ring, version: str) -> None:
        """Replace it by compare-and-swap."""
        if version != str(self.secret.version):
            raise LostRaceError(Reason.RingUnreadable, "changed")
        self.secret.put(ring)
        if self.secret.lost_answers:
            self.secret.lost_answers -= 1
            raise SecretGoneError(Reason.RingUnreadable, "no answer to a write")


@dataclass(slots=True)
class Disk:
    """A disk, and everything that it ever held."""

    copy: DiskCopy | None = None
    past: list[DiskCopy] = field(default_factory=list)

    def read(self) -> DiskCopy | None:
        """Return the copy."""
        return self.copy

    def write(self, copy: DiskCopy) -> None:
        """Replace it."""
        self.copy = copy
        self.past.append(copy)


@dataclass(slots=True)
class Node:
    """An API server and its signer. `key_files`: the API server was left with key files, and lists the first key alone."""

    door: Door
    disk: Disk = field(default_factory=Disk)
    keeper: RingKeeper | None = None
    served: Choice | None = None
    key_files: bool = False
    present: bool = True

    @property
    def up(self) -> bool:
        """Whether tokens can be asked for."""
        return self.served is not None and self.served.sign is not None


@dataclass(slots=True)
class Entry:
    """A key in the operator's ledger."""

    since: datetime
    unlisted: bool = False
    safe: bool = False
    unused_since: datetime | None = None


@dataclass(slots=True)
class Operator:
    """An operator, and what the status of its issuer says."""

    pre_publish: timedelta = PRE_PUBLISH
    lifetime: timedelta = LIFETIME
    running: bool = True
    suspended: bool = False
    ready: bool = False
    proven: datetime | None = None
    signing: frozenset[str] = frozenset()
    ledger: dict[str, Entry] = field(default_factory=dict)

    def view(self) -> IssuerView:
        """Return the status as signers read it."""
        trouble = "is suspended" if self.suspended else "" if self.ready else "is not Ready"
        keys = (
            KeyView(k, e.safe and e.unused_since is None, ("peer:6443",) if e.unlisted else (), frozenset({"default"}))
            for k, e in self.ledger.items()
        )
        return IssuerView("prod", trouble, proven_time=self.proven, keys=tuple(keys), signing_key_ids=self.signing)


class RingWorld:
    """Three API servers with signers, one issuer, and one ring that was founded with an imported key."""

    def __init__(self, nodes: int = 3) -> None:
        self.now = NOW
        self.secret = Secret()
        self.operator = Operator()
        self.intent = RingIntent()
        self.withdrawn: frozenset[str] = frozenset()
        self.nodes = [Node(Door(self.secret)) for _ in range(nodes)]
        self.minted: dict[str, datetime] = {}
        self.permitted: dict[str, str] = {}
        self.refused: list[str] = []
        self._seeds = count(1)
        self.first = pair(next(self._seeds))
        self.start(0)
        keeper = self.nodes[0].keeper
        assert keeper is not None
        keeper.found(*self.first, lineage="one", now=self.now)
        for number in range(nodes):
            self.start(number)
        self.wait(5)

    def start(self, number: int) -> None:
        """Start a signer, or start it again; it remembers its disk alone."""
        node = self.nodes[number]
        node.served = None
        node.keeper = RingKeeper(node.door, node.disk, self._make_pair, node.disk.read())

    def kill(self, number: int) -> None:
        """Kill a signer."""
        self.nodes[number].keeper = self.nodes[number].served = None

    def wait(self, minutes: int, *, step: int = 1) -> None:
        """Let time pass: every `step` minutes each signer looks, the operator makes a pass, tokens are minted and used."""
        for _ in range(0, minutes, step):
            self.now += step * MINUTE
            for node in self.nodes:
                self.look(node)
            self.mint()
            self.make_pass()

    def look(self, node: Node) -> None:
        """Let one signer look at the ring."""
        if node.keeper is None:
            return
        seen = Sight(
            self.now,
            (self.operator.view(),),
            self.intent,
            self.withdrawn,
            token_lifetime=self.operator.lifetime,
            jitter=0.5,
        )
        try:
            node.served = node.keeper.look(seen)
        except PublisherError:
            if node.served is None and node.keeper.copy is not None:
                node.served = node.keeper.look_at_disk(self.now)
        self._note_permissions()

    def mint(self) -> None:
        """Mint a token at each API server, and have every other one review it."""
        for node in self.nodes:
            if not node.up or not node.present:
                continue
            assert node.served is not None
            assert node.served.sign is not None
            key_id = self.first[0].key_id if node.key_files else node.served.sign.key_id
            self.minted[key_id] = self.now
            for other in self.nodes:
                if other.present and other.up and key_id not in self.verifies(other):
                    self.refused.append(key_id)

    def verifies(self, node: Node) -> set[str]:
        """Return the key IDs that an API server verifies tokens with."""
        if node.key_files:
            return {self.first[0].key_id}
        return {key.key_id for key in node.served.listed} if node.served else set()

    def lists(self, node: Node) -> set[str]:
        """Return the key IDs that an API server publishes."""
        if node.key_files:
            return {self.first[0].key_id}
        return {key.key_id for key in node.served.listed if not key.verify_only} if node.served else set()

    def make_pass(self) -> None:
        """Make the operator's pass over the API servers that are present."""
        operator = self.operator
        if not operator.running or operator.suspended:
            return
        present = [node for node in self.nodes if node.present]
        operator.ready = bool(present) and all(node.up for node in present)
        if not operator.ready:
            return
        listed = [self.lists(node) for node in present]
        operator.signing = frozenset(
            self.first[0].key_id if node.key_files else node.served.sign.key_id
            for node in present
            if node.served and node.served.sign
        )
        for key_id in set().union(*listed):
            operator.ledger.setdefault(key_id, Entry(self.now))
        for key_id, entry in tuple(operator.ledger.items()):
            self._advance(key_id, entry, listed)
        slot = self.now - (self.now - NOW) % COARSE
        if operator.proven is None or operator.proven < slot:
            operator.proven = self.now

    def _advance(self, key_id: str, entry: Entry, listed: list[set[str]]) -> None:
        """Apply R1 to R5, R14 and R15 to one key."""
        used = key_id in self.operator.signing or any(key_id in each for each in listed)
        entry.unused_since = None if used else entry.unused_since or self.now
        entry.unlisted = used and not all(key_id in each for each in listed)
        founding = key_id == self.first[0].key_id
        entry.safe = not entry.unlisted and (founding or self.now >= entry.since + self.operator.pre_publish)
        if key_id in self.withdrawn or (entry.unused_since and self.now >= entry.unused_since + self.operator.lifetime):
            del self.operator.ledger[key_id]

    def _make_pair(self, algorithm: str) -> tuple[PublicKey, PrivateHalf]:
        del algorithm
        return pair(next(self._seeds))

    def _note_permissions(self) -> None:
        """Note for each version that the ring lets sign why it may, by the operator's own view at this moment."""
        if self.secret.ring is None:
            return
        for key in self.secret.ring.keys:
            if key.signed_time is not None and key.key_id not in self.permitted:
                self.permitted[key.key_id] = self._why(key.key_id)

    def _why(self, key_id: str) -> str:
        operator = self.operator
        entry = operator.ledger.get(key_id)
        fresh = operator.proven is not None and self.now - operator.proven <= COARSE + 3 * MINUTE
        if key_id == self.first[0].key_id:
            return "founding"
        if operator.ready and fresh and not operator.suspended and entry and entry.safe and entry.unused_since is None:
            return "allowed"
        return "withdrawal" if self.withdrawn else "no reason"

    def heal(self) -> None:
        """End every fault: what was broken is mended, and what was asked for stays."""
        self.secret.lost_answers = 0
        self.intent = replace(self.intent, suspend=False)
        self.operator.running, self.operator.suspended = True, False
        for number, node in enumerate(self.nodes):
            node.door.open = node.present = True
            node.key_files = False
            if node.keeper is None:
                self.start(number)
