"""Delays after failures, and of a burst."""

from __future__ import annotations

import itertools

import pytest

from oidc_publisher.timing.backoff import Backoff, Pacer, unit_interval


def test_delays_double_up_to_the_cap() -> None:
    """And go on for ever, which is what kopf's list of delays must do."""
    assert list(itertools.islice(Backoff(0.1, 1.0), 6)) == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


def test_each_iteration_begins_anew() -> None:
    """Kopf iterates the same object for every request."""
    backoff = Backoff(0.1, 1.0)
    assert next(iter(backoff)) == next(iter(backoff)) == 0.1


def test_many_failures_do_not_overflow() -> None:
    """An issuer that failed for a year still has a delay."""
    assert Backoff(0.5, 120.0).delay(10**6, lambda: 0.0) == 120.0


def test_the_first_of_a_burst_need_not_wait_and_the_rest_are_spread() -> None:
    """A single new object is immediate, a thousand listed ones flow."""
    pacer = Pacer(burst=16, spacing_s=0.03, longest_s=45.0)
    delays = [pacer.delay(f"issuer-{number}", 100.0) for number in range(1000)]
    assert delays[:16] == [0.0] * 16
    assert delays[16] == pytest.approx(0.03)
    assert delays[999] == pytest.approx(984 * 0.03)


def test_after_a_quiet_period_the_next_one_is_immediate_again() -> None:
    """What came in an earlier burst is no reason to wait."""
    pacer = Pacer(burst=2, spacing_s=1.0, longest_s=45.0)
    assert [pacer.delay(name, 0.0) for name in "abc"] == [0.0, 0.0, 1.0]
    assert pacer.delay("d", 60.0) == 0.0


def test_nobody_waits_longer_than_the_longest_delay() -> None:
    """Ten thousand objects are spread over the time there is."""
    pacer = Pacer(burst=16, spacing_s=0.03, longest_s=45.0)
    delays = [pacer.delay(f"issuer-{number}", 0.0) for number in range(10_000)]
    assert max(delays) <= 45.0
    late = delays[2000:]
    assert 15 < sum(late) / len(late) < 30


def test_the_hash_is_the_same_in_every_process() -> None:
    """It is not Python's own, which differs from run to run."""
    # printf prod | sha256sum | cut -c1-12, as a number, divided by 2**48
    assert unit_interval("prod") == pytest.approx(0.4036359540647325)
    assert all(0.0 <= unit_interval(str(number)) < 1.0 for number in range(1000))
