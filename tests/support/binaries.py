"""Finds the real servers that hack/testbed has built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hack.testbed import build

if TYPE_CHECKING:
    from pathlib import Path


class NotBuiltError(Exception):
    """A binary is missing; says how to get it."""


def find(name: str) -> Path:
    """Return the path of etcd, kube-apiserver, kubectl or versitygw.

    Raises:
        NotBuiltError: it is neither in KUBEBUILDER_ASSETS nor in the cache of hack/testbed.
    """
    folder = build.versitygw_folder() if name in build.VERSITYGW_PACKAGES else build.kubernetes_folder()
    path = folder / name
    if not path.is_file():
        raise NotBuiltError(
            f"{name} is not in {folder}: run `python3 hack/testbed/build.py` first"
            " (or set KUBEBUILDER_ASSETS for the Kubernetes binaries)"
        )
    return path
