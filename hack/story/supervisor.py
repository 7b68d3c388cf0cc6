"""Runs the demo in a child process and leaves nothing behind, however it ends.

    this process ──fork──▶ the story ──▶ etcd, kube-apiserver, versitygw, the operator, kubectl

This process does nothing but wait, for the child's end or for a signal, so there is no moment at which Ctrl-C could catch
it half-way through something. Then it kills the child. Each process further down asked the kernel to be killed when its
parent ends (tests/support/processes.py), so all of them follow; as their "subreaper" this process inherits and awaits
them, and removes the temporary folder when the last one is gone. SIGKILL of this process has the same effect by the same
chain, except that the folder stays.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

Story = Callable[[Path], int]

_ENDINGS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "the end of the terminal"}
AWAITED = {*_ENDINGS, signal.SIGCHLD}
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_S = 10.0
_CLEAR_LINE_AND_SHOW_CURSOR = "\r\x1b[K\x1b[?25h"


def supervise(story: Story) -> int:
    """Run the story with a temporary folder of its own and return the exit code: its own, or 128 + signal.

    Signals are blocked already (AWAITED), and wait until this function asks for them.
    """
    if sys.platform != "linux":
        print("demo: it needs Linux, whose kernel ends the servers when the demo ends.", file=sys.stderr)
        return 1
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    folder = Path(tempfile.mkdtemp(prefix="oidc-publisher-demo-"))
    child = _fork(story, folder)
    code, ending = _wait(child)
    left = _end_all(child)
    shutil.rmtree(folder, ignore_errors=True)
    _say_goodbye(code, ending, left=left, folder=folder)
    return code


def _fork(story: Story, folder: Path) -> int:
    """Start the child; only the parent returns."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)
        # The terminal sends Ctrl-C to this process too. Handlers, unlike an ignored signal, are not inherited by exec.
        for number in _ENDINGS:
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
        code = story(folder)
    except ImportError as error:
        print(f"demo: {error}. Start it by `make demo`, or with .venv/bin/python.", file=sys.stderr)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)


def _wait(child: int) -> tuple[int, str | None]:
    """Wait for the child's end or a signal: the exit code, and what ended it early."""
    while True:
        number = signal.Signals(signal.sigwait(AWAITED))
        if number in _ENDINGS:
            return 128 + number, _ENDINGS[number]
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid == 0:
            continue
        code = os.waitstatus_to_exitcode(status)
        return (code, None) if code >= 0 else (1, f"{signal.Signals(-code).name} of its own process")


def _end_all(child: int) -> list[int]:
    """Kill the child and await everything that comes down to us; returns what is still there, normally nothing."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                for pid in _children():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.01)
        except ChildProcessError:
            return []
    return _children()


def _children() -> list[int]:
    with contextlib.suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    return []


def _say_goodbye(code: int, ending: str | None, *, left: list[int], folder: Path) -> None:
    terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    start = _CLEAR_LINE_AND_SHOW_CURSOR if terminal else ""
    gone = "no process and no file is left"
    if left or folder.exists():
        gone = f"but these are left: {' '.join(str(one) for one in [*left, folder])}"
    said = f"\nEnded by {ending}; {gone}." if ending else f"Cleaned up: {gone}."
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(f"{start}{said}", file=sys.stderr if code == 1 else sys.stdout, flush=True)
