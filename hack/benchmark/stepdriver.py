"""`oidc-publisher run` that writes down how long each step of a pass takes; the arguments are those of the command.

BENCH_STEPS names the file: one line of JSON per call with the step, the wall time and the CPU time of the whole process.

A step that is not where STEPS says ends the program: a figure that is missing is noticed by nobody.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import time
from collections.abc import Callable
from typing import Any

from oidc_publisher.cli import main

#: The last of STEPS.
WHOLE_PASS = "the whole pass"  # noqa: S105 - no password
#: Where each step is entered, as MODULE:NAME in the namespace of the reconcile; each is a coroutine function. This table is
#: the only place that knows.
STEPS = {
    "read the object": "oidc_publisher.reconcile.reconciler:get_issuer",
    "read": "oidc_publisher.reconcile.reconciler:read_all",
    "plan, publish": "oidc_publisher.reconcile.reconciler:publish",
    "prove": "oidc_publisher.reconcile.reconciler:prove",
    "report": "oidc_publisher.reconcile.reconciler:Recorder.report",
    WHOLE_PASS: "oidc_publisher.reconcile.reconciler:Reconciler.reconcile",
}

Note = Callable[[str, float, float], None]


def place_of(step: str, target: str) -> tuple[Any, str]:
    """The module or class that a step's function stands in, and its name there; raises SystemExit when it does not."""
    module, _, path = target.partition(":")
    *outer, name = path.split(".")
    try:
        place: Any = functools.reduce(getattr, outer, importlib.import_module(module))
        work = getattr(place, name)
    except (ImportError, AttributeError) as error:
        raise SystemExit(
            f"{__file__}: the step {step!r} is not at {target} any more ({error}); correct STEPS"
        ) from None
    if not inspect.iscoroutinefunction(work):
        raise SystemExit(f"{__file__}: {target}, the step {step!r}, is no coroutine function; correct STEPS")
    return place, name


def timed(step: str, work: Callable[..., Any], note: Note) -> Callable[..., Any]:
    """The same coroutine function, which notes what each call took."""

    @functools.wraps(work)
    async def wrapper(*arguments: Any, **options: Any) -> Any:
        began, used = time.perf_counter(), time.process_time()
        try:
            return await work(*arguments, **options)
        finally:
            note(step, time.perf_counter() - began, time.process_time() - used)

    return wrapper


def _instrument(file: str) -> None:
    def note(step: str, wall_s: float, cpu_s: float) -> None:
        with open(file, "a", encoding="utf-8") as lines:  # noqa: PTH123 - some 30 µs
            lines.write(json.dumps({"step": step, "wall_s": wall_s, "cpu_s": cpu_s}) + "\n")

    for step, target in STEPS.items():
        place, name = place_of(step, target)
        setattr(place, name, timed(step, getattr(place, name), note))


if __name__ == "__main__":
    _instrument(os.environ["BENCH_STEPS"])
    main()
