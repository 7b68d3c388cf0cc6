"""What the pages tell people to type exists: commands and their options, verbs of make, values, fields of the API."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from oidc_publisher.api import custom_resource_definition
from oidc_publisher.cli.main import cli
from tests.support.docpages import DOCS, PAGES, ROOT, Block, blocks, runs
from tests.support.foreach import for_each

by_page = for_each("page", PAGES)
TUTORIAL = DOCS / "tutorial" / "first-issuer.md"
SCHEMA = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
CHECKLIST = DOCS / "how-to" / "production-checklist.md"


def refusal(words: list[str]) -> str:
    """What the command line says of these words, empty where it takes them.

    In prose a command stands without its arguments, so one that is missing is no refusal.
    """
    if not words or words[0].startswith("-"):
        return ""
    words = ["prod" if word == "NAME" else word for word in words]  # as a reader replaces it
    context, command = click.Context(cli), cli.get_command(click.Context(cli), words[0])
    while isinstance(command, click.Group) and len(words) > 1 and not words[1].startswith("-"):
        context, words = click.Context(command, context), words[1:]
        command = command.get_command(context, words[0])
    if command is None:
        return f"no command {words[0]}"
    try:
        command.make_context(words[0], words[1:], parent=context)
    except click.MissingParameter:
        return ""
    except click.UsageError as error:
        return "" if "does not exist" in error.message else error.message  # a file of the reader's
    except click.exceptions.Exit:
        return ""
    return ""


@pytest.fixture
def in_a_folder_of_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that commands of the pages read."""
    for name in ("issuer.yaml", "policy.json"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("in_a_folder_of_examples")
@by_page
def test_every_command_and_option_exists(page: Path) -> None:
    """The command line's own parser takes what the pages show."""
    refused = {" ".join(words): refusal(words) for words in runs(page, "oidc-publisher")}
    assert {words: why for words, why in refused.items() if why} == {}


@by_page
def test_every_verb_of_make_exists(page: Path) -> None:
    """A target that is renamed takes its pages with it."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    said = {word for words in runs(page, "make") for word in words if re.fullmatch(r"[a-z][a-z-]*", word)}
    assert said - targets == set()


def test_the_pages_are_read() -> None:
    """Both tests see what they mean to see, and the parser refuses what does not exist."""
    told = [words for page in PAGES for words in runs(page, "oidc-publisher")]
    assert len(told) > 40
    assert {"plan", "check", "status", "wait", "run"} <= {words[0] for words in told if words}
    assert sum(1 for page in PAGES for _ in runs(page, "make")) > 20
    assert "no command" in refusal(["plain"])
    assert "No such option" in refusal(["status", "prod", "--watch-it"])
    assert "no command turn" in refusal(["keys", "turn"])
    assert "No such option" in refusal(["keys", "rotate", "--at-once"])


def fields(page: Path) -> set[str]:
    """The paths that kubectl is told to take from an OIDCIssuer."""
    lines = [line for block in blocks(page) for line in block.text.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`[^`\n]+`", page.read_text())
    named = [line for line in lines if re.search(r"\boidci(ssuers?)?[/ ]", line)]
    return {path for line in named for path in re.findall(r"\{(\.(?:spec|status)[^}]*)\}", line)}


def unknown_part(path: str) -> str:
    """The first member of a path that the API's schema does not have, empty where it has all."""
    schema = SCHEMA
    names: list[str] = re.findall(r"\w+", re.sub(r"\[[^\]]*\]", "", path))
    for name in names:
        schema = schema.get("items", schema).get("properties", {}).get(name)
        if schema is None:
            return name
    return ""


@by_page
def test_every_field_that_kubectl_is_asked_for_exists(page: Path) -> None:
    """A jsonpath that leads nowhere prints nothing, which reads as an answer."""
    assert {path for path in fields(page) if unknown_part(path)} == set()


def test_the_fields_are_read() -> None:
    """The test above sees paths, and finds a wrong one."""
    assert len({path for page in PAGES for path in fields(page)}) > 8
    assert unknown_part('.status.keys[?(@.keyID=="KID")].knownToCaches') == ""
    assert unknown_part(".status.keys[*].knownToEverybody") == "knownToEverybody"


@pytest.mark.parametrize("block", blocks(TUTORIAL, "sh", "bash"), ids=lambda block: block.where)
def test_the_tutorial_is_a_script(block: Block) -> None:
    """Each block by itself is one that bash can read to its end."""
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False, timeout=10)
    assert (done.returncode, done.stderr) == (0, "")


def test_each_line_of_the_checklist_has_its_command() -> None:
    """The second column is something to type, whose program people have at hand."""
    rows = [line for line in CHECKLIST.read_text().splitlines() if line.startswith("| ") and "---" not in line]
    asked = [row.split(" | ")[1] for row in rows if not row.startswith("| |")]
    assert len(asked) > 30
    programs = ("kubectl", "helm", "aws", "curl", "oidc-publisher")
    assert [cell for cell in asked if not cell.startswith(tuple(f"`{program} " for program in programs))] == []
