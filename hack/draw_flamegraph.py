#!/usr/bin/env python3
"""Draw docs/images/pass-flamegraph.svg: where the CPU time of a resting pass goes, measured on real parts.

One issuer of two API servers, at an interval of a second, before an S3 server that keeps connections. It takes two
minutes. --stacks draws a file that hack/benchmark/flamedriver.py has written.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hack.benchmark.parts import ROOT, Parts
from hack.benchmark.watch import Watch, is_ready
from tests.support import namespace

PICTURE = ROOT / "docs/images/pass-flamegraph.svg"
DRIVER = ROOT / "hack/benchmark/flamedriver.py"
#: Until the rotation has come to rest, and then for how long stacks are counted.
REST_S, COUNTED_S = 30.0, 75.0
WIDTH, ROW, TOP = 1000, 18, 64
#: A narrower frame has no place for a name, and is left out.
NARROWEST = 0.006
#: Of a function's time, what the one that it calls has, where it does next to nothing itself.
_CHAIN = 0.9
_LETTER = 6.2
_COLOURS = {
    "oidc_publisher": "#4f9d69",
    "aiohttp": "#d98e4a",
    "asyncio": "#e0b04f",
    "ssl": "#c9665a",
    "botocore": "#8a7fc0",
    "urllib3": "#a39ad0",
    "joserfc": "#5f9ea8",
}
_OTHER = "#b8b8b0"
_STYLE = "text{font:11px system-ui,sans-serif;fill:#222}.h{font-size:15px;font-weight:600}.s{fill:#555}"
#: What every turn of the loop and every job of a thread begins with, and the name that stands for it.
_ROOTS = {
    "asyncio.events.Handle._run": "event loop",
    "oidc_publisher.threads._Worker.work": "threads of the store and of names",
    "asyncio.base_events.BaseEventLoop._run_once": "event loop",
}


@dataclass
class Node:
    """A function, or a library, with the CPU time in it and below it."""

    name: str
    spent: int = 0
    below: dict[str, Node] = field(default_factory=dict)

    def add(self, names: Iterable[str], spent: int) -> None:
        """Add the time of one stack below this node."""
        node = self
        node.spent += spent
        for name in names:
            node = node.below.setdefault(name, Node(name))
            node.spent += spent


def shortened(stack: str) -> list[str]:
    """Return the names of a stack: what runs it, then our functions, and one name for each library in between."""
    frames = stack.split(";")
    at = next((i for mark in _ROOTS for i, name in enumerate(frames) if name == mark), None)
    names = ["other threads"] if at is None else [_ROOTS[frames[at]]]
    for frame in frames[(at or 0) + 1 :]:
        name = _shown(frame)
        if name != names[-1] and not name.endswith("<lambda>"):
            names.append(name)
    return names


def _shown(frame: str) -> str:
    package, _, rest = frame.partition(".")
    return rest.replace(".<locals>", "") if package == "oidc_publisher" else package


def read_stacks(file: Path) -> Node:
    """Return the tree of a file of stacks."""
    root = Node("CPU of the passes")
    for line in file.read_text(encoding="utf-8").splitlines():
        stack, _, spent = line.rpartition(" ")
        root.add(shortened(stack), int(spent))
    return root


def draw(root: Node) -> str:
    """Return the picture of a tree, outermost frames on top."""
    boxes = list(_boxes(root, 0.0, 1.0, 0))
    height = TOP + (max(row for row, _ in boxes) + 1) * ROW + 12
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="Where the CPU time of a resting pass goes">'
        f'<style>{_STYLE}</style><rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        '<text class="h" x="10" y="24">Where the CPU time of a resting pass goes</text>'
        '<text class="s" x="10" y="44">The wider, the more time; what stands below is called from above. '
        "Libraries have one box each, whatever they call within. Green: the operator's own functions.</text>"
    )
    return head + "\n" + "\n".join(box for _, box in boxes) + "\n</svg>\n"


def _boxes(node: Node, left: float, share: float, row: int) -> Iterator[tuple[int, str]]:
    node = _end_of_chain(node)
    yield row, _box(node.name, left, share, row)
    for child in sorted(node.below.values(), key=lambda child: -child.spent):
        width = share * child.spent / node.spent
        if width >= NARROWEST:
            yield from _boxes(child, left, width, row + 1)
        left += width


def _end_of_chain(node: Node) -> Node:
    """Return the first of our functions below that does more than to call one other."""
    while "." in node.name and len(node.below) == 1:
        (child,) = node.below.values()
        if "." not in child.name or child.spent < _CHAIN * node.spent:
            break
        node = child
    return node


def _box(name: str, left: float, share: float, row: int) -> str:
    x, y, width = left * WIDTH, TOP + row * ROW, share * WIDTH
    colour = _COLOURS.get(name, _COLOURS["oidc_publisher"] if "." in name else _OTHER)
    letters = int((width - 6) / _LETTER)
    parts = name.split(".")
    labels = (".".join(parts[-count:]) for count in range(min(len(parts), 2), 0, -1))
    label = next((label for label in labels if len(label) <= letters), parts[-1])
    shown = f'<text x="{x + 3:.1f}" y="{y + 13}">{escape(label[:letters])}</text>' if letters > 2 else ""
    return (
        f"<g><title>{escape(name)}: {100 * share:.1f} %</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{max(width - 0.6, 0.4):.1f}" height="{ROW - 1}" rx="2" fill="{colour}"/>'
        f"{shown}</g>"
    )


def measured(folder: Path) -> Path:
    """Return the file of the stacks of an operator at rest."""
    stacks = folder / "stacks"
    env = {"BENCH_STACKS": str(stacks), "BENCH_STACKS_AFTER_S": f"{REST_S:g}"}
    with Parts(folder) as parts, parts.kept_connections():
        operator = parts.operator(driver=DRIVER, env=env)
        operator.process.start()
        try:
            with Watch(parts.cluster) as watch:
                parts.create(parts.issuer("flame", interval="1s"))
                watch.wait(lambda event: is_ready(event, "flame"), timeout_s=60, what="Ready")
            time.sleep(REST_S + COUNTED_S)
        finally:
            operator.kill()
    return stacks


def main() -> int:
    """Measure, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stacks", type=Path, help="draw this file, and measure nothing")
    arguments = parser.parse_args()
    if arguments.stacks:
        PICTURE.write_text(draw(read_stacks(arguments.stacks)), encoding="utf-8")
        return 0
    namespace.prepare()
    namespace.enter()
    namespace.clean_environment()
    with tempfile.TemporaryDirectory(prefix="oidc-publisher-flame-") as folder:
        PICTURE.write_text(draw(read_stacks(measured(Path(folder)))), encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)} at a load of {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
