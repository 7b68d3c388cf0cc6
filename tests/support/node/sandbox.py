"""Namespaces in which the processes of a node live and with which they end.

PID 1 of the PID namespace reads a pipe whose other end only the test run holds. When the run ends, by any signal, the
pipe ends, and PID 1 kills every process of the namespace and removes its control groups. The mounts go with the mount
namespace, and all state lies on tmpfs in it. The network namespace is the test run's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.node import cgroups
from tests.support.processes import Process, wait_for
from tests.support.startable import Startable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Where the state of a node is, seen from inside.
STATE = Path("/run/node")
#: What kubelet wants these settings of the whole machine to be; it would write them (kubelet's setupKernelTunables).
_KERNEL_AS_KUBELET_WANTS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
}
_NAMESPACES = ("--mount", "--uts", "--pid")
_ENDING_TIMEOUT_S = 20.0


class NodeImpossibleError(Exception):
    """Says why this machine, or this container, lets nobody make what a node lives in."""


class Sandbox(Startable):
    """Mount, UTS and PID namespaces for one node; `environment` is what its programs find."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, own_network: bool = False, prepare: str = ""
    ) -> None:
        """Remember what the namespaces are to be; `prepare` is what a shell does in them before anything else runs."""
        self.folder = folder
        self.environment = dict(environment)
        self._namespaces = (*_NAMESPACES, "--net") if own_network else _NAMESPACES
        self._prepare = prepare
        self._first: subprocess.Popen[bytes] | None = None
        self._held = -1

    def start(self) -> None:
        """Enter the namespaces and mount what is private in them.

        Raises:
            NodeImpossibleError: control groups or namespaces are forbidden here.
        """
        try:
            cgroups.sweep()
            cgroups.create()
        except OSError as error:
            raise NodeImpossibleError(f"no control groups for a node: {error}") from error
        self.folder.mkdir(parents=True, exist_ok=True)
        reading, self._held = os.pipe()
        script = self._script()
        argv = [
            _unshare(),
            *self._namespaces,
            "--fork",
            "--mount-proc",
            "--propagation=private",
            "/bin/sh",
            "-ec",
            script,
        ]
        with (self.folder / "pid-1.log").open("ab") as log:
            self._first = subprocess.Popen(
                argv, stdin=reading, stdout=log, stderr=log, start_new_session=True, env=self.environment
            )
        os.close(reading)
        ready = self.folder / "ready"
        wait_for(lambda: ready.exists() or self._ended(), timeout_s=20, what="the namespaces of the node")
        if self._ended():
            said = (self.folder / "pid-1.log").read_text()[-500:]
            raise NodeImpossibleError(f"no namespaces for a node: {said}")

    def stop(self) -> None:
        """Close the pipe and wait until nothing is left."""
        if self._held >= 0:
            os.close(self._held)
            self._held = -1
        if self._first is not None:
            self._first.wait(_ENDING_TIMEOUT_S)

    def process(self, name: str, argv: Sequence[str | Path]) -> Process:
        """A process inside, not yet started; its log is kept outside."""
        return Process(name, self.entering(*argv), self.folder / f"{name}.log", env=self.environment)

    def restarting(self, name: str, argv: Sequence[str | Path]) -> Process:
        """A process inside that begins again whenever it ends."""
        loop = 'while :; do "$@"; sleep 0.5; done'
        return self.process(name, ["/bin/sh", "-c", loop, name, *argv])

    def run(self, *argv: str | Path, timeout_s: float = 120.0) -> str:
        """Run a program inside to its end and return what it printed."""
        command = [str(part) for part in self.entering(*argv)]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=timeout_s
        )
        if done.returncode:
            raise AssertionError(f"{argv[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def write(self, path: Path, text: str) -> Path:
        """Write a file of the state, and return its path as it is seen inside."""
        self.outside(path).parent.mkdir(parents=True, exist_ok=True)
        self.outside(path).write_text(text)
        return path

    def outside(self, path: Path) -> Path:
        """The path at which the test run finds a file of the node."""
        return Path(f"/proc/{self.pid_1()}/root") / path.relative_to("/")

    def _ended(self) -> bool:
        return self._first is None or self._first.poll() is not None

    def entering(self, *argv: str | Path) -> list[str | Path]:
        """Return the command that runs a program inside."""
        return ["nsenter", f"--target={self.pid_1()}", *self._namespaces, *argv]

    def pid_1(self) -> int:
        """PID 1 of the namespace as the test run sees it: the only child of unshare."""
        if self._first is None:
            raise RuntimeError("the namespaces were not made")
        pid = self._first.pid
        end = time.monotonic() + 5
        while time.monotonic() < end:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if children:
                return int(children[0])
        raise RuntimeError("PID 1 of the namespaces has ended")

    def _script(self) -> str:
        groups = " ".join(str(group) for group in _groups())
        tunables = "\n".join(
            f"echo {value} >{STATE}/sys-{number}; mount --bind {STATE}/sys-{number} /proc/sys/{setting}"
            for number, (setting, value) in enumerate(_KERNEL_AS_KUBELET_WANTS.items())
        )
        return f"""
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs tmpfs /var/log
mount -t tmpfs tmpfs /var/lib
mkdir -p {STATE} /run/lock /var/lib/cni
{tunables}
echo 1 >/proc/sys/net/ipv4/ip_forward
{self._prepare}
touch {self.folder}/ready
cat >/dev/null || true
set +e
kill -9 -1
for again in 1 2 3 4 5 6 7 8 9 10; do
  find {groups} -depth -type d -exec rmdir {{}} + 2>/dev/null
  left=
  for group in {groups}; do [ ! -d "$group" ] || left=yes; done
  [ -n "$left" ] || break
  sleep 0.1
done
exit 0
"""


def _groups() -> list[Path]:
    return [hierarchy / cgroups.name() for hierarchy in cgroups.hierarchies()]


def _unshare() -> str:
    found = shutil.which("unshare")
    if found is None:
        raise FileNotFoundError("unshare (util-linux) is missing")
    return found
