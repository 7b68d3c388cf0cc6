"""What Hypothesis takes amiss in a run with servers and stores beside it."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given, settings
from hypothesis import strategies as st


@contextmanager
def shuffling() -> Iterator[None]:
    """A thread that draws from the generator that all of Python shares, as botocore does before a second try."""
    ended = threading.Event()

    def draw() -> None:
        while not ended.is_set():
            random.random()  # noqa: S311 - it is thrown away

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(), min_size=50))
def _drawn(numbers: list[int]) -> None:
    assert numbers


def test_a_thread_that_draws_random_numbers_fails_no_property() -> None:
    """A store's call that was given up goes on in its thread, and may pause before a second try while a property is tested."""
    with shuffling():
        _drawn()
