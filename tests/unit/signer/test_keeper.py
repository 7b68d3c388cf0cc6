"""One node's copy of the ring and the Secret (S1, S3, S5, S9, S11): the order of the steps, and what a failure leaves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from oidc_publisher.errors import PublisherError
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.signer.keeper import LostRaceError, NoRingError, RingKeeper
from oidc_publisher.signer.ring import AnotherLineageError, PrivateHalf, Ring, RingIntent
from oidc_publisher.signer.storage import DiskCopy, RingUnreadableError
from tests.support.rings import HOUR, NOW, issuer, key_id, pair, ring_key, ring_of, sight

OLD, NEW = ring_key(1, signed=NOW - HOUR), ring_key(2)
RING = ring_of(NEW, OLD)
SAFE = sight(issuer(1, 2, signing=(1,)))


@dataclass(slots=True)
class Steps:
    """The Secret and the disk in memory; `order` is what was written, and `failing` the kinds of steps that fail."""

    ring: Ring | None = RING
    copy: DiskCopy | None = field(default_factory=lambda: DiskCopy(RING, key_id(1)))
    order: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    version: int = 0
    races: list[Ring] = field(default_factory=list)

    def keeper(self) -> RingKeeper:
        """A keeper that has begun, in front of these."""
        return RingKeeper(_Shared(self), _Disk(self), self.make, self.copy, NOW - HOUR)

    def make(self, algorithm: str) -> tuple[PublicKey, PrivateHalf]:
        """Make a key, and note its kind."""
        self.order.append(algorithm)
        return pair(9)

    def step(self, name: str) -> None:
        """Note a step, or fail."""
        if name in self.failing:
            raise RingUnreadableError(Reason.RingUnreadable, f"{name} failed")
        self.order.append(name)


@dataclass(slots=True)
class _Shared:
    steps: Steps

    def read(self) -> tuple[Ring | None, str]:
        if "read" in self.steps.failing:
            self.steps.step("read")
        return self.steps.ring, str(self.steps.version)

    def replace(self, ring: Ring, version: str) -> None:
        if self.steps.races:
            self.steps.ring, self.steps.version = self.steps.races.pop(0), self.steps.version + 1
        if version != str(self.steps.version):
            raise LostRaceError(Reason.RingUnreadable, "changed")
        self.steps.step("secret")
        self.steps.ring, self.steps.version = ring, self.steps.version + 1


@dataclass(slots=True)
class _Disk:
    steps: Steps

    def read(self) -> DiskCopy | None:
        return self.steps.copy

    def write(self, copy: DiskCopy) -> None:
        self.steps.step("disk")
        self.steps.copy = copy


def test_the_secret_is_written_before_the_disk_and_both_before_a_signature() -> None:
    """S1, S5, S9: the Secret says that the version may sign, then the disk names it, then it signs."""
    steps = Steps()
    choice = steps.keeper().look(SAFE)
    assert steps.order == ["secret", "disk"]
    assert choice.sign is not None
    assert choice.sign.key_id == key_id(2)
    assert steps.copy == DiskCopy(choice.ring, key_id(2))
    assert steps.ring == choice.ring
    assert (choice.ring.serial, choice.ring.keys[0].signed_time) == (2, NOW)


def test_a_second_look_writes_nothing() -> None:
    """At rest there is no write, neither of the Secret nor of the disk."""
    steps = Steps()
    keeper = steps.keeper()
    keeper.look(SAFE)
    steps.order.clear()
    keeper.look(SAFE)
    assert steps.order == []


@pytest.mark.parametrize("failing", ["read", "secret", "disk"])
def test_a_step_that_fails_changes_nothing_that_is_signed_with(failing: str) -> None:
    """S1: the caller goes on with what it had; the next look ends what this one began."""
    steps = Steps(failing={failing})
    keeper = steps.keeper()
    with pytest.raises(RingUnreadableError):
        keeper.look(SAFE)
    assert keeper.copy == steps.copy == DiskCopy(RING, key_id(1))
    offline = keeper.look_at_disk(NOW)
    assert (offline.sign and offline.sign.key_id, offline.ring) == (key_id(1), RING)
    steps.failing.clear()
    again = keeper.look(SAFE)
    assert again.sign is not None
    assert again.sign.key_id == key_id(2)


def test_a_lost_race_is_decided_anew() -> None:
    """S1: another signer made version 3 in between; our mark goes on top of its ring."""
    theirs = ring_of(ring_key(3), NEW, OLD)
    steps = Steps(races=[theirs])
    choice = steps.keeper().look(SAFE)
    assert [(key.number, key.signed_time is not None) for key in choice.ring.keys] == [(3, False), (2, True), (1, True)]


def test_races_do_not_go_on_for_ever() -> None:
    """After some of them the look ends with an error, and the next one tries again."""
    steps = Steps(races=[replace(RING, serial=number) for number in range(2, 30)])
    with pytest.raises(LostRaceError, match="faster"):
        steps.keeper().look(SAFE)
    assert steps.order == []


@pytest.mark.parametrize("shared", [None, ring_of(OLD), Ring("one")], ids=["emptied", "restored", "without-versions"])
def test_a_secret_that_lost_something_is_healed_from_the_disk(shared: Ring | None) -> None:
    """S3: within one look, and what issuers say from before it is no evidence any more."""
    steps = Steps(ring=shared)
    keeper = steps.keeper()
    choice = keeper.look(sight())
    assert steps.ring == choice.ring
    assert [key.key_id for key in choice.ring.keys] == [key_id(2), key_id(1)]
    assert keeper.evidence_since == NOW


def test_evidence_begins_with_the_first_look_by_the_api_servers_clock() -> None:
    """The clock of the node may be wrong by years."""
    steps = Steps()
    keeper = RingKeeper(_Shared(steps), _Disk(steps), steps.make, steps.copy)
    keeper.look(SAFE)
    keeper.look(replace(SAFE, now=NOW + HOUR))
    assert keeper.evidence_since == NOW


def test_a_conflict_of_numbers_is_reported_once() -> None:
    """S3: with the former number and the new one."""
    other = ring_of(ring_key(2, seed=5), OLD)
    keeper = Steps(ring=other).keeper()
    choice = keeper.look(sight())
    assert [finding.reason for finding in choice.findings] == [Reason.VersionConflict]
    assert choice.findings[0].message == f"Version 2 was two keys; {key_id(2)} is version 3 now."
    assert keeper.look(sight()).findings == ()


def test_another_ring_is_not_touched() -> None:
    """S4: signing goes on from disk."""
    steps = Steps(ring=replace(RING, lineage="another"))
    keeper = steps.keeper()
    with pytest.raises(AnotherLineageError):
        keeper.look(SAFE)
    assert steps.order == []
    assert keeper.look_at_disk(NOW).sign is not None


def test_without_any_copy_there_is_no_ring() -> None:
    """S11: keys are never invented."""
    keeper = Steps(ring=None, copy=None).keeper()
    with pytest.raises(NoRingError, match="There is no ring"):
        keeper.look(SAFE)
    with pytest.raises(NoRingError):
        keeper.look_at_disk(NOW)


def test_a_node_with_an_empty_disk_takes_the_ring() -> None:
    """S8: and signs with what the others sign with."""
    steps = Steps(copy=None)
    choice = steps.keeper().look(sight())
    assert steps.copy == DiskCopy(RING, key_id(1))
    assert choice.sign == OLD


def test_a_version_that_is_asked_for_is_made_in_one_write() -> None:
    """S13: its key is of the kind that the spec says."""
    steps = Steps(ring=ring_of(OLD), copy=DiskCopy(ring_of(OLD), key_id(1)))
    intent = RingIntent("ES384", newest_version=2)
    choice = steps.keeper().look(sight(issuer(1, signing=(1,)), intent=intent))
    assert steps.order == ["ES384", "secret", "disk"]
    assert (choice.ring.keys[0].number, choice.ring.keys[0].key_id) == (2, key_id(9))
    assert choice.sign == OLD


def test_a_withdrawal_of_everything_takes_two_writes() -> None:
    """S17: tombstone and new key in one, the mark in the second; then it signs."""
    steps = Steps(ring=ring_of(OLD), copy=DiskCopy(ring_of(OLD), key_id(1)))
    choice = steps.keeper().look(sight(issuer(1, signing=(1,)), withdrawn=(1,)))
    assert steps.order == ["RS256", "secret", "secret", "disk"]
    assert choice.sign is not None
    assert choice.sign.key_id == key_id(9)


def test_a_ring_is_founded_once() -> None:
    """S11: with the cluster's own key, only where there is nothing; then it signs at once."""
    steps = Steps(ring=None, copy=None)
    keeper = steps.keeper()
    keeper.found(*pair(1), lineage="one", now=NOW)
    assert steps.ring is not None
    assert steps.ring.keys[0].imported
    choice = keeper.look(sight(intent=None))
    assert choice.sign is not None
    assert choice.sign.key_id == key_id(1)
    with pytest.raises(NoRingError, match="never founded anew"):
        keeper.found(*pair(2), lineage="two", now=NOW)


def test_the_numbers_of_a_ring_that_is_lost_are_not_used_again() -> None:
    """S2: whoever founds a ring anew says how far the former one came."""
    steps = Steps(ring=None, copy=None)
    steps.keeper().found(*pair(1), lineage="one", now=NOW, highest=11)
    assert steps.ring is not None
    assert [key.number for key in steps.ring.keys] == [12]


def test_a_race_of_founders_has_one_winner() -> None:
    """Every node imports the same file; the second one reads the first one's ring."""
    steps = Steps(ring=None, copy=None, races=[ring_of(OLD)])
    keeper = steps.keeper()
    with pytest.raises(LostRaceError):
        keeper.found(*pair(1), lineage="two", now=NOW)
    assert keeper.look(sight()).sign == OLD


def test_every_failure_is_one_that_the_caller_catches() -> None:
    """The loop around the looks handles PublisherError, and nothing else."""
    for error in (LostRaceError, NoRingError, AnotherLineageError, RingUnreadableError):
        assert issubclass(error, PublisherError)
