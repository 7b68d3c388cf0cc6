#!/usr/bin/env python3
"""Builds what the tests run, from pinned Go modules: a control plane, S3, GCS, Prometheus, helm, kubeconform, actionlint.

Run it with any Python 3.11.2 or newer; it needs nothing but the standard library, and Go or pip (toolchain.py). What it
built is kept in the user's cache folder, so a second run has nothing to do.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hack.testbed.cache import CannotBuildError, cache_folder, goarch
from hack.testbed.progress import Progress, progress
from hack.testbed.toolchain import Go, find_or_fetch

HERE = Path(__file__).resolve().parent
KUBERNETES_PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
}
#: What makes a node, beside the control plane, run pods (hack/testbed/node).
NODE_PACKAGES = {
    name: f"k8s.io/kubernetes/cmd/{name}"
    for name in ("kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet")
}
#: What writes the manifests of a control plane, for the pages whose commands are its.
KUBEADM_PACKAGES = {"kubeadm": "k8s.io/kubernetes/cmd/kubeadm"}
#: What `kubeadm upgrade` brings, of the next minor version; the kubelet may stay older.
NEXT_PACKAGES = KUBEADM_PACKAGES | {
    name: f"k8s.io/kubernetes/cmd/{name}" for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
}
VERSITYGW_PACKAGES = {"versitygw": "github.com/versity/versitygw/cmd/versitygw"}
FAKEGCS_PACKAGES = {"fake-gcs-server": "github.com/fsouza/fake-gcs-server"}
HELM_PACKAGES = {"helm": "helm.sh/helm/v4/cmd/helm"}
PAUSE_PACKAGES = {"pause": "oidc-publisher.io/testbed/pause"}
FREESIGNER_PACKAGES = {"freesigner": "oidc-publisher.io/testbed/freesigner"}
ACTIONLINT_PACKAGES = {"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"}
KUBECONFORM_PACKAGES = {"kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform"}
PROMETHEUS_PACKAGES = {
    "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
    "promtool": "github.com/prometheus/prometheus/cmd/promtool",
}


@dataclass(frozen=True, slots=True)
class Part:
    """Binaries that are built from one Go module into one folder."""

    module: str  # folder below hack/testbed
    version: str
    folder: Path
    packages: dict[str, str]  # binary -> Go package
    ldflags: str = "-s -w"
    tags: str = ""  # build tags of Go

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


def kubernetes(packages: dict[str, str] = KUBERNETES_PACKAGES) -> Part:
    """Describe Kubernetes binaries of the version asked for (K8S_VERSION, else the pinned one)."""
    version = os.environ.get("K8S_VERSION", "").removeprefix("v") or pinned("kubernetes", "k8s.io/kubernetes")
    if not re.fullmatch(r"1\.\d+\.\d+", version):
        raise CannotBuildError(f"K8S_VERSION must be a version such as 1.36.3, not {version!r}.")
    committed = f"kubernetes-{version}"
    return Part(
        module=committed if (HERE / committed).is_dir() else "kubernetes",
        version=version,
        folder=cache_folder() / f"{version}-{sys.platform}-{goarch()}" / "bin",
        packages=packages,
        ldflags=_kubernetes_ldflags(version),
    )


def _kubernetes_ldflags(version: str) -> str:
    """Set the version; gitCommit and buildDate stay at upstream's placeholders: the same source gives the same bytes."""
    _, minor, _ = version.split(".")
    variables = {"gitVersion": f"v{version}", "gitMajor": "1", "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{k}={v}" for k, v in variables.items())])


def node() -> Part:
    """Describe the programs that a node needs beside the control plane's, of the same version.

    Raises:
        CannotBuildError: the version's module in the checkout pins the control plane alone.
    """
    part = kubernetes(NODE_PACKAGES)
    lacking = _not_pinned(part)
    if lacking:
        raise CannotBuildError(
            f"Kubernetes {part.version} has no node here: hack/testbed/{part.module}/go.mod pins no"
            f" {', '.join(lacking)}; unset K8S_VERSION for a node of {pinned('kubernetes', 'k8s.io/kubernetes')},"
            f" or run `make e2e-kind` on a cluster of {part.version} (`make core` needs no node)."
        )
    return part


def kubeadm() -> Part:
    """Describe kubeadm, of the same version as the control plane.

    Raises:
        CannotBuildError: the version's module in the checkout pins no kubeadm.
    """
    part = kubernetes(KUBEADM_PACKAGES)
    if _not_pinned(part):
        raise CannotBuildError(f"Kubernetes {part.version} has no kubeadm here: hack/testbed/{part.module} pins none.")
    return part


def next_control_plane() -> Part:
    """Describe kubeadm and what it runs as pods, of the minor version after the pinned one: what an upgrade leads to."""
    version = "1.37.1"
    folder = cache_folder() / f"{version}-{sys.platform}-{goarch()}" / "bin"
    return Part(f"kubernetes-{version}", version, folder, NEXT_PACKAGES, _kubernetes_ldflags(version))


