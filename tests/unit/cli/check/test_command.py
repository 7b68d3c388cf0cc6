"""What `check` is called with."""

from __future__ import annotations

from pathlib import Path

import pytest

from oidc_publisher.cli import main


@pytest.mark.parametrize("more", [["--pre"], ["-f", "FILE"]], ids=" ".join)
def test_a_name_is_of_an_object_in_the_cluster(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the installation there is none, and a manifest has a name of its own."""
    (tmp_path / "issuer.yaml").write_text("")
    with pytest.raises(SystemExit) as done:
        main(["check", "prod", *(str(tmp_path / "issuer.yaml") if word == "FILE" else word for word in more)])
    assert done.value.code == 2
    assert "NAME is about objects in the cluster" in capsys.readouterr().err


def test_without_credentials_there_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, and the exit code that is no answer."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SystemExit) as done:
        main(["check", "--kubeconfig", str(tmp_path / "none")])
    assert done.value.code == 2
    assert capsys.readouterr().err.startswith("Error: ")
