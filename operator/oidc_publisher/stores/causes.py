"""Find the system's error below an error of a cloud's client."""

from __future__ import annotations

from typing import TypeVar

E = TypeVar("E", bound=BaseException)


def cause(error: BaseException, kind: type[E]) -> E | None:
    """Return the first error of `kind` among the causes; urllib3, requests and botocore each nest them differently."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        candidate = waiting.pop(0)
        if not isinstance(candidate, BaseException) or id(candidate) in seen:
            continue
        if isinstance(candidate, kind):
            return candidate
        seen.add(id(candidate))
        nested = (getattr(candidate, "kwargs", {}).get("error"), getattr(candidate, "reason", None))
        waiting += [*nested, candidate.__cause__, candidate.__context__, *candidate.args]
    return None
