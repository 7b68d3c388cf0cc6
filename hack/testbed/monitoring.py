#!/usr/bin/env python3
"""Fetches the Prometheus operator's CustomResourceDefinitions into the user's cache: the chart makes objects of them.

They lie in its Go module, of which the go.sum beside go.mod has the checksum; nothing is built.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hack.testbed.build import HERE, pinned
from hack.testbed.cache import CannotBuildError, cache_folder
from hack.testbed.progress import progress
from hack.testbed.toolchain import find_or_fetch

MODULE = "github.com/prometheus-operator/prometheus-operator"
#: The kinds that the chart has templates of.
FILES = tuple(f"monitoring.coreos.com_{kind}.yaml" for kind in ("servicemonitors", "podmonitors", "prometheusrules"))


def folder() -> Path:
    """Return the folder of the definitions, fetched or not."""
    return cache_folder() / f"prometheus-operator-{pinned('monitoring', MODULE)}"


def find() -> list[Path] | None:
    """Return the files, or None where they were not fetched yet."""
    files = [folder() / name for name in FILES]
    return files if all(file.is_file() for file in files) else None


def fetch() -> list[Path]:
    """Download the module and copy the files beside their place; an interrupted run leaves nothing half."""
    target = folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    go = find_or_fetch("1.26", "install Go 1.26 or newer")
    with tempfile.TemporaryDirectory(prefix=".building-", dir=target.parent) as work, progress("Prometheus' CRDs"):
        module = json.loads(go.run(["mod", "download", "-json", MODULE], HERE / "monitoring"))
        copies = Path(work) / "copies"
        copies.mkdir()
        for name in FILES:
            shutil.copyfile(Path(module["Dir"], "example/prometheus-operator-crd", name), copies / name)
        shutil.rmtree(target, ignore_errors=True)
        copies.replace(target)
    go.clean()
    return [target / name for name in FILES]


def main() -> int:
    """Fetch them unless they are there, and say where they are."""
    try:
        print(*(find() or fetch()), sep="\n")
    except CannotBuildError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
