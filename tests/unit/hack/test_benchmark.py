"""The page of figures, and a chapter that cannot be measured here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hack import bench
from hack.benchmark import image, options, page
from hack.benchmark.figures import Chapter, Figure, NothingToMeasureError, Target
from hack.benchmark.signload import SignLoad
from tests.support.signerthread import SignerThread, new_key

WHOLE = "<!-- generated -->\n# Performance\n\nAll of one run.\n\n## First\n\nOld text.\n\n| a |\n| --- |\n\n## Second\n\nStays.\n"


def chapter(title: str) -> Chapter:
    return Chapter(title, "New text.", (Figure("Size", "MB", (12.34,), Target(150)),))


def test_a_chapter_takes_its_former_place_and_says_when_it_was_measured(tmp_path: Path) -> None:
    """The others keep theirs: their figures are of the full run."""
    file = tmp_path / "performance.md"
    file.write_text(WHOLE)
    page.put([chapter("First"), chapter("Third")], file)
    first, second, third = file.read_text().split("\n## ")[1:]
    assert "Old text" not in first
    assert first.startswith("First\n\nMeasured by itself on 20")
    assert "New text." in first
    assert "| Size | 12.3 | 12.3 | 12.3 | MB | 1 | < 150 MB | ok |" in first
    assert second == "Second\n\nStays.\n"
    assert third.startswith("Third\n\nMeasured by itself")


def test_putting_a_chapter_again_changes_nothing_else(tmp_path: Path) -> None:
    """One empty line between chapters, one newline at the end."""
    file = tmp_path / "performance.md"
    file.write_text(WHOLE)
    page.put([chapter("Second")], file)
    once = file.read_text()
    page.put([chapter("Second")], file)
    assert file.read_text().split("\n## ")[1] == once.split("\n## ")[1] == WHOLE.split("\n## ")[1]
    assert not file.read_text().endswith("\n\n")


def test_what_is_not_there_is_left_out_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So a full run writes its page on a machine without an image."""

    def nothing(_: options.Amount) -> Chapter:
        raise NothingToMeasureError("there is no image: make image")

    monkeypatch.setattr(bench, "ALONE", {"none": nothing, "one": lambda _: chapter("One")})
    run = bench.Bench(options.QUICK)
    run.measure({"none", "one"})
    assert [found.title for found in run.chapters] == ["One"]
    assert run.failed == []
    assert "left out: none, there is no image: make image" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("app/lib/aiohttp/client.py", "locked dependencies"),
        ("app/lib/oidc_publisher/cli/main.py", "the package"),
        ("app/lib/oidc_publisher-0.1.0.dist-info/METADATA", "the package"),
        ("app/bin/oidc-publisher", "the package"),
        ("usr/lib/python3.13/__pycache__/ast.cpython-313.pyc", "bytecode of the standard library"),
        ("usr/lib/python3.13/ast.py", "the base"),
        ("etc/passwd", "the base"),
    ],
)
def test_every_file_of_the_image_has_its_part(path: str, part: str) -> None:
    """What the Dockerfile puts upon its base is told from the base."""
    assert image.part_of(path) == part


@pytest.mark.parametrize(
    ("target", "samples", "met", "shown"),
    [
        (Target(5), (1, 4.9), True, "< 5"),
        (Target(5), (1, 5), False, "< 5"),
        (Target(5, inclusive=True), (5,), True, "≤ 5"),
        (Target(5, by="median"), (1, 2, 90), True, "median < 5"),
        (Target(55, inclusive=True, at_least=True), (55, 60), True, "≥ 55"),
        (Target(55, inclusive=True, at_least=True), (54, 60), False, "≥ 55"),
        (Target(55, by="median", at_least=True), (54, 60, 61), True, "median > 55"),
        (Target(55, at_least=True), (55,), False, "> 55"),
    ],
)
def test_a_target_is_kept_or_missed(target: Target, samples: tuple[float, ...], met: bool, shown: str) -> None:
    """A figure is to stay below it, or above it."""
    figure = Figure("Rate", "%", samples, target)
    assert (figure.met, str(target)) == (met, shown)


def test_signatures_are_asked_for_as_an_api_server_does(tmp_path: Path) -> None:
    """Eight at a time on one connection; each of them is one, or the measurement fails."""
    path = tmp_path / "signer.sock"
    with SignerThread(path, new_key(1)) as signer:
        with SignLoad(path) as load:
            signed = load.sign(8, 0.05)
            assert signed.calls >= 8
            assert 0 < signed.p99_ms < 30_000
            assert load.sign(1, 0).calls == 1
        signer.offer(replace(new_key(2), private=None))
        with SignLoad(path) as load, pytest.raises(RuntimeError, match="a call of Sign failed"):
            load.sign(1, 0)
