"""Compiles what kind makes of a configuration file into a program, from kind's own module: kind itself needs docker."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

from hack.testbed import build
from hack.testbed.cache import cache_folder, goarch
from hack.testbed.progress import progress

MODULE = build.HERE / "kind"
_MAIN = MODULE / "kubeadmconfig" / "main.go"
#: Within kind's module, so that it may import what is internal there.
_PLACE = Path("pkg/cluster/kubeadmconfig")


def program() -> Path:
    """Return where the program is, built or not."""
    made_of = _MAIN.read_bytes() + (MODULE / "go.sum").read_bytes()
    name = f"kindconfig-{hashlib.sha256(made_of).hexdigest()[:12]}-{sys.platform}-{goarch()}"
    return cache_folder() / name / "kindconfig"


def compile_program() -> Path:
    """Build it unless it is there; go.sum holds the checksum of kind's module.

    Raises:
        CannotBuildError: there is no Go and none can be had, or no module proxy.
    """
    target = program()
    if target.is_file():
        return target
    version = build.pinned("kind", "sigs.k8s.io/kind")
    go = build.go_for(build.Part("kind", version, target.parent, {}))
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".building-", dir=target.parent.parent) as work,
        progress("kind's settings"),
    ):
        source = Path(work) / "kind"
        downloaded = json.loads(go.run(["mod", "download", "-json", f"sigs.k8s.io/kind@v{version}"], MODULE))
        shutil.copytree(downloaded["Dir"], source, ignore=shutil.ignore_patterns("images", "site", "hack", "logo"))
        for folder in (source, *(path for path in source.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        (source / _PLACE).mkdir()
        shutil.copy(_MAIN, source / _PLACE / "main.go")
        built = Path(work) / "kindconfig"
        go.run(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", f"-o={built}", f"./{_PLACE}"], source)
        built.replace(target)
    return target
