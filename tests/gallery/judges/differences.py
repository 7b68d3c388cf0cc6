"""Where the judges and the probe differ, and why."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.gallery.case import Verdict
from tests.gallery.cases import CASES
from tests.gallery.judges.recorded import Records

FILE = Path(__file__).resolve().parents[1] / "differences.toml"


@dataclass(frozen=True, slots=True)
class Differences:
    """The names of the cases that the probe refuses and a judge accepts, and of the reverse."""

    we_refuse: frozenset[str]
    we_accept: frozenset[str]


def differences(records: Records) -> Differences:
    """Return where they differ; where the probe says nothing of the issuer there is nothing to compare."""
    refused, accepted = set(), set()
    for name, record in records.cases.items():
        opinions = [opinion.accepts for opinion in record.judges.values()]
        if CASES[name].verdict is Verdict.REFUSED and any(opinions):
            refused.add(name)
        if CASES[name].verdict is Verdict.WARNED and not all(opinions):
            accepted.add(name)
    return Differences(frozenset(refused), frozenset(accepted))


def explanations() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return why, by case: where the probe refuses, and where it accepts."""
    found = tomllib.loads(FILE.read_text())
    return found["we-refuse"], found["we-accept"]
