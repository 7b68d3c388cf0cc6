"""One name, one thing: a search for a class or a module lands in one room."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import oidc_publisher
from tests.support.syntax import syntax_tree

ROOT = Path(oidc_publisher.__file__).parent

#: Modules that play one role in each room that has them, whatever the room.
ROLES = {
    "port": "the Protocol of the room",
    "memory": "the implementation of the room's port in memory",
    "factory": "makes the room's implementation from the spec",
    "command": "a command's options and help",
    "body": "what a command does, entered by its one lazy import",
    **dict.fromkeys(
        ("read", "plan", "publish", "prove", "report"), "a step of the pass, and the reasons that it finds"
    ),
    "text": "the room's words for people",
    "errors": "the tree of our errors, and what a cloud's errors mean",
    "failures": "what a request that got no answer means",
    "clients": "how a cloud's clients are made",
    "objects": "single objects of a cloud, of a cluster, as key sources",
    "store": "a cloud's implementation of the port Store",
    "session": "a connection with its credentials: kopf's, Google's",
    "judge": "what was seen, judged: documents, a token",
    "ledger": "the ledger, and the ledger as status holds it",
    "publication": "the documents to publish, and status.publication",
    "clock": "the clock's port, and rule R13 of the clock",
    "events": "Events of Kubernetes that are posted, and those of a watch that are read",
}
#: Private subclasses of the same two classes of urllib3, in two clouds that know nothing of each other.
TWINS = {"_HTTPConnection", "_HTTPPool"}
#: A sentence of a docstring that begins with a member and explains it: "`wire` is None when", "`more`: another follows".
EXPLAINED = re.compile(
    r"(?:^|[.;] |\n)`([a-z_]+)`(?=:|\s(?:is|are|has|have|holds|says|counts|names|states)\b)", re.MULTILINE
)


def modules() -> Iterator[Path]:
    return (path for path in ROOT.rglob("*.py") if not path.stem.startswith("__"))


def names_of(path: Path) -> Iterator[str]:
    """Classes of a module, and aliases of types that are written like one."""
    for node in syntax_tree(path).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            targets = (target.id for target in node.targets if isinstance(target, ast.Name))
            yield from (name for name in targets if name[0].isupper() and not name.isupper())


def test_a_class_name_stands_for_one_class() -> None:
    """Aliases of types count: a reader cannot tell the two apart."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for name in names_of(path):
            found[name].append(str(path.relative_to(ROOT)))
    assert len(found) > 200, "this test reads what it means to read"
    twice = {name: rooms for name, rooms in found.items() if len(rooms) > 1 and name not in TWINS}
    assert twice == {}


def test_a_module_name_stands_for_one_module_or_for_one_role() -> None:
    """Every role is in use, so that none stays allowed that no module plays any more."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        found[path.stem].append(str(path.relative_to(ROOT)))
    twice = {name for name, rooms in found.items() if len(rooms) > 1}
    assert twice == set(ROLES)


def test_a_docstring_explains_members_that_the_class_has() -> None:
    """A member that goes takes its sentence with it, also where another branch rewrote that sentence meanwhile."""
    explained, gone = 0, []
    for path in modules():
        for node in (node for node in ast.walk(syntax_tree(path)) if isinstance(node, ast.ClassDef)):
            named = EXPLAINED.findall(ast.get_docstring(node) or "")
            if not named:
                continue
            has = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
            has |= {name.attr for name in ast.walk(node) if isinstance(name, ast.Attribute)}
            has |= {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
            has |= {argument.arg for argument in ast.walk(node) if isinstance(argument, ast.arg)}
            explained += len(named)
            gone += [f"{node.name} in {path.relative_to(ROOT)}: {name}" for name in named if name not in has]
    assert explained > 150, "this test reads what it means to read"
    assert gone == []
