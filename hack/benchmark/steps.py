"""How the time of a resting pass divides among its steps."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Container
from dataclasses import replace
from pathlib import Path

from hack.benchmark import audit
from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.options import Amount
from hack.benchmark.parts import Parts
from hack.benchmark.stepdriver import LONGEST_TURN, STEPS, WHOLE_PASS
from hack.benchmark.watch import Watch, is_ready
from tests.support.operatorprocess import OperatorProcess
from tests.support.signingkeys import signing_key

_DRIVER = Path(__file__).with_name("stepdriver.py")
_NAME = "steps"
#: What the driver writes down in every pass.
_EVERY_PASS = tuple(STEPS)
_METHOD = """\
The same program with a clock around each step, in the process; an issuer at rest, interval 1 s. Steps wait for servers, so
wall time is more than CPU. The CPU is that of the whole process. The S3 server closes the connection after each answer
here, as in all other figures; Amazon's keeps it, which saves most TLS handshakes of a pass: two more figures. The last ones
are of an issuer with a full ledger, 512 keys in a ConfigMap, of which 101 are published: the CPU time of a pass, and of
the longest turn of the event loop in it, for which every other issuer waits."""
_KEPT = ("read", WHOLE_PASS)
_FULL = 512
_FULL_NAME = "full"
_FULL_OBJECT = {"namespace": "default", "name": "full-ledger"}
#: Nothing on the event loop may take longer, whatever an issuer has.
_LONGEST_TURN = Target(50, by="median")
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
    return Chapter("Steps of a resting pass", _METHOD, (*figures, *kept, *_of_a_full_ledger(parts, amount)))


def _of_a_full_ledger(parts: Parts, amount: Amount) -> tuple[Figure, ...]:
    """The same of an issuer whose ledger holds as many keys as a ledger may."""
    record = parts.folder / "full.jsonl"
    record.unlink(missing_ok=True)
    pems = {f"{number:03}.pub": signing_key("P-256", f"full {number}").public_pem.decode() for number in range(_FULL)}
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    parts.cluster.create({**kind, "metadata": _FULL_OBJECT, "data": pems})
    issuer = parts.issuer(_FULL_NAME, interval="1s")
    source = {"name": "full", "configMap": {**_FULL_OBJECT, "entryPattern": r"(?P<version>[0-9]+)\.pub"}}
    issuer["spec"]["keySources"] = [{"name": "api", "apiServer": {}}, source]
    operator = parts.operator(driver=_DRIVER, env={"BENCH_STEPS": str(record), "BENCH_TURNS": "yes"})
    operator.process.start()
    try:
        parts.create(issuer)
        time.sleep(amount.rest_s)
        lines = _next_lines(operator, record, amount)
    finally:
        operator.kill()
    parts.clear()
    parts.cluster.delete("v1", "ConfigMap", _FULL_OBJECT["name"], namespace=_FULL_OBJECT["namespace"])
    found = _figures(lines, only=(WHOLE_PASS, LONGEST_TURN), where=f", {_FULL} keys")
    turn = f"{LONGEST_TURN}, CPU, {_FULL} keys"
    return tuple(
        replace(figure, target=_LONGEST_TURN) if figure.what == turn else figure
        for figure in found
        if ", CPU" in figure.what
    )


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
