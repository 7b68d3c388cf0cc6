"""Run child processes with a log file, which never outlive the test run."""

from __future__ import annotations

import concurrent.futures
import ctypes
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

from tests.support.loopback import close_all, listen, localhost_addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

HTTPS_PORT = 443

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)

# The kernel sends the parent-death signal when the *thread* that forked ends. Tests start processes from all kinds of
# threads, so all of them are forked by this one, which lives as long as the test run does.
_FORKER = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")


class ProcessFailedError(Exception):
    """A child process ended, or was not ready in time; carries the end of its log."""


class Process:
    """One child process; its standard output and error are appended to a log file."""

    def __init__(
        self, name: str, argv: Sequence[str | Path], log_file: Path, *, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.argv = [str(argument) for argument in argv]
        self.log_file = log_file
        self.env = dict(os.environ if env is None else env)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running process."""
        if self._child is None:
            raise ProcessFailedError(f"{self.name} was not started")
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """The exit code of the last process, negative for a signal; None while it runs."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Start the process; it is not ready yet."""
        if self.running:
            raise ProcessFailedError(f"{self.name} is already running")
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self._child = _FORKER.submit(self._fork).result()

    def kill(self) -> None:
        """End the process by SIGKILL and wait until it is gone, so that its port is free again."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def terminate(self, timeout_s: float = 30.0) -> float:
        """End the process by SIGTERM and return the seconds that took.

        Raises:
            ProcessFailedError: it was still there after `timeout_s`; it is killed then.
        """
        if self._child is None:
            return 0.0
        began = time.monotonic()
        self._child.terminate()
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProcessFailedError(f"{self.name} ignored SIGTERM for {timeout_s:.0f} s{self.log_tail()}") from None
        return time.monotonic() - began

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float = 30.0, what: str = "ready") -> float:
        """Poll until `ready` says yes and return the seconds that took.

        An OSError of `ready` means "not yet": a server that starts refuses connections.

        Raises:
            ProcessFailedError: the process ended, or `timeout_s` passed.
        """
        began = time.monotonic()
        while time.monotonic() - began < timeout_s:
            if not self.running:
                raise ProcessFailedError(f"{self.name} ended with code {self.returncode}{self.log_tail()}")
            if _holds(ready):
                return time.monotonic() - began
            time.sleep(0.05)
        raise ProcessFailedError(f"{self.name} was not {what} within {timeout_s:.0f} s{self.log_tail()}")

    def log(self) -> str:
        """Return everything the process has printed so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log_tail(self, lines: int = 25) -> str:
        """Return the end of the log, as the end of an error message."""
        tail = self.log().splitlines()[-lines:]
        return f"; the end of {self.log_file.name}:\n" + "\n".join(tail)

    def _fork(self) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                start_new_session=True,  # Ctrl-C at the terminal is for pytest alone
                preexec_fn=_DieWithParent(os.getpid()),  # noqa: PLW1509 - calls nothing but prctl and getppid
            )


class _DieWithParent:
    """Run in the child before exec: asks the kernel for SIGKILL when the parent ends."""

    def __init__(self, parent: int) -> None:
        self.parent = parent

    def __call__(self) -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self.parent:  # it ended before we asked
            os._exit(1)


def wait_for(condition: Callable[[], bool], *, timeout_s: float, what: str) -> float:
    """Poll a condition (an OSError means "not yet") and return the seconds that took.

    Raises:
        TimeoutError: it did not hold within `timeout_s`.
    """
    began = time.monotonic()
    while not _holds(condition):
        if time.monotonic() - began > timeout_s:
            raise TimeoutError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - began


def https_origin(port: int) -> str:
    """Return the origin of an HTTPS server on localhost, which names no port when that is 443."""
    return "https://localhost" if port == HTTPS_PORT else f"https://localhost:{port}"


def free_port() -> int:
    """Return a TCP port that is free on every address of localhost."""
    sockets = listen()
    port: int = sockets[0].getsockname()[1]
    close_all(sockets)
    return port


def accepts_connections(address: str, port: int) -> bool:
    """Return whether a server accepts connections there."""
    try:
        with socket.create_connection((address, port), timeout=1.0):
            return True
    except OSError:
        return False


def localhost_accepts(port: int) -> bool:
    """Return whether a server accepts connections at every address of localhost."""
    return all(accepts_connections(address, port) for address in localhost_addresses())


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except OSError:
        return False
