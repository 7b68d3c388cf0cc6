"""hack/release_check.py: the version stands in one place, and nothing goes out that does not fit it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from hack import release_check
from hack.release import artefacts, checks, image
from oidc_publisher import __version__

ROOT = Path(__file__).parents[3]
COMMIT = "c" * 40
LABELS = {"org.opencontainers.image.version": __version__, "org.opencontainers.image.revision": COMMIT}


def test_the_version_is_the_package_s_everywhere() -> None:
    """Chart, appVersion, the image's tag and its label are made from it; pyproject.toml and the Dockerfile name none."""
    chart = yaml.safe_load((ROOT / "charts/oidc-publisher/Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    named = subprocess.run(["hack/image/build", "--name"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert named.strip().endswith(f":{__version__}")
    assert 'image.version="${VERSION}"' in (ROOT / "Dockerfile").read_text()
    assert '--build-arg "VERSION=$version"' in (ROOT / "hack/image/build").read_text()
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text()


def test_a_chart_of_another_version_is_told(tmp_path: Path) -> None:
    """Somebody raised the version and forgot make gen."""
    file = tmp_path / "charts/oidc-publisher/Chart.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"version: 0.0.9\nappVersion: {__version__}\n")
    line = checks.version_line(tmp_path)
    assert line.wrong
    assert "Chart.yaml has version 0.0.9; run make gen" in line.found


@pytest.mark.parametrize(
    ("tag", "at_head", "elsewhere", "wrong", "found"),
    [
        ("v1.2.3", [], [], False, "v1.2.3"),
        ("v1.2.4", [], [], True, "v1.2.4 is not v1.2.3"),
        ("1.2.3", [], [], True, "1.2.3 is not v1.2.3"),
        ("", ["v1.2.3"], ["v1.2.3"], False, "v1.2.3"),
        ("", ["v1.2.2"], ["v1.2.2"], True, "v1.2.2 is not v1.2.3"),
        ("", [], ["v1.2.2"], False, "none at this commit; v1.2.3 would be it"),
        ("", [], ["v1.2.3"], True, "v1.2.3 is there, at another commit: raise the version"),
    ],
)
def test_the_tag_is_the_version(*, tag: str, at_head: list[str], elsewhere: list[str], wrong: bool, found: str) -> None:
    """A tag that is there already would be moved; one of another version would publish under a wrong name."""
    assert checks.tag_line(tag, "1.2.3", at_head=at_head, elsewhere=elsewhere) == checks.Line("tag", found, wrong)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# Changelog\n\n## [1.2.3] - 2026-01-31\n\n### Added\n\n- One.\n- Two.\n\n## 1.2.2\n\n- Old.\n", "2 entries"),
        ("## 1.2.3\n\n- One.\n", "1 entries"),
        ("## Unreleased\n\n- One.\n", None),
        ("## 1.2.3\n\n## 1.2.2\n\n- Old.\n", None),
        ("## 1.2.30\n\n- Other.\n", None),
        ("## 1x2x3\n\n- Other.\n", None),
    ],
)
def test_the_changelog_has_the_version_s_section(text: str, found: str | None) -> None:
    """An empty one is none, and so is that of another version."""
    line = checks.changelog_line(text, "1.2.3")
    assert line.wrong == (found is None)
    assert found is None or line.found.endswith(found)


def test_a_dirty_checkout_is_told_with_names() -> None:
    """What is published must be what is committed."""
    assert not checks.tree_line("").wrong
    line = checks.tree_line(" M Makefile\n?? new.py")
    assert (line.wrong, line.found) == (True, "2 files differ from the commit: Makefile, new.py")


def test_the_released_chart_names_the_image_of_its_release() -> None:
    """By repository and digest; a values.yaml in which they cannot be written is refused, not released."""
    text = (ROOT / "charts/oidc-publisher/values.yaml").read_text()
    digest = f"sha256:{'a' * 64}"
    stamped = yaml.safe_load(artefacts.stamped_values(text, "ghcr.io/owner/oidc-publisher", digest))
    assert stamped == yaml.safe_load(text) | {
        "image": yaml.safe_load(text)["image"] | {"repository": "ghcr.io/owner/oidc-publisher", "digest": digest}
    }
    with pytest.raises(ValueError, match=r"0 places of an empty image\.repository"):
        artefacts.stamped_values(text.replace('repository: ""', "repository: other"), "a", digest)


@pytest.mark.slow
def test_the_bill_of_materials_holds_what_is_locked(tmp_path: Path) -> None:
    """Each package by version and hash; one that is missing is told."""
    file = artefacts.write_bom(tmp_path)
    bom = json.loads(file.read_text())
    assert bom["metadata"]["component"]["purl"] == f"pkg:pypi/oidc-publisher@{__version__}"
    assert not artefacts.bom_line(file).wrong
    boto3 = next(one for one in bom["components"] if one["name"] == "boto3")
    assert re.fullmatch(r"pkg:pypi/boto3@[0-9.]+", boto3["purl"])
    assert any(reference.get("hashes") for reference in boto3["externalReferences"])
    bom["components"].remove(boto3)
    file.write_text(json.dumps(bom))
    assert "missing: boto3" in artefacts.bom_line(file).found


@pytest.mark.parametrize(
    ("labels", "wrong"),
    [
        (LABELS, []),
        (LABELS | {"org.opencontainers.image.version": "0.0.1"}, ["org.opencontainers.image.version 0.0.1"]),
        ({"org.opencontainers.image.version": __version__}, ["org.opencontainers.image.revision is missing"]),
    ],
)
def test_the_image_s_labels_are_those_of_the_checkout(labels: dict[str, str], wrong: list[str]) -> None:
    """An image that was built before, or from something else, is told."""
    lines = image.lines_of(image.Image("name:1", labels, 146_000_000, "sha256:abc", "amd64"), COMMIT)
    assert lines[0].found == "name:1, linux/amd64, 146 MB unpacked, sha256:abc"
    assert [line.found for line in lines if line.wrong] == wrong


def test_without_an_engine_the_image_is_left_out_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without docker can still look at the rest."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    (line,) = image.image_lines()
    assert (line.wrong, line.found) == (False, "left out: none of docker, podman, buildah is on PATH")


def test_what_speaks_against_a_release_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One wrong line is enough; artefacts that cannot be made are another code."""
    archive = tmp_path / "chart.tgz"
    archive.write_bytes(b"chart")
    monkeypatch.setattr(release_check, "package_chart", lambda *_: archive)
    monkeypatch.setattr(release_check, "write_bom", lambda _: archive)
    monkeypatch.setattr(release_check, "bom_line", lambda _: checks.Line("materials", "all", wrong=False))
    monkeypatch.setattr(release_check, "checkout_lines", lambda _: [checks.Line("tag", "v1", wrong=False)])
    arguments = ["--no-image", f"--folder={tmp_path}"]
    assert release_check.main(arguments) == 0
    assert "all good; nothing was pushed" in capsys.readouterr().out
    monkeypatch.setattr(release_check, "checkout_lines", lambda _: [checks.Line("tag", "v1", wrong=True)])
    assert release_check.main(arguments) == 1
    assert "no  tag        v1" in capsys.readouterr().out

    def refused(*_: object) -> Path:
        raise subprocess.CalledProcessError(1, "helm", stderr="bad chart")

    monkeypatch.setattr(release_check, "package_chart", refused)
    assert release_check.main(arguments) == 2
