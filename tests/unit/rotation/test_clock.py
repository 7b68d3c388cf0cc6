"""Times are written down in whole seconds, and those that only people read once in five minutes."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.rotation import COARSE, coarse_phase, whole_second
from oidc_publisher.rotation.clock import coarse, coarse_end
from tests.simulation.scenario import MINUTE, SECOND, T0, one_server

_uids = st.uuids().map(str)
_times = st.timedeltas(timedelta(0), timedelta(days=1)).map(lambda after: T0 + after)


def test_times_are_rounded_up_to_whole_seconds() -> None:
    """Every base time errs late."""
    assert whole_second(T0) == T0
    assert whole_second(T0 + timedelta(microseconds=1)) == T0 + SECOND


@given(uid=_uids, time=_times)
def test_a_period_holds_its_times_and_the_next_one_begins_at_its_end(uid: str, time: datetime) -> None:
    """Whatever the phase."""
    phase = coarse_phase(uid)
    end = coarse_end(time, phase)
    assert time < end <= time + COARSE
    assert coarse_end(end - SECOND, phase) == end
    assert coarse_end(end, phase) == end + COARSE


@given(uid=_uids, ahead=st.timedeltas(timedelta(0), timedelta(days=3)))
def test_a_time_of_the_first_days_of_all_is_only_old(uid: str, ahead: timedelta) -> None:
    """Go's zero time is in the year 1, and whoever may write a status may write it: it is replaced like any old one."""
    assert coarse(datetime.min.replace(tzinfo=UTC) + ahead, T0, coarse_phase(uid)) == T0


@given(uid=_uids, times=st.lists(_times, min_size=2, max_size=20))
def test_a_coarse_time_is_never_older_than_a_period(uid: str, times: list[datetime]) -> None:
    """Nor ahead of the clock; and it stays for as long as its period lasts."""
    phase, known = coarse_phase(uid), None
    for time in sorted(times):
        before, known = known, coarse(known, whole_second(time), phase)
        assert known <= whole_second(time) < known + COARSE + SECOND
        assert known == before or before is None or coarse_end(before, phase) <= known


def test_the_periods_of_many_issuers_begin_at_different_times() -> None:
    """In each minute of the five about a fifth of a thousand issuers writes its status, and not all of them in one."""
    begins = [coarse_phase(f"00000000-0000-4000-8000-{number:012}") for number in range(1000)]
    assert all(timedelta(0) <= begin < COARSE for begin in begins)
    in_minute = [sum(MINUTE * at <= begin < MINUTE * (at + 1) for begin in begins) for at in range(5)]
    assert min(in_minute) > 150
    assert max(in_minute) < 250


def test_what_changes_by_the_clock_alone_changes_once_in_a_period() -> None:
    """All coarse times of a status, those of its keys, of its cache ages and of the last proof too, have the same periods."""
    world = one_server("K1")
    world.at(timedelta(hours=72))
    assert {"lastProvenTime", "ledger"} <= world.operator.status.keys()
    changed = []
    for seconds in range(0, 3600, 10):
        before = world.operator.status
        world.at(timedelta(hours=72, seconds=seconds))
        if world.operator.status != before:
            changed.append(timedelta(seconds=seconds))
    assert {after - before for before, after in itertools.pairwise(changed)} == {COARSE}
