"""The node leaves nothing behind, however the run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.node import cgroups
from tests.support.processes import wait_for

pytestmark = pytest.mark.own_node
ROOT = Path(__file__).resolve().parents[2]
_RUN = """
import sys, time
from pathlib import Path
from hack.testbed import debian, node
from tests.support.node.sandbox import Sandbox
sandbox = Sandbox(Path(sys.argv[1]), {**debian.environment(node.unpacked("node")), "HOME": "/"})
sandbox.start()
sandbox.process("pod", ["sleep", "987654"]).start()
print("started", flush=True)
time.sleep(600)
"""


def processes(words: str) -> list[str]:
    """The process IDs of all processes whose command line ends with some words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            continue
        found += [folder.name] if line.endswith(words) else []
    return found


def test_nothing_is_left_after_a_run_that_was_killed(tmp_path: Path) -> None:
    """SIGKILL gives nobody time to clean up; PID 1 of the namespaces does it when its pipe ends."""
    argv = [sys.executable, "-c", _RUN, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"started\n"
        groups = [h / f"oidc-publisher-node-{run.pid}" for h in cgroups.hierarchies()]
        assert groups
        assert all(group.is_dir() for group in groups)
        wait_for(lambda: bool(processes("sleep 987654")), timeout_s=10, what="the process inside")
        run.send_signal(signal.SIGKILL)
    wait_for(lambda: not processes("sleep 987654"), timeout_s=10, what="no process is left")
    wait_for(lambda: not any(group.exists() for group in groups), timeout_s=10, what="no control group is left")


def test_the_groups_of_a_run_that_ended_are_swept() -> None:
    """A machine that lost its power leaves empty groups behind, which are named after a process that is gone."""
    hierarchy = cgroups.hierarchies()[0]
    gone = subprocess.Popen(["true"])
    gone.wait()
    stale = hierarchy / f"oidc-publisher-node-{gone.pid}"
    (stale / "pods" / "one").mkdir(parents=True)
    cgroups.sweep()
    assert not stale.exists()
