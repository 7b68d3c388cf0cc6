"""What the imports of `oidc-publisher run` cost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter

from hack.benchmark.figures import Chapter, Figure
from hack.benchmark.options import Amount

#: What `run` imports; as it does, without rich, which structlog would import.
IMPORT = (
    "import sys; sys.modules.setdefault('rich', None)\n"
    "import oidc_publisher.cli.run.command, oidc_publisher.controller.operator, oidc_publisher.reconcile.reconciler,"
    " oidc_publisher.telemetry.health, oidc_publisher.telemetry.logs"
)
_TIMED = f"""
import time; began = time.perf_counter(); used = time.process_time()
{IMPORT}
print(time.perf_counter() - began, time.process_time() - used)
print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmRSS')))
"""
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +(\S+)")
_SHOWN = 14
_METHOD = """\
A fresh interpreter imports what `run` imports, from compiled bytecode. Where it goes: `python -X importtime`, own time of
the modules summed by package, the median of several runs; it includes what a package does while it is imported."""


def measure(amount: Amount) -> Chapter:
    """Import in fresh interpreters."""
    runs = [_python("-c", _TIMED).stdout.split() for _ in range(amount.imports)]
    traces = [_own_ms(_python("-X", "importtime", "-c", IMPORT).stderr) for _ in range(amount.imports)]
    figures = (
        Figure("Imports of run", "s", tuple(float(run[0]) for run in runs)),
        Figure("Imports of run, CPU", "s", tuple(float(run[1]) for run in runs)),
        Figure("Resident memory after the imports", "MiB", tuple(int(run[2]) / 1024 for run in runs)),
    )
    middle = sorted(traces, key=lambda trace: trace.total())[len(traces) // 2]
    rows = [(package, f"{own:.0f}") for package, own in middle.most_common(_SHOWN)]
    rest = middle.total() - sum(own for _, own in middle.most_common(_SHOWN))
    details = (("package", "own ms"), *rows, ("all others", f"{rest:.0f}"))
    return Chapter("Imports", _METHOD, figures, details)


def _own_ms(trace: str) -> Counter[str]:
    """Own milliseconds by package; ours by its parts."""
    own: Counter[str] = Counter()
    for microseconds, module in _LINE.findall(trace):
        parts = module.split(".")
        own[".".join(parts[: 2 if parts[0] == "oidc_publisher" else 1])] += int(microseconds) / 1000  # type: ignore[assignment]
    return own


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, env=env)
