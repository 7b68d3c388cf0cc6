"""Which replica looks after which object."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest

from oidc_publisher.controller.shard import WHOLE, Shard


def test_every_object_belongs_to_exactly_one_shard() -> None:
    """None is looked after twice, none not at all, and each shard has about as many."""
    shards = [Shard(index, 8) for index in range(1, 9)]
    owners = Counter[Shard]()
    for number in range(4000):
        uid = str(uuid.UUID(int=number))
        holding = [shard for shard in shards if shard.holds(uid)]
        assert len(holding) == 1
        owners[holding[0]] += 1
    assert min(owners.values()) > 400


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_one_shard_more_takes_its_share_and_moves_nothing_between_the_others(count: int) -> None:
    """A change of the number of shards costs a new first pass for as few issuers as can be; one less gives them back."""
    uids = [str(uuid.UUID(int=number)) for number in range(2000)]

    def owners(of: int) -> list[int]:
        shards = [Shard(index, of) for index in range(1, of + 1)]
        return [next(shard.index for shard in shards if shard.holds(uid)) for uid in uids]

    moves = [(before, after) for before, after in zip(owners(count), owners(count + 1), strict=True) if before != after]
    assert {after for _, after in moves} == {count + 1}
    assert {before for before, _ in moves} == set(range(1, count + 1))
    assert len(moves) / len(uids) == pytest.approx(1 / (count + 1), abs=0.03)


def test_the_only_shard_holds_everything() -> None:
    """Without --shard nothing is left out."""
    assert all(WHOLE.holds(str(number)) for number in range(100))


def test_the_assignment_never_changes() -> None:
    """It is agreed between replicas of different versions: a change would be a breaking one."""
    # printf N/UID | sha256sum begins with 95, cb, 79 and e0 for N = 1, 2, 3 and 4.
    assert Shard(4, 4).holds("00000000-0000-0000-0000-000000000001")
    assert Shard(2, 3).holds("00000000-0000-0000-0000-000000000001")


@pytest.mark.parametrize("text", ["1/1", "2/8", "8/8"])
def test_what_is_printed_is_what_is_read(text: str) -> None:
    """The log says the shard as the command line does."""
    assert str(Shard.parse(text)) == text


@pytest.mark.parametrize("text", ["", "2", "0/8", "9/8", "1/0", "-1/8", "1/8/2", "a/b", "1 /8", "²/8"])
def test_a_wrong_shard_is_refused(text: str) -> None:
    """The message says what is right."""
    with pytest.raises(ValueError, match="must be"):
        Shard.parse(text)
