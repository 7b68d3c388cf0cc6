"""Check without a network that the locks satisfy pyproject.toml and agree, and that every dependency has a floor."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Print each fault on a line; 1 when there is any."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locked, in_the_image = versions("requirements.lock"), versions("requirements.run.lock")
    wanted = [
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    faults = [fault for text in wanted for fault in faults_of(Requirement(text), locked)]
    faults += [
        f"{name} is {version} in requirements.run.lock" for name, version in in_the_image.items() - locked.items()
    ]
    for text in project["project"]["dependencies"]:
        if canonicalize_name(Requirement(text).name) not in in_the_image:
            faults.append(f"{text} is not in requirements.run.lock")
    for fault in faults:
        print(f"requirements.lock: {fault}; run: make lock", file=sys.stderr)
    return 1 if faults else 0


def versions(lock: str) -> dict[str, str]:
    """The version of each package in a lock."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def faults_of(requirement: Requirement, locked: dict[str, str]) -> list[str]:
    """What is wrong with one requirement."""
    version = locked.get(canonicalize_name(requirement.name))
    if not any(specifier.operator == ">=" for specifier in requirement.specifier):
        return [f"{requirement.name} has no floor in pyproject.toml"]
    if version is None:
        return [f"{requirement.name} is not in it"]
    if not requirement.specifier.contains(version, prereleases=True):
        return [f"it has {requirement.name} {version}, pyproject.toml wants {requirement.specifier}"]
    return []


if __name__ == "__main__":
    sys.exit(main())
