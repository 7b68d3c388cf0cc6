#!/usr/bin/env python3
"""Draw docs/images/rotation-timeline.svg from a rotation that the real rules go through; --check: is it what they say?

Two API servers, an edge and verifiers that cache live in the world of the scenario tests; the periods are the defaults.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Generic, TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import structlog

from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import signing_key_ids, state
from tests.simulation.scenario import HOUR, MINUTE, T0, Server, World, key

PICTURE = Path(__file__).resolve().parents[1] / "docs/images/rotation-timeline.svg"
K1, K2 = key("K1"), key("K2")
END = 96 * HOUR
#: When a person does what, after the beginning; the second API server follows the first.
ADDED, SWITCHED, REMOVED, FOLLOWS = 6 * HOUR, 38 * HOUR, 64 * HOUR, 10 * MINUTE
#: What verifiers keep: PyJWT and Nimbus, the planning figure for clouds, Entra and kube-apiserver without max-age.
KEEP = (5 * MINUTE, HOUR, 24 * HOUR)

_Value = TypeVar("_Value", bound=Hashable)


@dataclass
class Track(Generic[_Value]):
    """What something was, and since when."""

    spans: list[tuple[timedelta, _Value]] = field(default_factory=list)

    def note(self, at: timedelta, value: _Value) -> None:
        """It is `value` from `at` on."""
        if not self.spans or self.spans[-1][1] != value:
            self.spans.append((at, value))

    def bars(self) -> Iterator[tuple[timedelta, timedelta, _Value]]:
        """Beginning, end and value of each span."""
        ends = [*(begin for begin, _ in self.spans[1:]), END]
        for (begin, value), end in zip(self.spans, ends, strict=True):
            yield begin, end, value


@dataclass
class Cache:
    """Somebody who keeps a copy of the key set for a while, and fetches at no other time: the worst of verifiers."""

    keeps: timedelta
    due: timedelta
    copy: tuple[PublicKey, ...] = ()
    fetches: Track[tuple[timedelta, tuple[PublicKey, ...]]] = field(default_factory=Track)

    def at(self, now: timedelta, source: tuple[PublicKey, ...]) -> tuple[PublicKey, ...]:
        """The copy as it is now."""
        if now >= self.due or not self.copy:
            self.copy = source
            self.fetches.note(now, (now, source))
            self.due = now + self.keeps if now >= self.due else self.due
        return self.copy


@dataclass
class Story:
    """The rotation, minute by minute."""

    world: World = field(default_factory=lambda: World(servers={name: Server([K1], K1) for name in "AB"}))
    edge: Cache = field(default_factory=lambda: Cache(5 * MINUTE, 3 * MINUTE))
    verifiers: list[Cache] = field(
        default_factory=lambda: [
            Cache(keeps, phase * MINUTE)
            for keeps in KEEP
            for phase in range(2, int(keeps / MINUTE) + 2, max(1, keeps // HOUR))
        ]
    )
    servers: dict[str, Track[str]] = field(default_factory=lambda: {name: Track() for name in "AB"})
    states: dict[str, Track[str]] = field(default_factory=lambda: {name: Track() for name in ("K1", "K2")})
    published: Track[tuple[str, ...]] = field(default_factory=Track)
    marks: dict[str, timedelta] = field(default_factory=dict)
    signed: dict[PublicKey, timedelta] = field(default_factory=dict)
    met: object = None
    checks: int = 0
    rejected: int = 0

    def tell(self) -> None:
        """Live through it, from a day on which everything was published already."""
        self.world.run()
        for minute in range(int(END / MINUTE)):
            now = minute * MINUTE
            self._people(now)
            self._operator(now)
            self._verify(now)

    def slowest(self) -> Cache:
        """The verifier that learnt of the new key last."""
        return max(self.verifiers, key=lambda v: next(at for at, (_, keys) in v.fetches.spans if K2 in keys))

    def _people(self, now: timedelta) -> None:
        for name, delay in (("A", timedelta(0)), ("B", FOLLOWS)):
            listed = [K1] if now < ADDED + delay else [K1, K2] if now < REMOVED + delay else [K2]
            signer = K1 if now < SWITCHED + delay else K2
            self.world.servers[name] = Server(listed, signer)
            self.signed[signer] = now
            self.servers[name].note(now, f"signs with {signer.key_id}, lists {' and '.join(k.key_id for k in listed)}")

    def _operator(self, now: timedelta) -> None:
        world = self.world
        self.edge.at(now, world.stored.keys)
        world.edges = {"origin": None, "edge": self.edge.copy} if world.stored.keys else {}
        if self._due(now):
            world.at(now)
        for entry in world.ledger.keys:
            self.states[entry.key_id].note(now, str(state(entry, signing_key_ids(world.ledger))))
        for name in {"K1", "K2"} - {entry.key_id for entry in world.ledger.keys}:
            self.states[name].note(now, "")
        self.published.note(now, tuple(sorted(world.published)))
        self._mark(now)

    def _due(self, now: timedelta) -> bool:
        """Whether a pass would meet anything that the last one has not met, or a time that it waits for."""
        world = self.world
        signs = tuple((tuple(server.keys), server.signer) for server in world.servers.values())
        before, self.met = self.met, (signs, self.edge.copy, world.stored.keys)
        wake_at = world.last.wake_at if world.last else None
        return self.met != before or (wake_at is not None and world.true_now < wake_at <= T0 + now)

    def _mark(self, now: timedelta) -> None:
        new, old = self.world.ledger.get("K2"), self.world.ledger.get("K1")
        reached = {
            "served": new is not None and new.served_since_time is not None,
            "safe": new is not None and new.safe_since_time is not None,
            "signs": new is not None and new.first_signed_time is not None,
            "unlisted": old is None or old.unused_since_time is not None,
            "retired": old is None,
        }
        for name in (name for name, holds in reached.items() if holds):
            self.marks.setdefault(name, now)

    def _verify(self, now: timedelta) -> None:
        """Every verifier meets a token of each key that signed within the longest life of a token."""
        alive = [k for k, last in self.signed.items() if now - last <= self.world.policy.max_token_lifetime]
        for verifier in self.verifiers:
            known = verifier.at(now, self.edge.copy)
            self.checks += len(alive)
            self.rejected += sum(k not in known for k in alive)


LEFT, WIDTH, RIGHT = 178, 1160, 24
SCALE = (WIDTH - LEFT - RIGHT) / (END / HOUR)
INK, SOFT, LINE = "#1f2933", "#52606d", "#9aa5b1"
COLOURS = {
    "Served": ("#f7d070", INK),
    "SafeToSign": ("#8fd19e", INK),
    "Signing": ("#2d6a4f", "#ffffff"),
    "Retiring": ("#cbb2f0", INK),
    "K1": ("#0b69a3", "#ffffff"),
    "K2": ("#b44d12", "#ffffff"),
    "both": ("#5c5470", "#ffffff"),
}
STYLE = """
    text { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif }
    .title { font-size: 20px; font-weight: 700; fill: #1f2933 }
    .head { font-size: 12px; font-weight: 700; fill: #52606d; letter-spacing: .06em }
    .lane { font-size: 13px; fill: #1f2933 }
    .small { font-size: 12px; fill: #52606d }
    .in { font-size: 12px }
    .mark { font-size: 12px; font-weight: 700; fill: #ffffff }
    .what { font-size: 13px; fill: #1f2933 }"""


def x_of(at: timedelta) -> float:
    """Where an instant lies."""
    return LEFT + at / HOUR * SCALE


def text(x: float, y: float, said: str, kind: str, anchor: str = "start", fill: str = "") -> str:
    """A line of text."""
    colour = f' fill="{fill}"' if fill else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{colour}>{escape(said)}</text>'


def bar(begin: timedelta, end: timedelta, y: float, height: float, colour: str, *said: str) -> str:
    """A span of a lane, with the first of the words in it for which there is room."""
    fill, ink = COLOURS[colour]
    x, width = x_of(begin), x_of(end) - x_of(begin)
    drawn = f'<rect x="{x:.1f}" y="{y}" width="{max(width, 1):.1f}" height="{height}" rx="2" fill="{fill}"/>'
    fits = next((word for word in said if width - 8 >= 6.4 * len(word)), "")
    return drawn + (text(x + width / 2, y + height / 2 + 4.3, fits, "in", "middle", ink) if fits else "")


def hours(at: timedelta) -> str:
    """`30 h 16 m`."""
    whole, rest = divmod(at, HOUR)
    return f"{whole} h {rest // MINUTE:02} m"


def axis(top: float, bottom: float) -> Iterator[str]:
    """Hours since the beginning."""
    for hour in range(0, int(END / HOUR) + 1, 12):
        x = x_of(hour * HOUR)
        yield f'<path d="M{x:.1f} {top} V{bottom}" stroke="#e4e7eb" stroke-width="1"/>'
        yield text(x, top - 6, f"{hour} h", "small", "middle")


def arrow(begin: timedelta, end: timedelta, y: float, said: str) -> str:
    """A span with its length."""
    x1, x2 = x_of(begin), x_of(end)
    line = f'<path d="M{x1 + 2:.1f} {y} H{x2 - 2:.1f}" stroke="{INK}" stroke-width="1.2" marker-start="url(#tip)" marker-end="url(#tip)"/>'
    return line + text((x1 + x2) / 2, y - 5, said, "small", "middle")


def lanes(story: Story) -> Iterator[str]:
    """What everybody did."""
    yield text(24, 134, "THE CLUSTER", "head")
    for name, y in (("A", 144), ("B", 170)):
        yield text(24, y + 15, f"API server {name}", "lane")
        for begin, end, said in story.servers[name].bars():
            yield bar(begin, end, y, 20, "K1" if "signs with K1" in said else "K2", said, said.partition(", ")[2])
    yield text(24, 226, "THE LEDGER", "head")
    for name, y in (("K1", 236), ("K2", 294)):
        yield text(24, y + 20, f"Key {name}", "lane")
        for begin, end, said in story.states[name].bars():
            if said in COLOURS:
                yield bar(begin, end, y, 30, said, said)
    yield arrow(story.marks["unlisted"], story.marks["retired"], 285, "24 h + 5 m")
    yield arrow(story.marks["served"], story.marks["safe"], 285, "24 h + 5 m + 5 m")
    yield text(24, 354, "THE PUBLIC", "head")
    yield text(24, 379, "Published key set", "lane")
    for begin, end, keys in story.published.bars():
        if keys:
            yield bar(begin, end, 364, 20, keys[0] if len(keys) == 1 else "both", " and ".join(keys))
    yield from _verifier_lane(story)
    dead = story.signed[K1] + story.world.policy.max_token_lifetime
    yield text(24, 431, "Live tokens of K1", "lane")
    yield bar(timedelta(0), story.signed[K1], 416, 20, "K1", "minted all the time")
    x1, x2 = x_of(story.signed[K1]), x_of(dead)
    yield f'<path d="M{x1:.1f} 416 H{x2:.1f} L{x1:.1f} 436 Z" fill="{COLOURS["K1"][0]}" fill-opacity=".45"/>'
    yield text(x1 + 6, 450, "the last ones, 24 h long", "small")


def _verifier_lane(story: Story) -> Iterator[str]:
    yield text(24, 405, "Verifier (keeps 24 h)", "lane")
    for begin, end, (_, keys) in story.slowest().fetches.bars():
        names = [k.key_id for k in sorted(keys, key=lambda k: k.key_id)]
        # Each fetch is a bar of its own: a gap shows where the copy was thrown away.
        words = " and ".join(names)
        yield bar(begin, end - 8 * MINUTE, 390, 20, words if len(names) == 1 else "both", f"knows {words}", words)


def draw(story: Story) -> str:
    """The picture."""
    marks = story.marks
    told = [
        (marks["served"], "K2 is served", "every read of the public URL shows it; the clock of R3 starts"),
        (marks["safe"], "K2 is safe to sign with", "the slowest verifier has fetched since; wait --safe-to-sign ends"),
        (marks["signs"], "first signature of K2", "a person switches the API servers, one after the other"),
        (marks["unlisted"], "K1 is unlisted", "no source lists it, nothing signs with it; the clock of R5 starts"),
        (marks["retired"], "K1 is retired", "it has left the published set"),
    ]
    bottom, height = 458, 606
    verified = f"{len(story.verifiers)} verifiers, {story.checks:,} checks, {story.rejected} rejected"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="title desc">',
        '<title id="title">One rotation, from K1 to K2, with the default periods</title>',
        f'<desc id="desc">{escape("; ".join(f"{hours(at)}: {what}, {why}" for at, what, why in told))}.</desc>',
        f'<defs><style>{STYLE}\n</style><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0 L8 4 L0 8 z" fill="{INK}"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#f5f7fa"/>',
        text(24, 40, "One rotation, from K1 to K2, with the default periods", "title"),
        text(24, 62, "prePublishPeriod 24 h, maxTokenLifetime 24 h, cacheMaxAge 5 m, clockSkew 5 m", "small"),
        text(WIDTH - RIGHT, 62, f"a run of the operator's own rules: {verified}", "small", "end"),
        *axis(112, bottom),
    ]
    for number, (at, what, why) in enumerate(told, 1):
        x, y = x_of(at), 476 + 26 * (number - 1)
        parts.append(f'<path d="M{x:.1f} 92 V{bottom}" stroke="{INK}" stroke-width="1.3" stroke-dasharray="4 3"/>')
        for cx, cy in ((x, 84), (34, y + 6)):
            parts.append(f'<circle cx="{cx:.1f}" cy="{cy}" r="10" fill="{INK}"/>')
            parts.append(text(cx, cy + 4.3, str(number), "mark", "middle"))
        parts += [text(56, y + 10.5, hours(at), "what"), text(138, y + 10.5, f"{what}: {why}", "what")]
    # The lanes last: the marks' lines pass behind their words.
    return "\n".join([*parts, *lanes(story), "</svg>", ""])


def put(picture: str, file: Path, program: str, *, check: bool) -> int:
    """Write a picture, or with `check` say that the file is stale, and return the exit code."""
    known = file.read_text(encoding="utf-8") if file.exists() else ""
    if check and known != picture:
        print(f"{file.name} is stale; run {program}", file=sys.stderr)
        return 1
    if not check:
        file.write_text(picture, encoding="utf-8", newline="\n")
    return 0


def main() -> int:
    """Write the picture; with --check write nothing, and exit 1 when the file is not what it should be."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the picture is stale")
    check = bool(parser.parse_args().check)
    story = Story()
    story.tell()
    if story.rejected:
        print(f"the rotation rejected {story.rejected} of {story.checks} tokens", file=sys.stderr)
        return 1
    return put(draw(story), PICTURE, "hack/draw_timeline.py", check=check)


if __name__ == "__main__":
    sys.exit(main())
