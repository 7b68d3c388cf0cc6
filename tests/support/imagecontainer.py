"""Run the built image in a container with exactly the restrictions of the chart's pod: by runc, without a kubelet.

buildah mounts the image. The container shares the network of the tests, as everything of theirs is on loopback.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.support.processes import Process
from tests.support.secretscan import watch_log

#: The engines' default seccomp profile (Debian's golang-github-containers-common); containerd's RuntimeDefault is its kin.
SECCOMP_PROFILE = Path("/usr/share/containers/seccomp.json")
_ARCHITECTURES = {"x86_64": ("amd64", "SCMP_ARCH_X86_64"), "aarch64": ("arm64", "SCMP_ARCH_AARCH64")}
# What containerd hides and write-protects in every container that is not privileged.
_MASKED = ("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/scsi")
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

Object = dict[str, Any]


class Image:
    """An image in buildah's store: its configuration, and its root file system once it is mounted."""

    def __init__(self, name: str, root: Path) -> None:
        self.root = root
        self.config: Object = json.loads(_said("buildah", "inspect", "--type", "image", name))["OCIv1"]["config"]

    @classmethod
    @contextmanager
    def mounted(cls, name: str) -> Iterator[Self]:
        """Mount the image for the length of a with statement."""
        container = _said("buildah", "from", "--pull-never", name)
        try:
            yield cls(name, Path(_said("buildah", "mount", container)))
        finally:
            _said("buildah", "rm", container)


class Container:
    """The image's entrypoint with `arguments`, as the user `uid`:`gid`; `files` are mounted read-only by their path."""

    def __init__(
        self,
        folder: Path,
        image: Image,
        arguments: tuple[str, ...],
        *,
        uid: int,
        gid: int,
        env: Mapping[str, str],
        files: Mapping[str, Path],
    ) -> None:
        self._name = f"oidc-publisher-{folder.name}"
        self._state = folder / "runc"
        folder.mkdir(parents=True, exist_ok=True)
        user = {"uid": uid, "gid": gid, "umask": 0o22}
        specification = _specification(image, arguments, user, env, files)
        (folder / "config.json").write_text(json.dumps(specification))
        run = ("runc", "--root", self._state, "run", "--bundle", folder, self._name)
        watch_log(folder / "container.log", {**env, "KUBECONFIG": str(files.get(env.get("KUBECONFIG", ""), ""))})
        self.process = Process("image", run, folder / "container.log")

    def __enter__(self) -> Self:
        """Start it."""
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever its state."""
        subprocess.run(["runc", "--root", self._state, "delete", "--force", self._name], check=False)
        self.process.kill()

    def cpu_s(self) -> float:
        """Return the seconds of CPU that its first process has used, user and system: no other load is in them."""
        after_the_name = Path(f"/proc/{self._pid()}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, after_the_name[11:13])) / os.sysconf("SC_CLK_TCK")

    def status(self) -> dict[str, str]:
        """Return what the kernel says of its first process (/proc/PID/status)."""
        lines = Path(f"/proc/{self._pid()}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def _pid(self) -> int:
        pid: int = json.loads(_said("runc", "--root", str(self._state), "state", self._name))["pid"]
        return pid


def why_not() -> str:
    """Return what is missing here to run an image, empty if nothing is."""
    missing = [tool for tool in ("buildah", "runc") if shutil.which(tool) is None]
    missing += [] if SECCOMP_PROFILE.exists() else [str(SECCOMP_PROFILE)]
    return f"missing: {', '.join(missing)}" if missing else ""


def _specification(
    image: Image, arguments: tuple[str, ...], user: Object, env: Mapping[str, str], files: Mapping[str, Path]
) -> Object:
    """Return the OCI runtime specification (config.md, config-linux.md of opencontainers/runtime-spec)."""
    flags = ["nosuid", "nodev"]
    of_the_node = {path: Path(path) for path in ("/etc/hosts", "/etc/resolv.conf")}  # the kubelet mounts its own
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": [*flags, "mode=1777"]},  # noqa: S108
        *(
            {"destination": path, "type": "bind", "source": str(file), "options": ["bind", "ro"]}
            for path, file in {**of_the_node, **files}.items()
        ),
    ]
    return {
        "ociVersion": "1.0.2",
        "root": {"path": str(image.root), "readonly": True},
        "process": {
            "user": user,
            "args": [*image.config["Entrypoint"], *arguments],
            "env": [*image.config["Env"], *(f"{name}={value}" for name, value in env.items())],
            "cwd": image.config.get("WorkingDir") or "/",
            "capabilities": {kind: [] for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")},
            "noNewPrivileges": True,
        },
        "mounts": mounts,
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
            "maskedPaths": _MASKED,
            "readonlyPaths": _READ_ONLY,
            "seccomp": _seccomp(json.loads(SECCOMP_PROFILE.read_text())),
        },
    }


def _seccomp(profile: Object) -> Object:
    """Return an engine's profile as the runtime wants it: the rules for this machine and for no capability."""
    machine, architecture = _ARCHITECTURES[platform.machine()]
    rules = [
        {name: rule[name] for name in ("names", "action", "args", "errnoRet") if rule.get(name) is not None}
        for rule in profile["syscalls"]
        if not rule["includes"].get("caps")
        and machine in rule["includes"].get("arches", [machine])
        and machine not in rule["excludes"].get("arches", [])
    ]
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
        "architectures": [architecture],
        "syscalls": rules,
    }


def _said(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout.strip()
