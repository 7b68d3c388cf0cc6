#!/usr/bin/env python3
"""Draw docs/images/managed-rotation.svg from a rotation of managed keys; --check: is it what the signers' rules say?

Two signers decide by the real rules in the simulated world of the tests, beside the model of an operator with the default
periods. One signer is cut off from the ring for a day and a half, so that the picture shows what a rotation waits for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html import escape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hack.draw_timeline import (
    COLOURS,
    END,
    INK,
    RIGHT,
    STYLE,
    WIDTH,
    Track,
    axis,
    bar,
    hours,
    put,
    text,
    x_of,
)
from tests.simulation.ringworld import MINUTE, Node, RingWorld
from tests.support.rings import HOUR

PICTURE = Path(__file__).resolve().parents[1] / "docs/images/managed-rotation.svg"
STEP = 5 * MINUTE
#: Signer B cannot reach the ring from the first to the second; a person asks for version 2 between them.
CUT_OFF, ASKED, BACK = 4 * HOUR, 6 * HOUR, 38 * HOUR
#: prePublishPeriod, stale age and clock skew; maxTokenLifetime and clock skew.
SAFE_AFTER, RETIRES_AFTER = 24 * HOUR + 10 * MINUTE, 24 * HOUR + 5 * MINUTE
KEEPS = 24 * HOUR
SERVERS = "AB"


def _signs_with(node: Node) -> str:
    if node.served is None or node.served.sign is None:
        raise SystemExit("a signer of the simulated world does not sign")
    return node.served.sign.key_id


@dataclass
class Story:
    """The rotation, five minutes by five minutes."""

    world: RingWorld = field(default_factory=lambda: RingWorld(nodes=2))
    servers: dict[str, Track[str]] = field(default_factory=lambda: {name: Track() for name in SERVERS})
    states: dict[int, Track[str]] = field(default_factory=lambda: {1: Track(), 2: Track()})
    published: Track[str] = field(default_factory=Track)
    marks: dict[str, timedelta] = field(default_factory=dict)
    checks: int = 0
    rejected: int = 0
    #: The verifiers' copies by the minute at which each fetches, and since when a set is published.
    copies: dict[timedelta, frozenset[str]] = field(default_factory=dict)

    def tell(self) -> None:
        """Live through it."""
        operator = self.world.operator
        operator.pre_publish, operator.lifetime = SAFE_AFTER, RETIRES_AFTER
        for step in range(int(END / STEP)):
            now = step * STEP
            self.world.nodes[1].door.open = not CUT_OFF <= now < BACK
            if now >= ASKED:
                self.world.intent = replace(self.world.intent, newest_version=2)
            self.world.wait(int(STEP / MINUTE), step=int(STEP / MINUTE))
            self._note(now)
            self._verify(now)
        self.rejected += len(self.world.refused)

    def _note(self, now: timedelta) -> None:
        ring = self.world.secret.ring
        if ring is None:
            raise SystemExit("the simulated world has lost its ring")
        numbers = {key.key_id: key.number for key in ring.keys}
        signing = set()
        for name, node in zip(SERVERS, self.world.nodes, strict=True):
            number = numbers[_signs_with(node)]
            listed = sorted(numbers[key_id] for key_id in self.world.lists(node))
            signing.add(number)
            self.servers[name].note(now, f"{number}: lists {' and '.join(map(str, listed))}")
        for key in ring.keys:
            waits = "Allowed" if key.signed_time else "Waiting"
            state = "VerifyOnly" if key.verify_only else "Signing" if key.number in signing else waits
            self.states[key.number].note(now, state)
        keys = sorted(numbers[key_id] for key_id in self.world.operator.ledger)
        self.published.note(now, " and ".join(map(str, keys)))
        self._mark(now, ring.keys[0].number, keys)

    def _mark(self, now: timedelta, newest: int, published: list[int]) -> None:
        entry = self.world.operator.ledger
        second = [e for k, e in entry.items() if k != self.world.first[0].key_id]
        reached = {
            "made": newest == 2,
            "old enough": bool(second) and self.world.now >= second[0].since + SAFE_AFTER,
            "signs": (2, "Signing") in self._now(),
            "destroyed": (1, "VerifyOnly") in self._now(),
            "left": newest == 2 and published == [2],
        }
        for name in (name for name, holds in reached.items() if holds):
            self.marks.setdefault(name, now)

    def _now(self) -> set[tuple[int, str]]:
        """The state of each version that there is."""
        return {(number, track.spans[-1][1]) for number, track in self.states.items() if track.spans}

    def _verify(self, now: timedelta) -> None:
        """Verifiers that keep a copy for a day, and fetch at no other time, meet a token of each key that lives."""
        published = frozenset(self.world.operator.ledger)
        for phase in range(0, int(KEEPS / STEP), 12):
            due = phase * STEP
            if due not in self.copies or (now - due) % KEEPS == timedelta(0):
                self.copies[due] = published
            alive = [k for k, at in self.world.minted.items() if self.world.now - at <= KEEPS]
            self.checks += len(alive)
            self.rejected += sum(key_id not in self.copies[due] for key_id in alive)


def lanes(story: Story) -> Iterator[str]:
    """What everybody did."""
    yield text(24, 134, "THE CLUSTER", "head")
    for name, y in (("A", 144), ("B", 170)):
        yield text(24, y + 15, f"API server {name}", "lane")
        for begin, end, said in story.servers[name].bars():
            number, _, listed = said.partition(": ")
            yield bar(begin, end, y, 20, f"K{number}", f"signs with {number}, {listed}", listed)
    yield from _cut()
    yield text(24, 226, "THE RING", "head")
    colours = {"Waiting": "Served", "Allowed": "SafeToSign", "Signing": "Signing", "VerifyOnly": "Retiring"}
    words = {
        "Waiting": "Waiting: for every cache, and for API server B",
        "VerifyOnly": "VerifyOnly: no private half any more",
    }
    for version, y in ((1, 236), (2, 274)):
        yield text(24, y + 20, f"Version {version}", "lane")
        for begin, end, said in story.states[version].bars():
            yield bar(begin, end, y, 30, colours[said], words.get(said, said), said)
    yield text(24, 334, "THE PUBLIC", "head")
    yield text(24, 359, "Published key set", "lane")
    for begin, end, keys in story.published.bars():
        yield bar(begin, end, 344, 20, "both" if "and" in keys else f"K{keys}", keys)
    yield text(24, 385, "Live tokens of 1", "lane")
    last = story.marks["signs"]
    yield bar(timedelta(0), last, 370, 20, "K1", "minted all the time")
    x1, x2 = x_of(last), x_of(last + KEEPS)
    yield f'<path d="M{x1:.1f} 370 H{x2:.1f} L{x1:.1f} 390 Z" fill="{COLOURS["K1"][0]}" fill-opacity=".45"/>'
    yield text(x1 + 6, 404, "the last ones, 24 h long", "small")


def _cut() -> Iterator[str]:
    """The time in which signer B cannot reach the ring."""
    x1, x2 = x_of(CUT_OFF), x_of(BACK)
    yield f'<path d="M{x1:.1f} 193 H{x2:.1f}" stroke="#ab091e" stroke-width="3"/>'
    yield text(x1 + 26, 206, "signer B cannot reach the ring", "small", "start", "#ab091e")


def draw(story: Story) -> str:
    """The picture."""
    told = [
        (
            "made",
            "version 2 is asked for, and made",
            "a person raises newestVersion, and does nothing else from here on",
        ),
        (
            "old enough",
            "every cache in the world can have it",
            "only API server B would refuse its tokens, so the rotation waits",
        ),
        ("signs", "both sign with version 2", "signer B is back and B lists it; each signer changes by itself"),
        ("destroyed", "version 1 only verifies", "nobody signs with it any more, so its private half is destroyed"),
        ("left", "version 1 leaves the published set", "its last token has expired; in the cluster it verifies on"),
    ]
    marks = story.marks
    bottom, height = 412, 560
    title = "One rotation of managed keys, with the default periods"
    desc = "; ".join(f"{hours(marks[mark])}: {what}, {why}" for mark, what, why in told)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="title desc">',
        f'<title id="title">{title}</title>',
        f'<desc id="desc">{escape(desc)}.</desc>',
        f"<defs><style>{STYLE}\n</style></defs>",
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#f5f7fa"/>',
        text(24, 40, title, "title"),
        text(24, 62, "prePublishPeriod 24 h, maxTokenLifetime 24 h, clockSkew 5 m; signer B is cut off for 34 h", "small"),
        text(
            WIDTH - RIGHT, 62, f"a run of the signers' own rules: {story.checks:,} checks, {story.rejected} rejected",
            "small", "end",
        ),
        *axis(112, bottom),
    ]  # fmt: skip
    for number, (mark, what, why) in enumerate(told, 1):
        x, y = x_of(marks[mark]), 430 + 26 * (number - 1)
        parts.append(f'<path d="M{x:.1f} 92 V{bottom}" stroke="{INK}" stroke-width="1.3" stroke-dasharray="4 3"/>')
        for cx, cy in ((x + _aside(marks, mark), 84), (34, y + 6)):
            parts.append(f'<circle cx="{cx:.1f}" cy="{cy}" r="10" fill="{INK}"/>')
            parts.append(text(cx, cy + 4.3, str(number), "mark", "middle"))
        parts += [text(56, y + 10.5, hours(marks[mark]), "what"), text(138, y + 10.5, f"{what}: {why}", "what")]
    return "\n".join([*parts, *lanes(story), "</svg>", ""])


def _aside(marks: dict[str, timedelta], mark: str) -> float:
    """How far a circle stands beside its line, where two lines nearly meet."""
    if mark not in {"signs", "destroyed"} or marks["destroyed"] - marks["signs"] > 2 * HOUR:
        return 0.0
    return -10.0 if mark == "signs" else 10.0


def main() -> int:
    """Write the picture; with --check write nothing, and exit 1 when the file is not what it should be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the picture is stale")
    check = bool(parser.parse_args().check)
    story = Story()
    story.tell()
    if story.rejected:
        print(f"the rotation rejected {story.rejected} of {story.checks} tokens", file=sys.stderr)
        return 1
    return put(draw(story), PICTURE, "hack/draw_managed_timeline.py", check=check)


if __name__ == "__main__":
    sys.exit(main())