def _not_pinned(part: Part) -> list[str]:
    tools = (HERE / part.module / "go.mod").read_text().split()
    return [name for name, package in part.packages.items() if package not in tools]


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


def helm() -> Part:
    """Describe helm, which renders and installs the chart."""
    version = pinned("helm", "helm.sh/helm/v4")
    folder = cache_folder() / f"helm-{version}-{sys.platform}-{goarch()}" / "bin"
    return Part("helm", version, folder, HELM_PACKAGES, f"-s -w -X helm.sh/helm/v4/internal/version.version=v{version}")


def kubeconform() -> Part:
    """Describe kubeconform, which holds manifests against JSON schemas, strictly."""
    version = pinned("kubeconform", "github.com/yannh/kubeconform")
    folder = cache_folder() / f"kubeconform-{version}-{sys.platform}-{goarch()}" / "bin"
    return Part("kubeconform", version, folder, KUBECONFORM_PACKAGES, f"-s -w -X main.version=v{version}")


def pause() -> Part:
    """Describe the program that holds the namespaces of a pod; its version is that of its source."""
    source = hashlib.sha256((HERE / "pause" / "main.go").read_bytes()).hexdigest()[:12]
    return Part("pause", source, cache_folder() / f"pause-{source}-{sys.platform}-{goarch()}" / "bin", PAUSE_PACKAGES)


def freesigner() -> Part:
    """Describe the signer that `make bench` compares ours with; its version is that of its source."""
    files = [HERE / "freesigner" / name for name in ("go.sum", "main.go")]
    source = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    folder = cache_folder() / f"freesigner-{source}-{sys.platform}-{goarch()}" / "bin"
    return Part("freesigner", source, folder, FREESIGNER_PACKAGES)


def actionlint() -> Part:
    """Describe actionlint, which reads the workflows as GitHub does."""
    version = pinned("actionlint", "github.com/rhysd/actionlint")
    folder = cache_folder() / f"actionlint-{version}-{sys.platform}-{goarch()}" / "bin"
    return Part("actionlint", version, folder, ACTIONLINT_PACKAGES)


def prometheus() -> Part:
    """Describe Prometheus and promtool; without the clouds' service discovery they build in a third of the time."""
    version = pinned("prometheus", "github.com/prometheus/prometheus")
    folder = cache_folder() / f"prometheus-{version}-{sys.platform}-{goarch()}" / "bin"
    ldflags = f"-s -w -X github.com/prometheus/common/version.Version={version}"
    return Part("prometheus", version, folder, PROMETHEUS_PACKAGES, ldflags, tags="remove_all_sd")


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


def node_folder() -> Path:
    """Return the folder of kubelet and the other programs of a node, built or not."""
    return node().folder


def kubeadm_folder() -> Path:
    """Return the folder of kubeadm, built or not."""
    return kubeadm().folder


def versitygw_folder() -> Path:
    """Return the folder of versitygw, built or not."""
    return versitygw().folder


def fakegcs_folder() -> Path:
    """Return the folder of fake-gcs-server, built or not."""
    return fakegcs().folder


def helm_folder() -> Path:
    """Return the folder of helm, built or not."""
    return helm().folder


def kubeconform_folder() -> Path:
    """Return the folder of kubeconform, built or not."""
    return kubeconform().folder


def actionlint_folder() -> Path:
    """Return the folder of actionlint, built or not."""
    return actionlint().folder


def prometheus_folder() -> Path:
    """Return the folder of prometheus and promtool, built or not."""
    return prometheus().folder


def go_for(part: Part) -> Go:
    """Return a Go that can build the part; where it can be had nowhere, say what else would do."""
    wanted = re.search(r"^go (\S+)", (HERE / part.module / "go.mod").read_text(), re.MULTILINE)
    minimum = wanted[1] if wanted else "1.26"
    instead = ", or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl"
    return find_or_fetch(
        minimum, f"install Go {minimum} or newer{instead if part.packages is KUBERNETES_PACKAGES else ''}"
    )


def generate_kubernetes_module(go: Go, version: str, folder: Path) -> None:
    """Write a module for another Kubernetes version: its staging modules replaced by their published twins."""
    module = json.loads(go.run(["mod", "download", "-json", f"k8s.io/kubernetes@v{version}"], folder))
    upstream = Path(module["GoMod"]).read_text()
    staging = sorted(set(re.findall(r"^\s+(k8s\.io/[a-z-]+) v0\.0\.0$", upstream, re.MULTILINE)))
    go_line = re.findall(r"^go \S+$", upstream, re.MULTILINE)[0]
    published = "v0." + version.split(".", 1)[1]
    lines = ["module oidc-publisher.io/testbed/kubernetes", go_line]
    lines += [f"tool {package}" for package in (KUBERNETES_PACKAGES | NODE_PACKAGES | KUBEADM_PACKAGES).values()]
    lines += [f"require k8s.io/kubernetes v{version}"]
    lines += [f"replace {name} => {name} {published}" for name in staging]
    (folder / "go.mod").write_text("\n".join(lines) + "\n")
    go.run(["mod", "tidy"], folder)


