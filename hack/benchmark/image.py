"""The size of the built image, and the time from its container's start to the first reconcile."""

from __future__ import annotations

import stat
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from hack.benchmark import audit
from hack.benchmark.figures import Chapter, Figure, NothingToMeasureError, Target
from hack.benchmark.lifecycle import QUIET_S, one_ready_issuer
from hack.benchmark.options import Amount
from hack.benchmark.parts import PROBE, ROOT, Parts
from tests.support.imagecontainer import Container, Image, why_not
from tests.support.processes import free_port

_NAME = "image"
_USER = 65532
_KUBECONFIG = "/etc/oidc-publisher/kubeconfig"
_MB = 1e6  # as registries and engines count
_DEPENDENCIES, _PACKAGE, _BYTECODE, _BASE = (
    "locked dependencies", "the package", "bytecode of the standard library", "the base"
)  # fmt: skip
_METHOD = """\
The image as `make image` built it, version {version} at commit {revision}. Its size is the sum of its files, unpacked; each
file counts once. Each container has the restrictions of the chart's pod: no capability, seccomp, a read-only root and
user {user}. runc runs it without a kubelet, and the time of runc itself is in it. The time runs from before `runc run` until the
API server is asked for the issuer, which exists and was Ready before, and until the last request of that pass is answered.
The CPU is that of the operator; where it is much less than the time, the machine was busy with other things."""


class _Start(NamedTuple):
    begun_s: float  # from before `runc run` to the first read of the issuer
    ended_s: float  # to the last answer of that pass
    cpu_s: float  # of the container's first process, once the pass is over


def measure(parts: Parts, amount: Amount) -> Chapter:
    """Weigh the image of `make image` and start it again and again.

    Raises:
        NothingToMeasureError: no image was built, or nothing here can run one.
    """
    name = _built()
    one_ready_issuer(parts, _NAME)
    with Image.mounted(name) as image:
        starts = [_started(parts, image, turn) for turn in range(amount.starts)]
        sizes = _sizes(image.root)
    parts.clear()
    labels = {kind: image.config["Labels"][f"org.opencontainers.image.{kind}"] for kind in ("version", "revision")}
    method = _METHOD.format(
        version=labels["version"],
        revision=labels["revision"][:7],
        user=_USER,
    )
    rows = (("what the image holds", "MB"), *((what, f"{size / _MB:.1f}") for what, size in sizes.items()))
    return Chapter("The image", method, tuple(_figures(sizes, starts)), rows)


def _built() -> str:
    """Return the name of the image that `make image` built."""
    if reason := why_not():
        raise NothingToMeasureError(reason)
    name = subprocess.run(
        [ROOT / "hack" / "image" / "build", "--name"], capture_output=True, text=True, check=True
    ).stdout.strip()
    looked = subprocess.run(["buildah", "inspect", "--type", "image", name], capture_output=True, check=False)
    if looked.returncode:
        raise NothingToMeasureError(f"there is no {name}: make image")
    return name


def _started(parts: Parts, image: Image, turn: int) -> _Start:
    """Run one container until its first pass is over."""
    folder = parts.folder / f"container-{turn}"
    folder.mkdir()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(parts.cluster.kubectl("config", "view", "--raw", "--flatten"))
    kubeconfig.chmod(0o444)
    arguments = ("run", f"--probe-service-account={'/'.join(PROBE)}", f"--health-address=127.0.0.1:{free_port()}")
    env = {"KUBECONFIG": _KUBECONFIG, "AWS_EC2_METADATA_DISABLED": "true", **parts.s3.credentials}
    container = Container(folder, image, arguments, uid=_USER, gid=_USER, env=env, files={_KUBECONFIG: kubeconfig})
    start = time.time()
    with container:
        parts.audit.wait(lambda request: audit.is_read_of(request, _NAME), since=start)
        parts.audit.settled(quiet_s=QUIET_S)
        first = parts.audit.passes(_NAME, since=start)[0]
        return _Start(first.began - start, first.ended - start, container.cpu_s())


def _sizes(root: Path) -> dict[str, int]:
    """Return the bytes of the files of each part."""
    sizes = dict.fromkeys((_DEPENDENCIES, _PACKAGE, _BYTECODE, _BASE), 0)
    seen: set[tuple[int, int]] = set()
    for path in root.rglob("*"):
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) and (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            sizes[part_of(path.relative_to(root).as_posix())] += found.st_size
    return sizes


def part_of(path: str) -> str:
    """Return which part of the image a file belongs to, by its path below the root (Dockerfile, last stage)."""
    if path.startswith(("app/bin/", "app/lib/oidc_publisher")):
        return _PACKAGE
    if path.startswith("app/"):
        return _DEPENDENCIES
    return _BYTECODE if path.startswith("usr/lib/python3") and "/__pycache__/" in path else _BASE


def _figures(sizes: dict[str, int], starts: list[_Start]) -> Iterable[Figure]:
    added = (sum(sizes.values()) - sizes[_BASE]) / _MB
    yield Figure("Size unpacked, apart from the base", "MB", (added,), Target(150))
    yield Figure("Start of the container → first reconcile begins", "s", tuple(start.begun_s for start in starts))
    yield Figure(
        "Start of the container → first reconcile has ended", "s", tuple(start.ended_s for start in starts), Target(2.5)
    )
    yield Figure("CPU until the first reconcile has ended", "s", tuple(start.cpu_s for start in starts))
