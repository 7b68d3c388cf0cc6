"""Which runs take a place, and which go on beside the places."""

from __future__ import annotations

from oidc_publisher.controller.places import SLOW_RUNS_PER_PLACE, Places, Run


def full(places: Places, count: int) -> list[Run]:
    """So many runs that began one second after the other."""
    runs = [Run(float(number)) for number in range(count)]
    for run in runs:
        places.take(run)
    return runs


def overdue(places: Places, runs: list[Run]) -> None:
    for run in runs:
        run.overdue = True
    places.let_overdue_aside()


def test_a_place_is_free_until_all_are_taken() -> None:
    """The bound holds as long as nothing is slow."""
    places = Places(2)
    (first, _) = full(places, 2)
    assert not places.free
    places.leave(first)
    assert places.free


def test_an_overdue_run_leaves_its_place_and_the_oldest_is_first() -> None:
    """As far as there is room beside the places."""
    places = Places(3, most_slow=1)
    runs = full(places, 3)
    overdue(places, runs)
    assert [run.slow for run in runs] == [True, False, False]
    assert places.free


def test_an_overdue_run_without_room_leaves_its_place_when_a_slow_one_ends() -> None:
    """Nobody has to look at it again."""
    places = Places(2, most_slow=1)
    first, second = full(places, 2)
    overdue(places, [first, second])
    places.take(Run(2.0))
    assert not places.free
    places.leave(first)
    assert second.slow
    assert places.free


def test_keys_that_are_known_to_be_slow_leave_room_for_those_that_become_so() -> None:
    """As many as there are places begin beside them; the rest of the room is for overdue runs."""
    places = Places(4)
    for number in range(4):
        assert places.free_beside
        places.take(Run(float(number), slow=True))
    assert not places.free_beside
    overdue(places, full(places, 4))
    assert places.slow == 8 <= 4 * SLOW_RUNS_PER_PLACE
    assert places.free


def test_one_slow_key_at_a_time_begins_even_without_room() -> None:
    """Otherwise it would never begin again."""
    places = Places(2, most_slow=0)
    assert places.free_beside
    places.take(Run(0.0, slow=True))
    assert not places.free_beside


def test_a_standstill_counts_from_the_latest_start_in_a_place() -> None:
    """A slow run beside the places is no sign of life of the places."""
    places = Places(2, most_slow=4)
    full(places, 2)
    assert places.standstill_s(31.0) == 30.0
    places.take(Run(20.0, slow=True))
    assert places.standstill_s(31.0) == 30.0
    overdue(places, [places.runs[0]])
    assert places.standstill_s(31.0) == 0.0
