"""Child processes end with the run that started them, and say why they failed."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.processes import Process, ProcessFailedError, wait_for

REPOSITORY = Path(__file__).parents[2]
RUNNER = """
import sys, time
from pathlib import Path
from tests.support.processes import Process
child = Process("sleep", ["sleep", "600"], Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""


def shell(script: str, tmp_path: Path) -> Process:
    return Process("script", ["sh", "-c", script], tmp_path / "log")


def test_a_killed_run_leaves_no_process_behind(tmp_path: Path) -> None:
    """SIGKILL of the runner, which no cleanup survives, takes its children along."""
    argv = [sys.executable, "-c", RUNNER, str(tmp_path / "log")]
    with subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        child = Path("/proc") / runner.stdout.readline().strip()
        assert child.exists()
        runner.kill()
    wait_for(lambda: not child.exists() or "Z" in (child / "stat").read_text(), timeout_s=5, what="the child is gone")


def test_a_process_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    """Starting a server from a worker thread does not tie it to that thread."""
    child = shell("sleep 600", tmp_path)
    thread = threading.Thread(target=child.start)
    thread.start()
    thread.join()
    assert wait_for(lambda: child.running, timeout_s=1, what="running") < 1
    threading.Event().wait(0.2)
    assert child.running
    child.kill()
    assert not child.running


def test_a_process_that_ends_early_shows_its_log(tmp_path: Path) -> None:
    """The error carries the exit code and the end of the log."""
    child = shell("echo cannot bind; exit 3", tmp_path)
    child.start()
    with pytest.raises(ProcessFailedError, match=r"(?s)ended with code 3.*cannot bind"):
        child.wait_until(lambda: False, timeout_s=5)


def test_a_process_that_is_never_ready_is_reported(tmp_path: Path) -> None:
    """Waiting ends after its time."""
    child = shell("sleep 600", tmp_path)
    child.start()
    with pytest.raises(ProcessFailedError, match="not ready within"):
        child.wait_until(lambda: False, timeout_s=0.2)
    child.kill()


def test_stopping_is_measured(tmp_path: Path) -> None:
    """SIGTERM's time is returned; a process that ignores it is killed and reported."""
    child = shell("exec sleep 600", tmp_path)
    child.start()
    assert child.terminate() < 1
    assert child.returncode == -15
    stubborn = shell("trap '' TERM; echo ready; while :; do sleep 0.1; done", tmp_path)
    stubborn.start()
    stubborn.wait_until(lambda: "ready" in stubborn.log())
    with pytest.raises(ProcessFailedError, match="ignored SIGTERM"):
        stubborn.terminate(0.3)
    assert not stubborn.running
