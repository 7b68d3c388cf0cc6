"""Requests per second of a time. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


def busiest_second(times: Iterable[float]) -> int:
    """The greatest number of instants that lie within one second."""
    window: deque[float] = deque()
    most = 0
    for at in sorted(times):
        window.append(at)
        while window[0] <= at - 1:
            window.popleft()
        most = max(most, len(window))
    return most
