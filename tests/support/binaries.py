"""Finds the real servers that hack/testbed has built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hack.testbed import build

if TYPE_CHECKING:
    from pathlib import Path


class NotBuiltError(Exception):
    """A binary is missing; says how to get it."""


def find(name: str) -> Path:
    """Return the path of etcd, kube-apiserver, kubectl, versitygw or fake-gcs-server.

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
    if name in build.VERSITYGW_PACKAGES:
        return build.versitygw_folder()
    return build.fakegcs_folder() if name in build.FAKEGCS_PACKAGES else build.kubernetes_folder()
