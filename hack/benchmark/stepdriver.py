"""`oidc-publisher run` that writes down how long each step of a pass takes; the arguments are those of the command.

BENCH_STEPS names the file: one line of JSON per call with the step, the wall time and the CPU time of the whole process.
A step that is not there (any more) is left out.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import time
from collections.abc import Callable
from typing import Any

from oidc_publisher.cli import main
from oidc_publisher.reconcile import reconciler as reconcile

#: Where each step is entered, in the namespace of the reconcile.
STEPS = {
    "read the object": (reconcile, "get_issuer"),
    "read": (reconcile, "read_all"),
    "plan, publish": (reconcile.Reconciler, "_plan_and_publish"),
    "prove": (reconcile, "prove"),
    "report": (reconcile.Reconciler, "_report"),
    "the whole pass": (reconcile.Reconciler, "reconcile"),
}


def timed(step: str, work: Callable[..., Any], file: str) -> Callable[..., Any]:
    """The same coroutine function, which writes down what each call took."""

    @functools.wraps(work)
    async def wrapper(*arguments: Any, **options: Any) -> Any:
        began, used = time.perf_counter(), time.process_time()
        try:
            return await work(*arguments, **options)
        finally:
            took = {"step": step, "wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - used}
            with open(file, "a", encoding="utf-8") as lines:  # noqa: ASYNC230, PTH123 - some 30 µs
                lines.write(json.dumps(took) + "\n")

    return wrapper


def _instrument(file: str) -> None:
    for step, (place, name) in STEPS.items():
        work = getattr(place, name, None)
        if inspect.iscoroutinefunction(work):
            setattr(place, name, timed(step, work, file))


if __name__ == "__main__":
    _instrument(os.environ["BENCH_STEPS"])
    main()
