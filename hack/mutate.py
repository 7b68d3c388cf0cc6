#!/usr/bin/env python3
"""`make mutate`: break the rules of rotation and of managed keys and the loop of a pass one at a time, and see tests fail.

The mutants stand in tests/unit/{rotation,reconcile,signer}/mutants.toml. Each is made in a copy of the package, in which only the tests
that it names are run. A mutant survives when one of those passes: then a rule is unguarded, or a test wrongly named.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path("operator") / "oidc_publisher"
TABLES = tuple(ROOT / "tests" / "unit" / room / "mutants.toml" for room in ("rotation", "reconcile", "signer"))
TESTS = tuple(
    Path("tests") / room
    for room in ("unit/rotation", "unit/reconcile", "unit/signer", "property", "simulation", "support")
)
#: For the tests of one mutant, which take seconds, and for those of all of them before anything is broken, which take a
#: minute: what a machine of two cores needs with a load of thirty.
TIMEOUT_S, SOUND_TIMEOUT_S = 600, 1800
RULES = frozenset(
    (*(f"R{number}" for number in range(1, 16)), "loop", *(f"S{n}" for n in (*range(1, 11), *range(13, 18))), "status")
)

_FAILED = re.compile(r"^FAILED tests/(\S+?)(?:\[.*)?(?: - .*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken rule: in `file` the text `old` becomes `new`, and every one of `tests` must fail."""

    rule: str
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def faults(self, checkout: Path) -> tuple[str, ...]:
        """Why the mutant says nothing about the checkout: its text is not there exactly once, or a test of it is gone."""
        times = (checkout / PACKAGE / self.file).read_text(encoding="utf-8").count(self.old)
        moved = () if times == 1 else (f"{self.file} has the text {times} times, not once",)
        gone = (f"there is no test {test}" for test in self.tests if not _defined(checkout / "tests", test))
        return tuple(f"{self.rule}, {self.breaks}: {fault}" for fault in (*moved, *gone))

    def apply(self, package: Path) -> None:
        """Break the rule in a copy of the package, which has the text once."""
        path = package / self.file
        path.write_text(path.read_text(encoding="utf-8").replace(self.old, self.new), encoding="utf-8")


def _defined(tests: Path, test: str) -> bool:
    file, _, name = test.partition("::")
    path = tests / file
    return (
        path.is_file()
        and re.search(rf"^(?:async )?def {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE) is not None
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: the named tests that failed, those that did not, and whether they came to an end."""

    mutant: Mutant
    failed: tuple[str, ...]
    passed: tuple[str, ...]
    ended: bool = True


def read_tables() -> tuple[Mutant, ...]:
    """The mutants of the tables; raises SystemExit where a rule has none."""
    entries = (entry for path in TABLES for entry in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"])
    mutants = tuple(Mutant(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries)
    missing = RULES - {mutant.rule for mutant in mutants}
    if missing:
        raise SystemExit(f"no mutant breaks {', '.join(sorted(missing))}")
    return mutants


def copy_checkout(folder: Path) -> Path:
    """What the tests need of the checkout: whoever edits it meanwhile does not disturb them."""
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE)
    for tests in TESTS:
        shutil.copytree(ROOT / tests, folder / tests)
    shutil.copy2(ROOT / "tests" / "__init__.py", folder / "tests")
    # The project's own settings would load plugins that these tests do without, at a second for each mutant.
    (folder / "pytest.ini").write_text(
        "[pytest]\naddopts = --import-mode=importlib\npythonpath = .\n", encoding="utf-8"
    )
    return folder


def failures(tests: Sequence[str], checkout: Path, timeout_s: float = TIMEOUT_S) -> frozenset[str]:
    """Run `tests` in a copy of the checkout; the ones that failed. Raises SystemExit when they could not be run.

    Raises subprocess.TimeoutExpired when they do not end in time.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", "-rf"]
    done = subprocess.run(
        [*command, *(f"tests/{test}" for test in tests)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout / PACKAGE.parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    failed = frozenset(_FAILED.findall(done.stdout))
    if done.returncode not in (0, 1) or (done.returncode == 1) != bool(failed):
        raise SystemExit(f"pytest could not run {', '.join(tests)}:\n{done.stdout}{done.stderr}")
    return failed


def judge(mutant: Mutant, checkout: Path) -> Verdict:
    """Make the mutant in a copy of its own and run its tests."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(shutil.copytree(checkout, folder, dirs_exist_ok=True))
        mutant.apply(copy / PACKAGE)
        try:
            failed = failures(mutant.tests, copy)
        except subprocess.TimeoutExpired:
            # No proof of anything: the machine may be slow. The others are judged all the same.
            return Verdict(mutant, (), mutant.tests, ended=False)
    survived = tuple(test for test in mutant.tests if test not in failed)
    return Verdict(mutant, tuple(test for test in mutant.tests if test in failed), survived)


def check_sound(mutants: Sequence[Mutant], checkout: Path) -> None:
    """Every mutant can be made, and every named test passes while nothing is broken; raises SystemExit otherwise."""
    faults = [fault for mutant in mutants for fault in mutant.faults(checkout)]
    if faults:
        raise SystemExit("\n".join(faults))
    tests = tuple(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    failed = failures(tests, checkout, SOUND_TIMEOUT_S)
    if failed:
        raise SystemExit(f"these fail though nothing is broken: {', '.join(sorted(failed))}")


def line(verdict: Verdict) -> str:
    """One row of the table."""
    names = ", ".join(test.rpartition("::")[2] for test in verdict.failed)
    survived = ", ".join(test.rpartition("::")[2] for test in verdict.passed)
    alive = "SURVIVED" if verdict.ended else f"NOT ENDED in {TIMEOUT_S} s"
    told = f"{alive} {survived}" if survived else names
    return f"{verdict.mutant.rule:<5} | {verdict.mutant.breaks:<66} | {told}"


def main() -> int:
    """Judge every mutant and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("rules", nargs="*", help="only these rules (R1 ... R15, S1 ... S17, loop)")
    parser.add_argument("--jobs", type=int, default=2, help="how many mutants at once")
    arguments = parser.parse_args()
    mutants = tuple(m for m in read_tables() if not arguments.rules or m.rule in arguments.rules)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(arguments.jobs) as pool:
        checkout = copy_checkout(Path(folder))
        check_sound(mutants, checkout)
        print(f"{'rule':<5} | {'mutation':<66} | killed by", flush=True)
        survivors = 0
        for verdict in pool.map(lambda mutant: judge(mutant, checkout), mutants):
            print(line(verdict), flush=True)
            survivors += bool(verdict.passed)
    print(f"{len(mutants)} mutants, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
