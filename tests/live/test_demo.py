"""`make demo` as a stranger runs it: it tells its story, and leaves nothing behind, however it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "hack" / "demo.py"
HEADINGS = [
    "Start the parts",
    "Install the CRD and describe an issuer",
    "Apply it and watch it become Ready",
    "Look at what the world sees",
    "Mint a token through each API server and verify it as a stranger",
    "Somebody deletes the published key set",
    "Somebody blocks anonymous access to the bucket",
    "Rotate the signing key while tokens are being verified",
    "Summary",
]


MANAGED_HEADINGS = [
    *HEADINGS[:3],
    "Put a signer beside each API server",
    "Let the API servers sign by their signers",
    "Ask for version 2, and do nothing else",
    "Version 3, while signers are killed",
    "Summary",
]


@pytest.mark.timeout(240)
def test_the_demo_tells_its_story_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """In CI: plain lines, every step in its order, no live token rejected, exit code 0."""
    with _demo(tmp_path, CI="true") as demo:
        output, errors = demo.communicate(timeout=230)
    assert demo.returncode == 0, output + errors
    assert re.findall(r"^== \d/9 (.*)$", output, re.MULTILINE) == HEADINGS
    assert "rejected tokens: 0" in output
    assert "Served: AccessBlocked" in output
    assert "\x1b" not in output
    assert not errors
    _assert_nothing_left(tmp_path)


@pytest.mark.timeout(240)
def test_the_demo_of_managed_keys_reaches_version_3(short_path: Path) -> None:
    """From sa.key, under verified tokens and two kills; no live token rejected, and nothing left."""
    with _demo(short_path, "--managed", CI="true") as demo:
        output, errors = demo.communicate(timeout=230)
    assert demo.returncode == 0, output + errors
    assert re.findall(r"^== \d/8 (.*)$", output, re.MULTILINE) == MANAGED_HEADINGS
    assert "rejected tokens: 0" in output
    assert "Version 3 signs everywhere" in output
    assert not errors
    _assert_nothing_left(short_path)


@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGINT, "Ended by Ctrl-C"), (signal.SIGTERM, "Ended by SIGTERM")], ids=["int", "term"]
)
def test_a_signal_ends_the_demo_calmly(tmp_path: Path, number: signal.Signals, said: str) -> None:
    """While servers start: 128 + signal, one line, no traceback, no process and no file."""
    with _demo(tmp_path) as demo:
        _wait_for_process(tmp_path, "kube-apiserver")
        os.killpg(demo.pid, number)  # as the terminal does
        output, errors = demo.communicate(timeout=15)
    assert demo.returncode == 128 + number
    assert output.splitlines()[-1] == f"{said}; no process and no file is left."
    assert not errors
    _assert_nothing_left(tmp_path)


def test_processes_do_not_outlive_a_killed_demo(tmp_path: Path) -> None:
    """SIGKILL cannot be handled, and still nothing goes on running."""
    with _demo(tmp_path) as demo:
        _wait_for_process(tmp_path, "kube-apiserver")
        demo.kill()
        demo.wait(5)
        end = time.monotonic() + 10
        while _processes(tmp_path) and time.monotonic() < end:
            time.sleep(0.05)
        assert not _processes(tmp_path)


def test_what_is_missing_is_said_in_one_sentence(tmp_path: Path) -> None:
    """Without the built servers: which, and what to run."""
    with _demo(tmp_path, XDG_CACHE_HOME=str(tmp_path / "empty"), KUBEBUILDER_ASSETS="") as demo:
        _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 1
    assert "FAILED versitygw is not in" in errors
    assert "Traceback" not in errors
    _assert_nothing_left(tmp_path)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with a short name, as /tmp is: a Unix socket below it has a path of 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _demo(folder: Path, *options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo with its temporary files in `folder`, by which its processes are known."""
    process = subprocess.Popen(
        [sys.executable, DEMO, *options],
        env={**os.environ, "TMPDIR": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()


def _wait_for_process(folder: Path, name: str) -> None:
    end = time.monotonic() + 30
    while not any(name in command for command in _processes(folder)):
        assert time.monotonic() < end, f"no {name} was started"
        time.sleep(0.02)


def _processes(folder: Path) -> list[str]:
    """The command lines of all processes that know `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if str(folder).encode() in command + (process / "environ").read_bytes():
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found


def _assert_nothing_left(folder: Path) -> None:
    assert _processes(folder) == []
    assert list(folder.iterdir()) == []
