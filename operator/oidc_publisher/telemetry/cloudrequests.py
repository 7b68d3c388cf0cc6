"""Collect the request IDs that clouds gave to the requests of one pass, for the line that the pass has in the log.

The support of a cloud asks for these IDs. The stores note them where an answer is read, in whatever thread that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: A pass that fails repeats few requests. A line of the log stays readable.
_KEPT = 16

_noted: ContextVar[list[str] | None] = ContextVar("cloud_requests", default=None)


@contextmanager
def noting() -> Iterator[list[str]]:
    """Collect what `note` is told within the block, in threads that the block starts as well."""
    requests: list[str] = []
    token = _noted.set(requests)
    try:
        yield requests
    finally:
        _noted.reset(token)


def note(operation: str, status: int, **ids: str) -> None:
    """Note one answer: the operation, the HTTP status, and each request ID under the name that its cloud uses."""
    requests = _noted.get()
    said = [f"{name}={value}" for name, value in ids.items() if value]
    if requests is not None and said and len(requests) < _KEPT:
        requests.append(" ".join([operation, str(status), *said]))
