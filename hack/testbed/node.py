#!/usr/bin/env python3
"""Brings what a node of a real cluster and the build of the image take: Kubernetes' programs and Debian's packages.

Nothing is installed: see build.py for the first and debian.py for the second.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hack.testbed import build, debian, kindconfig, layers
from hack.testbed.cache import CannotBuildError, cache_folder, goarch
from hack.testbed.progress import progress

#: What runs containers and connects them, and what kubelet and kube-proxy call.
NODE_PACKAGES = (
    "conntrack", "containerd", "containernetworking-plugins", "dnsmasq-base", "ethtool", "iproute2", "iptables",
    "mount", "nftables", "runc", "util-linux",
)  # fmt: skip
#: What builds the image; patchelf makes buildah ready for it.
IMAGE_PACKAGES = ("buildah", "mmdebstrap", "patchelf")
#: buildah starts itself again for each RUN, without LD_LIBRARY_PATH, so that it has to know itself where its libraries are.
_FINDS_ITS_OWN = {"image": ("usr/bin/buildah",)}
CURE = "run this on Debian or Ubuntu with a network, or use any cluster by `make e2e-kind`"


def unpacked(name: str) -> Path:
    """Return the folder of unpacked packages, there or not: `node` or `image`."""
    return cache_folder() / f"{name}-{debian.release()}-{sys.platform}-{goarch()}"


def unpack(name: str, packages: tuple[str, ...]) -> Path:
    """Unpack packages unless that is done; an interrupted run leaves nothing half."""
    folder = unpacked(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made_of = folder / ".packages"
        if made_of.is_file() and made_of.read_text().split() == list(packages):
            return folder
        with (
            tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as work,
            progress(f"packages of the {name}"),
        ):
            root = Path(work) / "root"
            root.mkdir()
            debian.unpack(packages, root, CURE)
            for program in _FINDS_ITS_OWN.get(name, ()):
                debian.let_find_libraries(root, program, folder, CURE)
            (root / ".packages").write_text("\n".join(packages))
            shutil.rmtree(folder, ignore_errors=True)
            root.rename(folder)
    return folder


def image_environment() -> dict[str, str]:
    """Unpack what builds the image, and return the environment in which it finds all of its own; nobody may be building."""
    root = unpack("image", IMAGE_PACKAGES)
    kept = root.with_name(f"{root.name}-state")
    home = kept / "home"
    settings = home / ".config" / "containers"
    settings.mkdir(parents=True, exist_ok=True)
    storage = layers.tidied(kept)
    (settings / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (kept / "registries.conf").write_text("")
    (kept / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{storage}"\nrunroot = "{kept}/run"\n'
    )
    (kept / "containers.conf").write_text(
        f'[containers]\nseccomp_profile = "{root}/usr/share/containers/seccomp.json"\n'
    )
    return {
        **debian.environment(root),
        "HOME": str(home),
        "CONTAINERS_CONF": str(kept / "containers.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(kept / "registries.conf"),
        "CONTAINERS_STORAGE_CONF": str(kept / "storage.conf"),
    }


def main() -> int:
    """Bring what is missing and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--image-environment", action="store_true", help="print the environment of buildah, for hack/image/build"
    )
    parser.add_argument("--ask", action="store_true", help="bring nothing: fail where K8S_VERSION has no node")
    parser.add_argument("--upgrade", action="store_true", help="bring what kubeadm upgrades to as well (minutes)")
    try:
        arguments = parser.parse_args()
        if arguments.ask:
            build.node()
            return 0
        if arguments.image_environment:
            with contextlib.redirect_stdout(sys.stderr):
                environment = image_environment()
            print("\n".join(f"{name}={shlex.quote(value)}" for name, value in environment.items()))
            return 0
        build.build(build.node(), build.pause(), *([build.next_control_plane()] if arguments.upgrade else []))
        kindconfig.compile_program()
        folders = [unpack("node", NODE_PACKAGES), unpack("image", IMAGE_PACKAGES)]
        print(build.node().folder, *folders, sep="\n")
    except CannotBuildError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
