"""When copies at a distribution are invalidated: once for each change, one at a time, and never without a change."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from oidc_publisher.documents import Document, OwnerMark, StoredDocument, StoredDocuments
from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.reconcile.cdn.invalidator import Invalidator
from oidc_publisher.reconcile.cdn.schedule import CHECK_BAD_S, CHECK_GOOD_S, viewer_paths
from oidc_publisher.stores.cloudfront.memory import MemoryDistribution

OWNER = "0001/prod"
PATHS = ("/prod/.well-known/openid-configuration", "/prod/openid/v1/jwks")
AGE = timedelta(minutes=5)
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Clock:
    """Both clocks, moved by hand."""

    passed_s: float = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.passed_s

    def now(self) -> datetime:
        """The same, as a time of the calendar."""
        return START + timedelta(seconds=self.passed_s)


@dataclass
class World:
    """A distribution, a store in which documents are written, and the process that looks after their copies."""

    clock: Clock = field(default_factory=Clock)
    distribution: MemoryDistribution = field(default_factory=MemoryDistribution)
    stored: StoredDocuments = field(default_factory=StoredDocuments)
    edge: Invalidator = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new process that remembers nothing."""
        self.edge = Invalidator(self.distribution, PATHS, OWNER)

    def write(self, serial: int, *, owner: str = OWNER, discovery: bool = True) -> None:
        """Write both documents, or the key set alone."""
        mark = OwnerMark(owner, serial, AGE, AGE)
        document = Document(b"{}", "application/json", "public, max-age=300", mark.to_metadata())
        written = StoredDocument(document, str(serial), self.clock.now())
        self.stored = StoredDocuments(written if discovery else self.stored.discovery, written)

    async def look(self, *, after_s: float = 0.0) -> None:
        """One pass."""
        self.clock.passed_s += after_s
        await self.edge.follow(self.stored, longest_age=AGE, clock=self.clock)

    def complete(self) -> None:
        """Everything that was asked for is done."""
        self.distribution.done.update(self.distribution.invalidations)

    @property
    def asked(self) -> int:
        """How many different invalidations CloudFront has taken."""
        return len(self.distribution.invalidations)

    @property
    def reasons(self) -> list[Reason]:
        """What people are told."""
        return [finding.reason for finding in self.edge.findings]


@pytest.fixture
def world() -> World:
    """A pair that was written long ago, and a process that has looked at it once."""
    return World()


def refusal(*, retryable: bool = False, reason: Reason = Reason.InvalidationDenied) -> StoreError:
    return StoreError(reason, "refused", retryable=retryable, subject="EMEMORY")


async def test_a_change_is_invalidated_once(world: World) -> None:
    """One call with both paths, however many passes follow."""
    world.write(1)
    for _ in range(5):
        await world.look(after_s=60)
    assert list(world.distribution.invalidations.values()) == [PATHS]
    assert world.distribution.calls.count("invalidate") == 1


async def test_at_rest_nothing_is_called(world: World) -> None:
    """A day of passes: no invalidation, and a look at the distribution every six hours."""
    world.write(1)
    await world.look(after_s=AGE.total_seconds() + 1)
    world.distribution.calls.clear()
    for _ in range(24 * 60):
        await world.look(after_s=60)
    assert world.distribution.calls == ["check"] * int(24 * 3600 / CHECK_GOOD_S)
    assert world.asked == 0


async def test_changes_meanwhile_are_gathered_into_one(world: World) -> None:
    """Three changes while one invalidation is in progress: one more afterwards."""
    world.write(1)
    await world.look()
    for serial in (2, 3, 4):
        world.write(serial)
        await world.look(after_s=15)
    assert world.asked == 1
    world.complete()
    await world.look(after_s=15)
    assert world.asked == 2
    world.complete()
    await world.look(after_s=15)
    await world.look(after_s=15)
    assert world.asked == 2


async def test_waiting_is_done_by_the_queue(world: World) -> None:
    """While one is in progress the next pass comes in seconds, afterwards at leisure; no pass polls before its time."""
    world.write(1)
    await world.look()
    waits = [world.edge.wake_after(world.clock).total_seconds()]
    for _ in range(4):
        await world.look()
        await world.look(after_s=waits[-1])
        waits.append(world.edge.wake_after(world.clock).total_seconds())
    assert waits == [2, 4, 8, 10, 10]
    assert world.distribution.calls.count("completed") == 4
    world.complete()
    await world.look(after_s=10)
    assert world.edge.wake_after(world.clock).total_seconds() == 0, "the wire is read once more, now"
    await world.look()
    assert world.edge.wake_after(world.clock).total_seconds() > 3600


@pytest.mark.parametrize("taken", [False, True], ids=["before it was asked for", "before the answer came"])
async def test_a_restart_makes_no_second_one(world: World, *, taken: bool) -> None:
    """The reference follows from what was written: a new process asks for the same invalidation, or for the first."""
    world.write(7)
    if taken:
        await world.look()
    world.restart()
    await world.look(after_s=30)
    assert world.asked == 1
    assert world.distribution.calls.count("invalidate") == (2 if taken else 1)


async def test_a_restart_long_after_a_change_asks_for_nothing(world: World) -> None:
    """Copies of what was there before have died by then."""
    world.write(7)
    world.restart()
    await world.look(after_s=AGE.total_seconds() + 1)
    assert world.asked == 0


