"""How long each step of a pass takes, and the spans around them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from oidc_publisher.telemetry.steps import Step, StepTimes


class Watch:
    """A watch that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_the_time_of_a_step_within_another_counts_once(watch: Watch) -> None:
    """The plan is made while publishing, in each round anew."""
    times = StepTimes(monotonic=watch)
    with times.during(Step.PUBLISH):
        watch.now += 1
        for _ in range(2):
            with times.during(Step.PLAN):
                watch.now += 10
        watch.now += 100
    assert times.seconds == {Step.PUBLISH: 101, Step.PLAN: 20}
    assert times.total_s == 121


def test_what_is_between_two_steps_counts_for_neither(watch: Watch) -> None:
    """It is part of the whole pass alone."""
    times = StepTimes(monotonic=watch)
    with times.during(Step.READ):
        watch.now += 1
    watch.now += 5
    with times.during(Step.PROVE):
        watch.now += 2
    assert times.seconds == {Step.READ: 1, Step.PROVE: 2}
    assert times.total_s == 8


def test_an_error_leaves_the_step_in_which_it_came(watch: Watch) -> None:
    """The finding of a pass that was ended at its deadline names that step."""
    times = StepTimes(monotonic=watch)

    def late() -> None:
        with times.during(Step.PUBLISH), times.during(Step.PLAN):
            watch.now += 3
            raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        late()
    assert times.current is Step.PLAN
    assert times.seconds == {Step.PUBLISH: 0, Step.PLAN: 3}


def test_each_step_is_a_span_within_that_of_its_outer_step() -> None:
    """As a trace shows them."""
    spans: list[str] = []

    @contextmanager
    def open_span(name: str, _: dict[str, str]) -> Iterator[None]:
        spans.append(f"+{name}")
        yield
        spans.append(f"-{name}")

    times = StepTimes(open_span)
    with times.during(Step.PUBLISH), times.during(Step.PLAN):
        pass
    assert spans == ["+publish", "+plan", "-plan", "-publish"]
