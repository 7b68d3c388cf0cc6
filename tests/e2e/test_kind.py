"""What kind makes of its configuration files, by kind's own packages: an API server that names the issuer."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.testbed import build, kindconfig
from tests.e2e import anyworld
from tests.support.chart import CHART

ROOT = CHART.parents[1]
#: kubeadm takes a map of arguments up to 1.35, and a list from 1.36 on.
VERSIONS = ("v1.34.4", "v1.35.4", "v1.36.3", "v1.37.0")

pytestmark = [
    pytest.mark.own_node,
    pytest.mark.skipif(not kindconfig.program().is_file(), reason="hack/testbed/node.py has not built kind's packages"),
]


def rendered(file: Path, version: str) -> str:
    """The kubeadm configuration that kind hands to its node."""
    done = subprocess.run([kindconfig.program(), file, version], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def issuer(file: Path, version: str) -> str:
    """The API server's issuer in it."""
    documents: list[dict[str, Any]] = [d for d in yaml.safe_load_all(rendered(file, version)) if d]
    (cluster,) = [d for d in documents if d["kind"] == "ClusterConfiguration"]
    arguments = cluster["apiServer"]["extraArgs"]
    if isinstance(arguments, list):
        arguments = {argument["name"]: argument["value"] for argument in arguments}
    return str(arguments["service-account-issuer"])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_cluster_of_make_e2e_kind_names_the_issuer_of_the_tests(version: str) -> None:
    """The URL stands in a file of kind's and in a module of ours."""
    assert issuer(ROOT / "hack" / "kind.yaml", version) == anyworld.ISSUER_URL


def test_the_cluster_of_the_tutorial_names_the_readers_issuer(tmp_path: Path) -> None:
    """The file is written by the page's own command."""
    page = (ROOT / "docs" / "tutorial" / "first-issuer.md").read_text()
    (command,) = re.findall(r"^cat > kind\.yaml <<EOF\n.*?^EOF$", page, re.MULTILINE | re.DOTALL)
    subprocess.run(["bash", "-ceu", command], cwd=tmp_path, env={"ISSUER_URL": "https://example.test/a"}, check=True)
    assert issuer(tmp_path / "kind.yaml", VERSIONS[-1]) == "https://example.test/a"


def test_a_field_that_kind_does_not_know_is_refused(tmp_path: Path) -> None:
    """So that the other tests here can fail."""
    file = tmp_path / "kind.yaml"
    file.write_text((ROOT / "hack" / "kind.yaml").read_text().replace("nodes:", "nods:"))
    done = subprocess.run([kindconfig.program(), file, VERSIONS[-1]], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "field nods not found" in done.stderr


def test_the_workflow_runs_the_kind_that_is_asked_here() -> None:
    """Its version stands in the module of hack/testbed and in the workflow."""
    workflow = (ROOT / ".github" / "workflows" / "e2e.yml").read_text()
    assert f"sigs.k8s.io/kind@v{build.pinned('kind', 'sigs.k8s.io/kind')}\n" in workflow