async def test_half_a_publication_is_invalidated_and_so_is_the_whole(world: World) -> None:
    """The key set is written, the discovery document fails: that is a change, and its completion is another one."""
    world.write(1)
    await world.look()
    world.complete()
    world.write(2, discovery=False)
    await world.look(after_s=20)
    world.complete()
    world.write(3)
    await world.look(after_s=20)
    assert world.asked == 3


async def test_anothers_documents_are_not_our_change(world: World) -> None:
    """What somebody else writes to the place is not invalidated for them."""
    world.write(1, owner="0002/prod")
    await world.look()
    assert world.asked == 0


@pytest.mark.parametrize("retryable", [True, False], ids=["a limit", "a missing right"])
async def test_a_refused_change_is_asked_for_again(world: World, *, retryable: bool) -> None:
    """With growing delays, until it is taken: nothing is lost, and what changed meanwhile is in it."""
    world.distribution.refusals["invalidate"] = [refusal(retryable=retryable) for _ in range(6)]
    world.write(1)
    delays = []
    for serial in range(1, 7):
        world.write(serial)
        await world.look()
        delays.append(world.edge.wake_after(world.clock).total_seconds())
        world.clock.passed_s += delays[-1]
    assert world.asked == 0
    assert all(first < second for first, second in itertools.pairwise(delays)), delays
    assert Reason.InvalidationDenied in world.reasons
    await world.look()
    assert (world.asked, world.reasons) == (1, [])


async def test_one_failure_of_what_passes_by_itself_is_no_news(world: World) -> None:
    """A limit is told of the second time, a missing right at once."""
    world.distribution.refusals["invalidate"] = [refusal(retryable=True), refusal(retryable=True)]
    world.write(1)
    await world.look()
    assert world.reasons == []
    await world.look(after_s=5)
    assert world.reasons == [Reason.InvalidationDenied]


async def test_an_invalidation_that_nobody_can_follow_keeps_nothing_waiting(world: World) -> None:
    """Without cloudfront:GetInvalidation the next change is asked for at once."""
    world.distribution.refusals["completed"] = [refusal() for _ in range(50)]
    world.write(1)
    await world.look()
    await world.look(after_s=5)
    assert world.reasons == [Reason.InvalidationDenied]
    world.write(2)
    await world.look(after_s=1)
    assert world.asked == 2


async def test_nothing_is_asked_of_the_wrong_distribution(world: World) -> None:
    """It is looked at again soon, and what changed is asked for when it is right."""
    wrong = refusal(reason=Reason.DistributionMismatch)
    world.distribution.refusals["check"] = [wrong, wrong]
    world.write(1)
    await world.look()
    assert (world.asked, world.reasons) == (0, [Reason.DistributionMismatch])
    assert world.edge.wake_after(world.clock).total_seconds() == CHECK_BAD_S
    await world.look(after_s=CHECK_BAD_S)
    assert world.reasons == [Reason.DistributionMismatch]
    await world.look(after_s=CHECK_BAD_S)
    assert (world.asked, world.reasons) == (1, [])


@pytest.mark.parametrize("call", ["invalidate", "completed"])
async def test_a_distribution_that_went_away_is_a_mismatch(world: World, call: str) -> None:
    """NoSuchDistribution, whichever call finds it."""
    world.distribution.refusals[call] = [refusal(reason=Reason.DistributionMismatch)]
    world.write(1)
    await world.look()
    await world.look(after_s=5)
    assert world.reasons == [Reason.DistributionMismatch]


async def test_a_check_that_is_refused_stops_nothing(world: World) -> None:
    """Without cloudfront:GetDistribution copies are still dropped."""
    world.distribution.refusals["check"] = [refusal() for _ in range(50)]
    world.write(1)
    await world.look()
    assert (world.asked, world.reasons) == (1, [Reason.InvalidationDenied])


async def test_copies_of_deleted_documents_are_dropped_once(world: World) -> None:
    """Whichever process asks, and not under the reference of a write; another object of the name has its own."""
    world.write(1)
    await world.look()
    for uid in ("uid-1", "uid-1", "uid-2"):
        world.restart()
        assert await world.edge.drop_deleted(uid) is None
    assert list(world.distribution.invalidations.values()) == [PATHS] * 3


async def test_nothing_is_dropped_at_a_distribution_of_another_bucket(world: World) -> None:
    """Another's copies would pay for it. What else a check says is no obstacle."""
    world.distribution.refusals["check"] = [refusal(reason=Reason.DistributionMismatch), refusal()]
    problem = await world.edge.drop_deleted("uid")
    assert (problem and problem.reason, world.asked) == (Reason.DistributionMismatch, 0)
    assert (await world.edge.drop_deleted("uid"), world.asked) == (None, 1)


async def test_a_refusal_to_drop_deleted_documents_is_handed_on(world: World) -> None:
    """The object goes all the same; somebody has to be told."""
    world.distribution.refusals["invalidate"] = [refusal()]
    problem = await world.edge.drop_deleted("uid")
    assert problem
    assert problem.reason is Reason.InvalidationDenied


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://oidc.example.com/prod/openid/v1/jwks", "/prod/openid/v1/jwks"),
        ("https://oidc.example.com/openid/v1/jwks", "/openid/v1/jwks"),
        ("https://oidc.example.com/~ops/jwks", "/%7Eops/jwks"),
    ],
)
def test_paths_are_the_viewers(url: str, path: str) -> None:
    """Without host, bucket, prefix and origin path; encoded as CloudFront's documentation wants it."""
    assert viewer_paths(url) == (path,)
