#!/usr/bin/env python3
"""Builds the real servers the tests run against, from pinned Go modules: a control plane, an S3 server, a GCS server.

Run it with any Python 3.11 or newer; it needs nothing but the standard library and Go. What it built is kept in the
user's cache folder, so a second run has nothing to do.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
KUBERNETES_PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
}
VERSITYGW_PACKAGES = {"versitygw": "github.com/versity/versitygw/cmd/versitygw"}
FAKEGCS_PACKAGES = {"fake-gcs-server": "github.com/fsouza/fake-gcs-server"}
# Since 1.21 Go fetches the toolchain that go.mod asks for, unless GOTOOLCHAIN=local forbids it (go.dev/doc/toolchain).
FIRST_SELF_UPGRADING_GO = (1, 21)


class CannotBuildError(Exception):
    """Says in one sentence what is missing and what else would do."""


@dataclass(frozen=True, slots=True)
class Part:
    """Binaries that are built from one Go module into one folder."""

    module: str  # folder below hack/testbed
    version: str
    folder: Path
    packages: dict[str, str]  # binary -> Go package
    ldflags: str = "-s -w"

    def missing(self) -> list[str]:
        """Name the binaries that are not there yet."""
        return [name for name in self.packages if not (self.folder / name).is_file()]


def pinned(module: str, dependency: str) -> str:
    """Return the version that a module's go.mod pins, without the leading v."""
    text = (HERE / module / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(dependency)} v(\S+)", text, re.MULTILINE)
    if not found:
        raise CannotBuildError(f"hack/testbed/{module}/go.mod does not require {dependency}.")
    return found[1]


def cache_folder() -> Path:
    """Return the folder below which everything is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "oidc-publisher" / "testbed"


def goarch() -> str:
    """Return this machine's architecture as Go calls it."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def kubernetes() -> Part:
    """Describe the Kubernetes binaries of the version asked for (K8S_VERSION, else the pinned one)."""
    version = os.environ.get("K8S_VERSION", "").removeprefix("v") or pinned("kubernetes", "k8s.io/kubernetes")
    if not re.fullmatch(r"1\.\d+\.\d+", version):
        raise CannotBuildError(f"K8S_VERSION must be a version such as 1.36.3, not {version!r}.")
    _, minor, _ = version.split(".")
    variables = {"gitVersion": f"v{version}", "gitMajor": "1", "gitMinor": minor}
    return Part(
        module="kubernetes",
        version=version,
        folder=cache_folder() / f"{version}-{sys.platform}-{goarch()}" / "bin",
        packages=KUBERNETES_PACKAGES,
        # gitCommit and buildDate stay at upstream's placeholders: the same source gives the same bytes.
        ldflags=" ".join(["-s -w", *(f"-X k8s.io/component-base/version.{k}={v}" for k, v in variables.items())]),
    )


def versitygw() -> Part:
    """Describe the S3 server."""
    version = pinned("versitygw", "github.com/versity/versitygw")
    folder = cache_folder() / f"versitygw-{version}-{sys.platform}-{goarch()}" / "bin"
    return Part("versitygw", version, folder, VERSITYGW_PACKAGES, f"-s -w -X main.Version=v{version}")


def fakegcs() -> Part:
    """Describe the GCS server."""
    version = pinned("fakegcs", "github.com/fsouza/fake-gcs-server")
    folder = cache_folder() / f"fake-gcs-server-{version}-{sys.platform}-{goarch()}" / "bin"
    return Part("fakegcs", version, folder, FAKEGCS_PACKAGES)


def kubebuilder_assets() -> Path | None:
    """Return the folder named by KUBEBUILDER_ASSETS, which must hold all Kubernetes binaries."""
    value = os.environ.get("KUBEBUILDER_ASSETS")
    if not value:
        return None
    lacking = [name for name in KUBERNETES_PACKAGES if not os.access(Path(value) / name, os.X_OK)]
    if lacking:
        raise CannotBuildError(f"KUBEBUILDER_ASSETS={value} lacks {', '.join(lacking)}: complete or unset it.")
    return Path(value)


def kubernetes_folder() -> Path:
    """Return the folder of etcd, kube-apiserver and kubectl, built or not."""
    return kubebuilder_assets() or kubernetes().folder


def versitygw_folder() -> Path:
    """Return the folder of versitygw, built or not."""
    return versitygw().folder


def fakegcs_folder() -> Path:
    """Return the folder of fake-gcs-server, built or not."""
    return fakegcs().folder


