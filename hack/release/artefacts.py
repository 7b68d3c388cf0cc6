"""What a release publishes, made into a folder: the chart with the image's name in it, and the bill of materials."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from hack.release.checks import ROOT, Line
from hack.testbed import build
from oidc_publisher import __version__

_CHART = ROOT / "charts" / "oidc-publisher"


def stamped_values(text: str, repository: str, digest: str) -> str:
    """Return values.yaml with the image's repository and digest as defaults.

    Raises:
        ValueError: values.yaml has no such place, so that the chart would be released without its image.
    """
    for name, value in (("repository", repository), ("digest", digest)):
        text, count = re.subn(rf'(?m)^  {name}: ""$', f'  {name}: "{value}"', text)
        if count != 1:
            raise ValueError(f"values.yaml has {count} places of an empty image.{name}, not one")
    return text


def package_chart(folder: Path, repository: str, digest: str) -> Path:
    """Package the chart with the image's repository and digest in its values, and return the archive.

    Raises:
        subprocess.CalledProcessError: helm refused it.
    """
    with tempfile.TemporaryDirectory(prefix="chart-") as work:
        copy = Path(work) / "oidc-publisher"
        shutil.copytree(_CHART, copy)
        values = copy / "values.yaml"
        values.write_text(stamped_values(values.read_text(encoding="utf-8"), repository, digest), encoding="utf-8")
        for command in (["lint", "--strict", str(copy)], ["package", str(copy), "--destination", str(folder)]):
            subprocess.run([_helm(), *command], check=True, capture_output=True, text=True)
    return folder / f"oidc-publisher-{__version__}.tgz"


def write_bom(folder: Path) -> Path:
    """Write the bill of materials of the locked dependencies (CycloneDX 1.6), with their hashes, and return the file."""
    file = folder / f"oidc-publisher-{__version__}.cdx.json"
    program = Path(sys.executable).parent / "cyclonedx-py"
    command = [
        str(program),
        "requirements",
        "--output-reproducible",
        "--spec-version",
        "1.6",
        "--output-format",
        "JSON",
    ]
    command += ["--output-file", str(file), str(ROOT / "requirements.run.lock")]
    subprocess.run(command, check=True, capture_output=True, text=True)
    bom = json.loads(file.read_text(encoding="utf-8"))
    purl = f"pkg:pypi/oidc-publisher@{__version__}"
    root = {"type": "application", "bom-ref": purl, "name": "oidc-publisher", "version": __version__, "purl": purl}
    bom.setdefault("metadata", {})["component"] = root
    file.write_text(json.dumps(bom, indent=2) + "\n", encoding="utf-8")
    return file


def chart_line(archive: Path) -> Line:
    """Say what the archive is."""
    content = archive.read_bytes()
    return Line("chart", f"{archive.name}, {len(content) / 1000:.0f} kB, sha256:{hashlib.sha256(content).hexdigest()}")


def bom_line(file: Path) -> Line:
    """Compare the bill of materials with the lock: each package is in it by its version."""
    bom = json.loads(file.read_text(encoding="utf-8"))
    listed = {(one["name"], one["version"]) for one in bom["components"]}
    lock = (ROOT / "requirements.run.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock))
    missing = ", ".join(sorted(name for name, _ in locked - listed))
    said = f"{file.name}, {len(listed)} components" + (f"; missing: {missing}" if missing else "")
    return Line("materials", said, bool(missing))


def _helm() -> str:
    """The helm of the testbed, else that of the machine: runners have one."""
    built = build.helm_folder() / "helm"
    return str(built) if built.is_file() else "helm"
