"""The benchmark measures every step that it names, or ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hack.benchmark.stepdriver import STEPS, place_of

DRIVER = Path(__file__).parents[2] / "hack" / "benchmark" / "stepdriver.py"


@pytest.mark.parametrize("step", STEPS)
def test_every_step_is_where_the_table_says(step: str) -> None:
    """Whoever moves one corrects the table: performance.md had lost two rows, and nobody noticed."""
    place, name = place_of(step, STEPS[step])
    assert callable(getattr(place, name))


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("oidc_publisher.controller.nowhere:read_all", "is not at"),
        ("oidc_publisher.reconcile.reconciler:Reconciler._report", "is not at"),
        ("oidc_publisher.reconcile.reconciler:Outcome", "is no coroutine function"),
    ],
)
def test_a_step_that_is_gone_ends_the_driver(target: str, why: str) -> None:
    """It is not left out."""
    with pytest.raises(SystemExit, match=why):
        place_of("report", target)


def test_the_driver_runs_the_command(tmp_path: Path) -> None:
    """With everything instrumented the program is what it was."""
    env = {**os.environ, "BENCH_STEPS": str(tmp_path / "steps.jsonl"), "BENCH_TURNS": "yes"}
    done = subprocess.run(
        [sys.executable, DRIVER, "version"], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
