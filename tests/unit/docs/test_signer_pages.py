"""The static pod and the systemd unit of the signer: what the pages write is what the signer, kubelet and systemd take."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from oidc_publisher.cli.signer.command import run
from tests.support.controlplanenode import unit_command
from tests.support.docpages import DOCS, Block, blocks, name_of, typed

KUBEADM = DOCS / "how-to" / "managed-keys-kubeadm.md"
SYSTEMD = DOCS / "how-to" / "signer-with-systemd.md"
BACKUP = DOCS / "how-to" / "back-up-managed-keys.md"
PAGES = (KUBEADM, SYSTEMD, BACKUP)
FOLDER = PurePosixPath("/var/lib/oidc-publisher")


def written(commands: str, file: str) -> str:
    """What `cat > FILE <<EOT` writes on node cp-1."""
    text = commands.partition(f"{file} <<EOT\n")[2].partition("\nEOT\n")[0] + "\n"
    return text.replace("$NODE", "cp-1").replace("$IMAGE", "registry.example.com/oidc-publisher:0.1")


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    """The static pod."""
    text = written(typed(KUBEADM, "The static pod"), "/etc/kubernetes/manifests/oidc-publisher-signer.yaml")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


@pytest.fixture(scope="module")
def unit() -> str:
    """The systemd unit."""
    return written(typed(SYSTEMD, "The unit"), "/etc/systemd/system/oidc-publisher-signer.service")


def test_the_pod_runs_the_signer_with_options_that_exist(pod: dict[str, Any]) -> None:
    """And with all that have to be given."""
    subcommands, options = pod["spec"]["containers"][0]["args"][:2], pod["spec"]["containers"][0]["args"][2:]
    given = {option.partition("=")[0] for option in options}
    assert subcommands == ["signer", "run"]
    assert given <= {name for parameter in run.params for name in parameter.opts}
    assert given >= {parameter.opts[0] for parameter in run.params if parameter.required}
    assert "--wrapping-key-file" in given
    assert "--import-key" not in given


def test_every_file_that_the_signer_is_given_is_in_its_folder(pod: dict[str, Any]) -> None:
    """Which the pod mounts, at the same place as on the node."""
    spec = pod["spec"]
    assert [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]] == [str(FOLDER)]
    assert [volume["hostPath"] for volume in spec["volumes"]] == [{"path": str(FOLDER), "type": "Directory"}]
    paths = [value for option in spec["containers"][0]["args"] if (value := option.partition("=/")[2])]
    assert len(paths) == 4
    assert all(PurePosixPath("/", path).is_relative_to(FOLDER) for path in paths)


def test_the_api_server_gets_the_folder_of_the_socket_and_nothing_else(pod: dict[str, Any]) -> None:
    """A new signer renames a new socket over the old one, and ring.json is none of the API server's business."""
    block = next(block for block in blocks(KUBEADM, "yaml") if "signing-endpoint" in block.text)
    server = yaml.safe_load(block.text)["apiServer"]
    (endpoint,) = [arg["value"] for arg in server["extraArgs"] if arg["name"] == "service-account-signing-endpoint"]
    assert f"--socket={endpoint}" in pod["spec"]["containers"][0]["args"]
    (volume,) = server["extraVolumes"]
    assert volume["hostPath"] == volume["mountPath"] == str(PurePosixPath(endpoint).parent)
    assert PurePosixPath(endpoint).parent != FOLDER


def test_the_pod_has_no_right_that_it_does_not_need(pod: dict[str, Any]) -> None:
    """No root, no capability, no new privileges, nothing to write to but its folder."""
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["spec"]["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_unit_does_what_the_pod_does(unit: str, pod: dict[str, Any]) -> None:
    """The same command line, the same user, and a restart before an API server waits longer."""
    program, *arguments = unit_command(unit)
    assert PurePosixPath(program).name == "oidc-publisher"
    assert sorted(arguments) == sorted(pod["spec"]["containers"][0]["args"])
    settings = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
    assert int(settings["User"]) == pod["spec"]["securityContext"]["runAsUser"]
    assert (settings["Restart"], settings["RestartSec"], settings["StartLimitIntervalSec"]) == ("always", "100ms", "0")
    assert settings["LimitCORE"] == "0"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_has_nothing_to_say_about_the_unit(unit: str, tmp_path: Path) -> None:
    """With a program that exists; and it has about a misspelt setting."""
    analyze = shutil.which("systemd-analyze") or ""

    def said(text: str) -> str:
        path = tmp_path / "oidc-publisher-signer.service"
        path.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={analyze}", text, flags=re.MULTILINE))
        argv = [analyze, "verify", "--man=no", "--recursive-errors=no", str(path)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        return "".join(line for line in done.stderr.splitlines(keepends=True) if path.name in line)

    assert said(unit) == ""
    assert "ReadWritePath" in said(unit.replace("ReadWritePaths", "ReadWritePath"))


BLOCKS = [block for page in PAGES for block in blocks(page, "sh", "bash")]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_every_block_of_commands_can_be_read(block: Block) -> None:
    """By bash, to its end."""
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False, timeout=10)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_heading_with_commands_is_run_by_the_live_test(page: Path) -> None:
    """A block marked bash that no test runs would only look as if it were tried."""
    tests = Path(__file__).parents[2]
    live = "".join(
        (tests / file).read_text() for file in ("live/test_managed_howto.py", "kubeadm/test_managed_keys.py")
    )
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    for heading in headings:
        if typed(page, heading):
            assert f'"{heading}"' in live, heading
