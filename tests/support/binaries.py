"""Find the real servers that hack/testbed has built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hack.testbed import build

if TYPE_CHECKING:
    from pathlib import Path


class NotBuiltError(Exception):
    """A binary is missing; says how to get it."""


def find(name: str) -> Path:
    """Return the path of a server or a tool that hack/testbed builds: kube-apiserver, versitygw, helm, promtool and others.

    Raises:
        NotBuiltError: it is neither in KUBEBUILDER_ASSETS nor in the cache of hack/testbed.
    """
    folder = _folder_of(name)
    path = folder / name
    if not path.is_file():
        raise NotBuiltError(
            f"{name} is not in {folder}: run `python3 hack/testbed/build.py` first"
            " (or set KUBEBUILDER_ASSETS for the Kubernetes binaries)"
        )
    return path


def _folder_of(name: str) -> Path:
    others = (
        (build.NODE_PACKAGES, build.node_folder),
        (build.KUBEADM_PACKAGES, build.kubeadm_folder),
        (build.VERSITYGW_PACKAGES, build.versitygw_folder),
        (build.FAKEGCS_PACKAGES, build.fakegcs_folder),
        (build.HELM_PACKAGES, build.helm_folder),
        (build.KUBECONFORM_PACKAGES, build.kubeconform_folder),
        (build.ACTIONLINT_PACKAGES, build.actionlint_folder),
        (build.PROMETHEUS_PACKAGES, build.prometheus_folder),
    )
    folder = next((folder for packages, folder in others if name in packages), build.kubernetes_folder)
    return folder()
