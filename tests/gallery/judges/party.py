"""What a judge is asked and answers, and the judges that are programs of their own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import jwt

from hack.testbed.cache import cache_folder
from hack.testbed.toolchain import find_or_fetch
from tests.gallery.case import Case
from tests.gallery.material import keys
from tests.gallery.place import Place

HERE = Path(__file__).resolve().parent
AUDIENCE, SUBJECT = "sts.amazonaws.com", "system:serviceaccount:default:gallery"
_DEADLINE_S = 120
_LATE = re.compile("timeout|timed out|deadline|still reading", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """An issuer, and a token that it would have signed."""

    name: str
    issuer: str
    token: str

    @classmethod
    def of(cls, case: Case, place: Place) -> Question:
        """Return the question about one case."""
        key, now = keys()[case.signer], int(time.time())
        claims = {"iss": place.issuer, "aud": [AUDIENCE], "sub": SUBJECT, "iat": now, "nbf": now, "exp": now + 3600}
        token = jwt.encode(claims, key.private_pem, algorithm=key.algorithm, headers={"kid": key.kid})
        return cls(case.name, place.issuer, token)


@dataclass(frozen=True, slots=True)
class Opinion:
    """Whether a judge accepts the token, and what it says if not."""

    accepts: bool
    says: str = ""


class Judge(Protocol):
    """A relying party that does not know us."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def version(self) -> str:
        """Which release was asked."""
        ...

    def ask(self, questions: Sequence[Question], roots: Path) -> dict[str, Opinion]:
        """Return its opinion of each issuer by the case's name; `roots` are the CAs that it trusts."""


@dataclass(frozen=True, slots=True)
class Program:
    """A judge that reads questions and writes answers, one JSON object a line; `{}` in `argv` is the file of roots."""

    name: str
    version: str
    argv: tuple[str, ...]

    def ask(self, questions: Sequence[Question], roots: Path) -> dict[str, Opinion]:
        """Ask everything at once, and once more what took too long: the machine may be the cause."""
        opinions = self._ask(questions, roots)
        late = [question for question in questions if _LATE.search(opinions[question.name].says)]
        return opinions | self._ask(late, roots)

    def _ask(self, questions: Sequence[Question], roots: Path) -> dict[str, Opinion]:
        lines = "".join(
            json.dumps({"name": q.name, "issuer": q.issuer, "audience": AUDIENCE, "token": q.token}) + "\n"
            for q in questions
        )
        argv = [argument.replace("{}", str(roots)) for argument in self.argv]
        done = subprocess.run(argv, input=lines, capture_output=True, text=True, check=False, timeout=_DEADLINE_S)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {done.stderr}")
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        return {answer["name"]: Opinion(answer["accepts"], answer["says"]) for answer in answers}


def python_party(library: str, package: str) -> Program:
    """Return PyJWT or joserfc."""
    argv = (sys.executable, str(HERE / "pythonparty.py"), library, "{}")
    return Program(library, metadata.version(package), argv)


def go_party() -> Program:
    """Return go-oidc, compiled into the user's cache when the source has changed."""
    module = HERE / "goparty"
    version = _pinned(r"go-oidc/v3 v(\S+)", module / "go.mod")
    program = cache_folder() / f"goparty-{version}"
    if not program.exists() or program.stat().st_mtime < (module / "main.go").stat().st_mtime:
        go = find_or_fetch("1.26.0", "install Go 1.26 or newer")
        program.parent.mkdir(parents=True, exist_ok=True)
        go.run(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", f"-o={program}", "."], module)
    return Program("go-oidc", version, (str(program), "{}"))


def node_party() -> Program:
    """Return jose, installed into the user's cache by the lock file."""
    source, folder = HERE / "nodeparty", cache_folder() / "nodeparty"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "nodeparty.js"):
        shutil.copy(source / name, folder / name)
    lock = json.loads((source / "package-lock.json").read_text())["packages"]
    installed = folder / "node_modules" / ".package-lock.json"
    if not installed.exists() or _versions(json.loads(installed.read_text())["packages"]) != _versions(lock):
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True)
    version = lock["node_modules/jose"]["version"]
    return Program("jose", version, ("env", "NODE_EXTRA_CA_CERTS={}", "node", str(folder / "nodeparty.js")))


def _versions(packages: dict[str, Any]) -> dict[str, str]:
    return {name: package["version"] for name, package in packages.items() if name}


def _pinned(pattern: str, file: Path) -> str:
    found = re.search(pattern, file.read_text())
    if found is None:
        raise ValueError(f"{file.name} pins no version")
    return found[1]
