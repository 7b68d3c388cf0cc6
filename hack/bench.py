"""Measure the operator on real parts, and write docs/reference/performance.md; a figure that misses its target is no failure."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hack.benchmark import (  # noqa: E402
    awsclients,
    beside,
    calls,
    cdn,
    churn,
    console,
    fullledger,
    gallery,
    gcs,
    image,
    imports,
    lifecycle,
    machine,
    managed,
    memory,
    objects,
    options,
    page,
    pod,
    probing,
    ready,
    scrape,
    signer,
    steady,
    steps,
)
from hack.benchmark.figures import NothingToMeasureError  # noqa: E402
from hack.benchmark.fleet import chapter as fleet  # noqa: E402
from hack.benchmark.parts import Parts  # noqa: E402
from tests.support import namespace  # noqa: E402

if TYPE_CHECKING:
    from hack.benchmark.figures import Chapter
    from hack.benchmark.options import Amount

#: Those that need the servers, in the order in which they are measured.
ON_PARTS: dict[str, Callable[[Parts, Amount], Chapter]] = {
    "ready": ready.measure,
    "objects": objects.measure,
    "outage": lifecycle.measure_outages,
    "start": lifecycle.measure_starts,
    "steady": steady.measure,
    "kept": steady.measure_kept,
    "pod": pod.measure,
    "calls": calls.measure,
    "steps": steps.measure,
    "full": fullledger.measure,
    "fleet": fleet.measure,
    "memory": memory.measure,
    "churn": churn.measure,
    "image": image.measure,
}
ALONE: dict[str, Callable[[Amount], Chapter]] = {
    "gallery": gallery.measure,
    "cdn": cdn.measure,
    "gcs": gcs.measure,
    "boto3": awsclients.measure,
    "imports": imports.measure,
    "metrics": scrape.measure,
    "probing": probing.measure,
    "signer": signer.measure,
    "managed": managed.measure,
}


def main() -> int:
    """Measure what was asked for; only a full run writes the page."""
    arguments = _arguments()
    try:
        namespace.prepare()
        namespace.enter()
    except namespace.NamespaceImpossibleError as error:
        print(f"bench: {error}; run it as root, or allow user namespaces", file=sys.stderr)
        return 2
    namespace.clean_environment()
    began, facts = time.monotonic(), machine.facts()
    for name, value in facts.items():
        print(f"  {name:12} {value}")
    _compile()
    if arguments.beside is not None:
        return _beside(arguments.beside, arguments.rounds, arguments.only or ())
    bench = Bench(_amount(arguments))
    bench.measure(set(arguments.only or (*ON_PARTS, *ALONE)))
    print(f"{time.monotonic() - began:.0f} s. Machines are noisy: compare medians of one run.")
    for figure in (figure for chapter in bench.chapters for figure in chapter.figures if figure.met is False):
        print(f"misses target: {figure.what} ({f'{figure.target} {figure.unit}'.rstrip()})")
    if bench.failed:
        print(f"not measured: {', '.join(bench.failed)}; the page is left as it is", file=sys.stderr)
        return 1
    if arguments.put:
        print(f"put into {page.put(bench.chapters).relative_to(ROOT)}")
    elif arguments.quick or arguments.only:
        print("The page is written by a full run only.")
    else:
        print(f"wrote {page.write(bench.chapters, facts).relative_to(ROOT)}")
    return 0


class Bench:
    """One run. A measurement that cannot be made does not keep the others from being made."""

    def __init__(self, amount: Amount) -> None:
        self.amount = amount
        self.chapters: list[Chapter] = []
        self.failed: list[str] = []

    def measure(self, names: set[str]) -> None:
        """Measure what is named; the servers are started once, and only if they are needed."""
        if names & set(ON_PARTS):
            with tempfile.TemporaryDirectory(prefix="oidc-publisher-bench-") as folder:
                console.say("starting etcd, two API servers and S3")
                with Parts(Path(folder)) as parts:
                    for name in (name for name in ON_PARTS if name in names):
                        self._one(name, functools.partial(ON_PARTS[name], parts))
        for name in (name for name in ALONE if name in names):
            self._one(name, ALONE[name])

    def _one(self, name: str, work: Callable[[Amount], Chapter]) -> None:
        console.say(f"measuring: {name}")
        try:
            chapter = work(self.amount)
        except NothingToMeasureError as reason:
            console.say(f"left out: {name}, {reason}")
        except Exception:  # noqa: BLE001 - whatever it is, the others can be measured
            traceback.print_exc()
            self.failed.append(name)
        else:
            self.chapters.append(chapter)
            console.show(chapter)


def _beside(program: Path, rounds: int, only: Sequence[str]) -> int:
    """Measure this checkout and another one in turn, and print both; nothing is written."""
    with tempfile.TemporaryDirectory(prefix="oidc-publisher-bench-") as folder, Parts(Path(folder)) as parts:
        beside.show(beside.measure(parts, options.QUICK, program.resolve(), rounds, only))
    print(f"Load at the end (1, 5, 15 min): {' '.join(f'{load:.2f}' for load in os.getloadavg())}")
    return 0


def _compile() -> None:
    """Measure compiled bytecode, as it is installed, whatever was edited since."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", ROOT / "operator" / "oidc_publisher"], check=True, env=env
    )


def _amount(arguments: argparse.Namespace) -> Amount:
    amount = options.QUICK if arguments.quick else options.FULL
    sizes = tuple(sorted(arguments.fleet or ()))
    return dataclasses.replace(amount, fleet_sizes=sizes, memory_issuers=sizes[-1]) if sizes else amount


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, to see that it works; writes no page")
    names = ", ".join((*ON_PARTS, *ALONE))
    parser.add_argument(
        "--only", nargs="+", choices=(*ON_PARTS, *ALONE), metavar="NAME", help=f"some of: {names}; writes no page"
    )
    parser.add_argument(
        "--put",
        action="store_true",
        help="put the chapters of --only into the page of a former full run, each with its own date and load",
    )
    parser.add_argument(
        "--beside",
        type=Path,
        metavar="PROGRAM",
        help="measure in turn with the oidc-publisher of another checkout (PATH/.venv/bin/oidc-publisher); writes no page",
    )
    parser.add_argument(
        "--fleet",
        nargs="+",
        type=int,
        metavar="N",
        help="how many issuers the fleets have, in place of the usual numbers",
    )
    parser.add_argument("--rounds", type=int, default=8, help="of --beside; each takes about three minutes")
    arguments = parser.parse_args()
    if arguments.put and (arguments.quick or not arguments.only):
        parser.error("--put goes with --only, and not with --quick")
    if arguments.beside is not None and set(arguments.only or ()) - beside.CHAPTERS.keys():
        parser.error(f"--beside measures {', '.join(beside.CHAPTERS)} alone")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
