"""Which shard is called down, and which one says so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.controller.peers.silence import LONGEST_GAP_S, SILENT_S, Silence
from oidc_publisher.controller.shard import Shard
from tests.support.examples import about

EVERY_S = 15.0


def looked(silence: Silence, now: float, renewals: dict[int, str]) -> list[int]:
    """One look: the shards that were read."""
    read = []
    for part in silence.to_read():
        silence.read(part, renewals[part], now)
        read.append(part)
    return read


def test_a_shard_that_renews_is_not_silent() -> None:
    """However the times in its lease compare with this machine's clock."""
    silence = Silence(Shard(1, 2))
    for number in range(20):
        looked(silence, number * EVERY_S, {2: f"renewal {-number}"})
    assert silence.silent_s == {2: 0.0}


def test_a_shard_that_stops_is_silent_from_its_last_renewal_on() -> None:
    """As this process saw it."""
    silence = Silence(Shard(2, 2))
    for number in range(10):
        looked(silence, number * EVERY_S, {1: f"renewal {min(number, 4)}"})
    assert silence.silent_s == {1: 5 * EVERY_S}


def test_a_lease_that_nobody_ever_renewed_is_silent_too() -> None:
    """The shard has never run since this process began to look."""
    silence = Silence(Shard(1, 2))
    for number in range(6):
        looked(silence, number * EVERY_S, {2: "None None"})
    assert silence.silent_s[2] >= SILENT_S


def test_a_shard_reads_the_next_one_alone_while_that_one_lives() -> None:
    """So a hundred shards ask a hundred times, and not ten thousand times."""
    silence = Silence(Shard(3, 4))
    assert [looked(silence, n * EVERY_S, {4: str(n), 1: str(n), 2: str(n)}) for n in range(8)] == [[4]] * 8


def test_a_shard_looks_beyond_silent_ones_and_forgets_them_when_they_are_back() -> None:
    """Two neighbours that are down together are both named."""
    silence = Silence(Shard(1, 4))
    for number in range(12):
        looked(silence, number * EVERY_S, {2: "stopped", 3: "stopped", 4: str(number)})
    assert {part for part, seconds in silence.silent_s.items() if seconds >= SILENT_S} == {2, 3}
    assert looked(silence, 12 * EVERY_S, {2: "back"}) == [2]
    assert silence.silent_s == {2: 0.0}


def test_an_outage_of_the_api_server_is_nobodys_silence() -> None:
    """Nobody could renew meanwhile: the count begins anew with the first reading."""
    silence = Silence(Shard(1, 2))
    looked(silence, 0.0, {2: "before"})
    looked(silence, 600.0, {2: "before"})
    assert silence.silent_s == {2: 0.0}
    looked(silence, 600.0 + LONGEST_GAP_S, {2: "before"})
    assert silence.silent_s == {2: LONGEST_GAP_S}


def test_one_shard_alone_looks_at_nobody() -> None:
    """There is none."""
    assert not [*Silence(Shard(1, 1)).to_read()]


@given(count=st.integers(2, 9), down=st.sets(st.integers(1, 9), max_size=8))
@about(60)
def test_each_shard_that_is_down_is_named_by_one_that_lives_and_no_other_is(count: int, down: set[int]) -> None:
    """As long as one lives."""
    down = {part for part in down if part <= count}
    living = [Silence(Shard(part, count)) for part in range(1, count + 1) if part not in down]
    for number in range(60):
        renewals = {part: "stopped" if part in down else str(number) for part in range(1, count + 1)}
        for silence in living:
            looked(silence, number * EVERY_S, renewals)
    named = {part for silence in living for part, seconds in silence.silent_s.items() if seconds >= SILENT_S}
    assert named == (down if living else set())