def version_tuple(text: str) -> tuple[int, ...]:
    """Return the numbers of a Go version such as go1.26.0 or 1.26rc1."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def go_environment() -> dict[str, str]:
    """Return an environment in which a build depends on nothing this user has set up for Go but proxies and caches."""
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOOS": sys.platform, "GOARCH": goarch()}
    return {**os.environ, **settings}


def require_go(part: Part) -> None:
    """Refuse early, in one sentence, where Go is missing or too old."""
    wanted = re.search(r"^go (\S+)", (HERE / part.module / "go.mod").read_text(), re.MULTILINE)
    minimum = wanted[1] if wanted else "1.26"
    instead = ", or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl"
    cure = f"install Go {minimum} or newer{instead if part.module == 'kubernetes' else ''}"
    if not shutil.which("go"):
        raise CannotBuildError(f"Go is needed to build {', '.join(part.missing())}: {cure}.")
    # Asked outside of any module, so that no toolchain is fetched just to answer.
    command = ["go", "env", "-json", "GOVERSION", "GOTOOLCHAIN"]
    answer = subprocess.run(
        command, cwd=tempfile.gettempdir(), env=go_environment(), check=True, capture_output=True, text=True
    )
    settings = json.loads(answer.stdout)
    have = version_tuple(settings["GOVERSION"])
    if have < version_tuple(minimum) and (settings["GOTOOLCHAIN"] == "local" or have < FIRST_SELF_UPGRADING_GO):
        raise CannotBuildError(f"{settings['GOVERSION']} is too old to build {', '.join(part.missing())}: {cure}.")


def run_go(arguments: list[str], folder: Path) -> str:
    """Run go in a module and return what it printed; its own words are the error."""
    done = subprocess.run(
        ["go", *arguments], cwd=folder, env=go_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotBuildError(f"go {' '.join(arguments[:2])} failed:\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def generate_kubernetes_module(version: str, folder: Path) -> None:
    """Write a module for another Kubernetes version: its staging modules replaced by their published twins."""
    module = json.loads(run_go(["mod", "download", "-json", f"k8s.io/kubernetes@v{version}"], folder))
    upstream = Path(module["GoMod"]).read_text()
    staging = sorted(set(re.findall(r"^\s+(k8s\.io/[a-z-]+) v0\.0\.0$", upstream, re.MULTILINE)))
    go_line = re.findall(r"^go \S+$", upstream, re.MULTILINE)[0]
    published = "v0." + version.split(".", 1)[1]
    lines = ["module oidc-publisher.io/testbed/kubernetes", go_line]
    lines += [f"tool {package}" for package in KUBERNETES_PACKAGES.values()]
    lines += [f"require k8s.io/kubernetes v{version}"]
    lines += [f"replace {name} => {name} {published}" for name in staging]
    (folder / "go.mod").write_text("\n".join(lines) + "\n")
    run_go(["mod", "tidy"], folder)


@contextlib.contextmanager
def module_folder(part: Part) -> Iterator[Path]:
    """Give the folder of the part's Go module: the committed one, or a generated one for another version."""
    if part.module != "kubernetes" or part.version == pinned("kubernetes", "k8s.io/kubernetes"):
        yield HERE / part.module
        return
    with tempfile.TemporaryDirectory(prefix="testbed-") as work:
        with progress(f"go.mod for Kubernetes {part.version}"):
            generate_kubernetes_module(part.version, Path(work))
        yield Path(work)


@contextlib.contextmanager
def progress(what: str) -> Iterator[None]:
    """Show one line with the elapsed seconds, counting up on a terminal."""
    began = time.monotonic()
    done = threading.Event()
    print(f"{what} ...", end="", flush=True)

    def count() -> None:
        while not done.wait(1.0):
            print(f"\r{what} ... {time.monotonic() - began:.0f} s", end="", flush=True)

    counter = threading.Thread(target=count, daemon=True)
    if sys.stdout.isatty():
        counter.start()
    try:
        yield
    except BaseException:
        print(" failed", flush=True)
        raise
    finally:
        done.set()
        if counter.is_alive():
            counter.join()
    start = "\r" if sys.stdout.isatty() else ""
    print(f"{start}{what} ... {time.monotonic() - began:.0f} s" if start else f" {time.monotonic() - began:.0f} s")


def build_binary(part: Part, name: str, module: Path) -> None:
    """Build one binary beside its place and move it there: an interrupted build leaves nothing half."""
    part.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=part.folder.parent) as work:
        built = Path(work) / name
        flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={part.ldflags}", f"-o={built}"]
        of_kubernetes = part.packages is KUBERNETES_PACKAGES
        with progress(f"{name} (Kubernetes {part.version})" if of_kubernetes else f"{name} {part.version}"):
            run_go(["build", *flags, part.packages[name]], module)
        built.replace(part.folder / name)


def build(part: Part) -> None:
    """Build what is missing of a part, one binary after the other: linking kube-apiserver alone takes 2 GB."""
    if not part.missing():
        return
    require_go(part)
    part.folder.mkdir(parents=True, exist_ok=True)
    with (part.folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in part.folder.parent.glob(".building-*"):  # of a build that was killed
            shutil.rmtree(stale)
        missing = part.missing()  # somebody else may have built it while we waited
        if missing:
            with module_folder(part) as module:
                for name in missing:
                    build_binary(part, name, module)


def main() -> int:
    """Build what is missing and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--print-path", action="store_true", help="print the folders of the binaries and build nothing")
    arguments = parser.parse_args()
    try:
        if not arguments.print_path:
            if not kubebuilder_assets():
                build(kubernetes())
            build(versitygw())
            build(fakegcs())
        print(kubernetes_folder(), versitygw_folder(), fakegcs_folder(), sep="\n")
    except CannotBuildError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
