"""The Helm chart, rendered by the real helm as an admin would render it."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.support import binaries

CHART = Path(__file__).resolve().parents[2] / "charts" / "oidc-publisher"
RELEASE, NAMESPACE = "prod", "oidc-publisher"
#: The chart of a checkout knows no image. What a test gives as values comes after it.
IMAGE = "registry.example.com/oidc-publisher"
#: What `kubernetes.io/os` and its like are judged by; a rendering must not depend on the version helm was built with.
_KUBE_VERSION = "1.36.3"

Object = dict[str, Any]
Values = dict[str, Any]


class RefusedError(Exception):
    """Helm renders nothing; its text is what the admin reads."""


def render(values: Values | Path | None = None, *arguments: str, chart: Path = CHART) -> list[Object]:
    """The objects of a release with these values, the CRD among them, in no order that matters; no hooks.

    Raises:
        RefusedError: helm refuses the values, or cannot render the chart.
    """
    text = helm("template", RELEASE, str(chart), f"--namespace={NAMESPACE}", "--skip-tests", *arguments, values=values)
    return [found for found in yaml.load_all(text, yaml.CSafeLoader) if found]


def check_pod(values: Values | Path | None = None) -> Object:
    """The pod of `helm test`."""
    place = (f"--namespace={NAMESPACE}", "--show-only=templates/tests/check.yaml")
    found: Object = yaml.load(helm("template", RELEASE, str(CHART), *place, values=values), yaml.CSafeLoader)
    return found


def notes(values: Values | Path | None = None) -> str:
    """What the admin reads after an installation."""
    said = helm("install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--dry-run=client", values=values)
    return said.partition("NOTES:\n")[2]


def issuer_of(notes: str) -> str:
    """The manifest that a shell would hand to kubectl when the command of the notes is pasted, with names filled in."""
    pasted = notes[notes.index("kubectl apply -f - <<EOF") : notes.index("3. See it")]
    command = ["bash", "-ceu", f"kubectl() {{ cat; }}\n{pasted}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    assert not done.stderr, done.stderr  # bash warns of a here-document that never ends
    return done.stdout.replace("BUCKET", "example-oidc").replace("REGION", "eu-central-1")


def helm(verb: str, *arguments: str, values: Values | Path | None = None, image: str = IMAGE) -> str:
    """What helm prints; `image` is the repository where the values name none.

    Raises:
        RefusedError: its exit code is not 0.
    """
    named = [f"--set-json=image.repository={json.dumps(image)}"] if image and not _names_image(values) else []
    return _printed(verb, *arguments, *named, values=json.dumps(values) if isinstance(values, dict) else values)


def _names_image(values: Values | Path | None) -> bool:
    """Whether the values say something of the repository; `--set` would overrule it."""
    given = yaml.load(values.read_text(), yaml.CSafeLoader) if isinstance(values, Path) else values
    image = (given or {}).get("image", {})
    return not isinstance(image, dict) or "repository" in image


@functools.lru_cache
def _printed(verb: str, *arguments: str, values: str | Path | None) -> str:
    """The same, remembered: half a second each time."""
    version = [f"--kube-version={_KUBE_VERSION}"] if verb in {"template", "lint"} else []
    given = [f"--values={values}"] if isinstance(values, Path) else ["--values=-"] if values is not None else []
    done = run(verb, *arguments, *version, *given, stdin=values if isinstance(values, str) else None)
    if done.returncode:
        raise RefusedError(done.stderr.strip())
    return done.stdout


def run(*arguments: str | Path, stdin: str | None = None, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run helm, which finds no kubeconfig, no repository and no cache of the user's, and leaves none."""
    with tempfile.TemporaryDirectory(prefix="helm-") as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home}
        argv: list[str | Path] = [binaries.find("helm"), *arguments]
        return subprocess.run(
            argv, input=stdin, env=environment, capture_output=True, text=True, check=False, timeout=timeout_s
        )


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    """The objects of one kind."""
    return [found for found in objects if found["kind"] == kind]


def the(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of this kind and name."""
    (found,) = [one for one in of_kind(objects, kind) if one["metadata"]["name"] == name]
    return found


def of_the_operator(found: Object) -> bool:
    """Whether an object is the operator's, and not of signers or of whoever rotates (templates/managed-keys.yaml)."""
    name = found["metadata"]["name"]
    others = ("-signer", "-rotator", "oidc-publisher-signing-keys", "signingkeyrings.oidc-publisher.io")
    return not name.endswith(others)
