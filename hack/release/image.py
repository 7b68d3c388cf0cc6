"""The image that a release would push, built with what is there and looked at."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass

from hack.release.checks import ROOT, Line, git
from oidc_publisher import __version__

_ENGINES = ("docker", "podman", "buildah")
_LABEL = "org.opencontainers.image."


@dataclass(frozen=True, slots=True)
class Image:
    """What an engine says of a built image; `digest` is the local one, which a registry's compression changes."""

    name: str
    labels: dict[str, str]
    size_bytes: int
    digest: str
    architecture: str


def image_lines() -> list[Line]:
    """Build the image and make its lines; without an engine one line says that it was left out."""
    name = subprocess.run(["hack/image/build", "--name"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    engine = next((one for one in _ENGINES if shutil.which(one)), None)
    if engine is None:
        return [Line("image", f"left out: none of {', '.join(_ENGINES)} is on PATH")]
    done = subprocess.run(["hack/image/build"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        return [Line("image", f"cannot be built with {engine}: {said}", wrong=True)]
    return lines_of(look(engine, name.strip()), git("rev-parse", "HEAD"))


def lines_of(image: Image, commit: str) -> list[Line]:
    """Judge the image's labels: the version and the commit are those of the checkout."""
    wanted = {"version": __version__, "revision": commit}
    wrong = {name for name, value in wanted.items() if image.labels.get(_LABEL + name) != value}
    labels = [
        Line("  label", f"{name} {value}", name.removeprefix(_LABEL) in wrong)
        for name, value in sorted(image.labels.items())
        if name.startswith(_LABEL)
    ]
    labels += [
        Line("  label", f"{_LABEL}{name} is missing", wrong=True) for name in wrong if _LABEL + name not in image.labels
    ]
    size = f"{image.size_bytes / 1_000_000:.0f} MB unpacked"
    return [Line("image", f"{image.name}, linux/{image.architecture}, {size}, {image.digest}"), *labels]


def look(engine: str, name: str) -> Image:
    """Ask the engine for the image's labels, size and digest.

    Raises:
        subprocess.CalledProcessError: the engine does not have it.
    """
    if engine == "buildah":
        found = json.loads(_said("buildah", "inspect", "--type", "image", name))
        config, digest = found["OCIv1"], found["FromImageDigest"]
        size_bytes = sum(int(layer["size"]) for layer in json.loads(found["Manifest"])["layers"])
        return Image(name, config["config"]["Labels"] or {}, size_bytes, digest, config["architecture"])
    (found,) = json.loads(_said(engine, "image", "inspect", name))
    digest = found.get("Digest") or found["Id"]
    return Image(name, found["Config"]["Labels"] or {}, found["Size"], digest, found["Architecture"])


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
