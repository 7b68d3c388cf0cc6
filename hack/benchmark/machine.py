"""On what it was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from hack.testbed import build

_LIBRARIES = ("kopf", "kubernetes", "aiohttp", "boto3", "pydantic", "cryptography", "joserfc", "structlog")


def facts() -> dict[str, str]:
    """The machine, the Python and the libraries, by name."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    return {
        "CPU": f"{_field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "Memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB",
        "Kernel": f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        "Load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "Python": platform.python_version(),
        "Libraries": versions,
        "Servers": f"kube-apiserver and etcd of Kubernetes {_kubernetes()}, versitygw {_versitygw()}",
    }


def _field(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _kubernetes() -> str:
    if "KUBEBUILDER_ASSETS" in os.environ:
        return "of KUBEBUILDER_ASSETS"
    return _of_folder(build.kubernetes_folder())


def _versitygw() -> str:
    return _of_folder(build.versitygw_folder())


def _of_folder(folder: Path) -> str:
    """1.36.3 of .../1.36.3-linux-amd64/bin, 1.8.0 of .../versitygw-1.8.0-linux-amd64/bin."""
    parts = folder.parent.name.removeprefix("versitygw-").split("-")
    return parts[0]
