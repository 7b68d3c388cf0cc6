"""How the time of a resting pass divides among its steps."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Container
from pathlib import Path

from hack.benchmark import audit
from hack.benchmark.figures import Chapter, Figure
from hack.benchmark.options import Amount
from hack.benchmark.parts import Parts
from hack.benchmark.stepdriver import STEPS, WHOLE_PASS
from hack.benchmark.watch import Watch, is_ready
from tests.support.operatorprocess import OperatorProcess

_DRIVER = Path(__file__).with_name("stepdriver.py")
_NAME = "steps"
#: What the driver writes down in every pass.
_EVERY_PASS = tuple(STEPS)
_METHOD = """\
The same program with a clock around each step, in the process; an issuer at rest, interval 1 s. Steps wait for servers, so
wall time is more than CPU. The CPU is that of the whole process. The S3 server closes the connection after each answer
here, as in all other figures; Amazon's keeps it, which saves most TLS handshakes of a pass: the last two figures. The
picture is drawn by `hack/draw_flamegraph.py`, with connections kept.

![A flame graph of a resting pass](../images/pass-flamegraph.svg)"""
_KEPT = ("read", WHOLE_PASS)
#: After S3 was away: a failed pass, its repetition, and one more until all is as before.
_RECOVERY_S = 6.0


def measure(parts: Parts, amount: Amount) -> Chapter:
    """Run the operator with its steps timed, first with an S3 server that closes, then with one that keeps."""
    parts.clear()
    record = parts.folder / "steps.jsonl"
    record.unlink(missing_ok=True)
    operator = parts.operator(driver=_DRIVER, env={"BENCH_STEPS": str(record)})
    since = time.time()
    operator.process.start()
    try:
        parts.audit.wait(audit.is_list, since=since)
        with Watch(parts.cluster) as watch:
            parts.create(parts.issuer(_NAME, interval="1s"))
            watch.wait(lambda event: is_ready(event, _NAME), timeout_s=30, what="Ready")
        time.sleep(amount.rest_s)
        figures = _figures(_next_lines(operator, record, amount))
        with parts.kept_connections():
            time.sleep(_RECOVERY_S)
            kept = _figures(_next_lines(operator, record, amount), only=_KEPT, where=", connections kept")
    finally:
        operator.kill()
    parts.clear()
    kept = tuple(figure for figure in kept if ", CPU" in figure.what)
    return Chapter("Steps of a resting pass", _METHOD, (*figures, *kept))


def _next_lines(operator: OperatorProcess, record: Path, amount: Amount) -> list[str]:
    """The lines of the next passes."""
    skipped = len(_lines(record))
    end = time.monotonic() + 10 * amount.step_passes
    while len(_lines(record)) < skipped + (amount.step_passes + 1) * len(_EVERY_PASS):
        time.sleep(0.2)
        if not operator.process.running or time.monotonic() > end:
            raise RuntimeError(f"no {amount.step_passes} passes{operator.process.log_tail()}")
    return _lines(record)[skipped:]


def _lines(record: Path) -> list[str]:
    return record.read_text().splitlines() if record.exists() else []


def _figures(lines: list[str], *, only: Container[str] = _EVERY_PASS, where: str = "") -> tuple[Figure, ...]:
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for line in lines:
        found = json.loads(line)
        times[found["step"], "wall"].append(found["wall_s"] * 1000)
        times[found["step"], "CPU"].append(found["cpu_s"] * 1000)
    return tuple(
        Figure(f"{step}, {kind}{where}", "ms", tuple(samples))
        for (step, kind), samples in times.items()
        if step in only
    )