@contextlib.contextmanager
def module_folder(go: Go, part: Part) -> Iterator[Path]:
    """Give the folder of the part's Go module: the committed one, or a generated one for a version that has none."""
    if part.module != "kubernetes" or part.version == pinned("kubernetes", "k8s.io/kubernetes"):
        yield HERE / part.module
        return
    with tempfile.TemporaryDirectory(prefix="testbed-") as work:
        with progress(f"go.mod for Kubernetes {part.version}"):
            generate_kubernetes_module(go, part.version, Path(work))
        yield Path(work)


class Compiled:
    """What has been compiled since this program began: packages that binaries have in common are compiled once."""

    def __init__(self) -> None:
        self._packages: set[str] = set()

    def follow(self, line: Progress, packages: set[str]) -> Callable[[str], None]:
        """Return what hears the names of packages as go says them, and sets the line's share."""
        awaited = packages - self._packages

        def heard(said: str) -> None:
            if said in packages:
                self._packages.add(said)
                line.share = 1 - len(awaited - self._packages) / max(1, len(awaited))

        return heard


def load(go: Go, part: Part, name: str, module: Path) -> set[str]:
    """Download what a binary is made of, and return the names of its packages."""
    count = 0

    with progress(f"source of {described(part, name)}") as line:
        modules = sum("/go.mod " not in entry for entry in (module / "go.sum").read_text().splitlines())

        def heard(said: str) -> None:
            nonlocal count
            count += said.startswith("go: downloading")
            line.share = min(1.0, count / max(1, modules)) if count else None

        flags = ["-deps", "-mod=readonly", f"-tags={part.tags}", "-f", "{{.ImportPath}}"]
        listed = go.run(["list", *flags, part.packages[name]], module, heard)
    return {said for said in listed.splitlines() if not said.startswith("go: ")}


def described(part: Part, name: str) -> str:
    """Return a binary's name with its version."""
    of_kubernetes = part.module.startswith("kubernetes")
    return f"{name} (Kubernetes {part.version})" if of_kubernetes else f"{name} {part.version}"


def build_binary(go: Go, part: Part, name: str, module: Path, compiled: Compiled) -> None:
    """Build one binary beside its place and move it there: an interrupted build leaves nothing half."""
    part.folder.mkdir(parents=True, exist_ok=True)
    packages = load(go, part, name, module)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=part.folder.parent) as work:
        built = Path(work) / name
        flags = ["-v", "-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={part.ldflags}"]
        flags += [f"-tags={part.tags}", f"-o={built}"]
        with progress(described(part, name)) as line:
            go.run(["build", *flags, part.packages[name]], module, compiled.follow(line, packages))
        built.replace(part.folder / name)


def build(*parts: Part) -> None:
    """Build what is missing of the parts, one binary after the other: linking kube-apiserver alone takes 2 GB."""
    lacking = [part for part in parts if part.missing()]
    if not lacking:
        return
    names = [name for part in lacking for name in part.missing()]
    print(
        f"testbed: building {', '.join(names)}, once, into {cache_folder()}: about a quarter of an hour for all on two cores"
    )
    compiled = Compiled()
    for part in lacking:
        part.folder.mkdir(parents=True, exist_ok=True)
        with (part.folder.parent / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for stale in part.folder.parent.glob(".building-*"):  # of a build that was killed
                shutil.rmtree(stale)
            missing = part.missing()  # somebody else may have built it while we waited
            if missing:
                go = go_for(part)
                with module_folder(go, part) as module:
                    for name in missing:
                        build_binary(go, part, name, module, compiled)
    go_for(lacking[-1]).clean()


def main() -> int:
    """Build what is missing and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--print-path", action="store_true", help="print the folders of the binaries and build nothing")
    parser.add_argument("--servers", action="store_true", help="build what the demo needs: no helm, no Prometheus")
    arguments = parser.parse_args()
    try:
        if not arguments.print_path:
            tools = [] if arguments.servers else [helm(), kubeconform(), prometheus(), actionlint()]
            if not arguments.servers and _not_pinned(kubernetes(KUBEADM_PACKAGES)) == []:
                tools.append(kubeadm())
            build(*([] if kubebuilder_assets() else [kubernetes()]), versitygw(), fakegcs(), *tools)
        servers = kubernetes_folder(), versitygw_folder(), fakegcs_folder()
        print(*servers, helm_folder(), kubeconform_folder(), prometheus_folder(), actionlint_folder(), sep="\n")
    except CannotBuildError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
