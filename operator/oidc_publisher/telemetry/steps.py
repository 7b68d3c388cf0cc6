"""Measure the five steps of a pass, and open a span of a trace around each where traces are sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum


class Step(StrEnum):
    """A Step is one of the five steps of a pass, in their order."""

    READ = "read"
    PLAN = "plan"
    PUBLISH = "publish"
    PROVE = "prove"
    REPORT = "report"


#: Opens a span of this name, with these attributes, for as long as the context lasts.
OpenSpan = Callable[[str, dict[str, str]], AbstractContextManager[object]]


def no_span(_name: str, _attributes: dict[str, str]) -> AbstractContextManager[object]:
    """Open no span, where no traces are sent."""
    return nullcontext()


class StepTimes:
    """StepTimes adds up how long each step of one pass takes, in `seconds`.

    The time of a step within another one counts for the inner step alone. `current` is the step in progress, and stays the
    last one where an error has ended the pass.
    """

    def __init__(self, open_span: OpenSpan = no_span, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._open_span = open_span
        self._monotonic = monotonic
        self._began = self._since = monotonic()
        self.seconds: dict[Step, float] = {}
        self.current: Step | None = None

    @property
    def total_s(self) -> float:
        """The seconds since the pass began."""
        return self._monotonic() - self._began

    @contextmanager
    def during(self, step: Step) -> Iterator[None]:
        """Count the time of the block for `step`."""
        outer = self.current
        self._note(outer)
        self.current = step
        with self._open_span(step.value, {}):
            try:
                yield
            except BaseException:
                self._note(self.current)
                raise
        self._note(step)
        self.current = outer

    def _note(self, step: Step | None) -> None:
        now = self._monotonic()
        if step is not None:
            self.seconds[step] = self.seconds.get(step, 0.0) + now - self._since
        self._since = now
