"""What an operator says of itself at its metrics, read as Prometheus reads it."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field

_LINE = re.compile(r"^oidc_publisher_(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Page:
    """The samples of one scrape by the metric's name without its prefix, each with its labels."""

    samples: dict[str, list[tuple[dict[str, str], float]]]

    def of_issuers(self, name: str) -> dict[str, float]:
        """One metric of every issuer, by the issuer's name."""
        return {labels["issuer"]: value for labels, value in self.samples.get(name, ())}

    def longest_turn_s(self, clock: str) -> float | None:
        """The longest turn of the event loop of the last two minutes, None where the operator has no such metric."""
        found = self.samples.get("event_loop_longest_turn_seconds", ())
        return next((value for labels, value in found if labels["clock"] == clock), None)

    @property
    def passes(self) -> float:
        """How many passes there were."""
        return sum(value for _, value in self.samples.get("reconciles_total", ()))


@dataclass(slots=True)
class Gaps:
    """How much later than after its interval each pass ended, from pages that are scraped more often than passes come."""

    interval_s: float
    late_s: list[float] = field(default_factory=list)
    _known: dict[str, float] = field(default_factory=dict)

    def note(self, page: Page) -> None:
        """Take in a page."""
        for issuer, at in page.of_issuers("last_reconcile_timestamp_seconds").items():
            before = self._known.get(issuer)
            if before is not None and at > before:
                self.late_s.append(at - before - self.interval_s)
            self._known[issuer] = at


def parse(text: str) -> Page:
    """Read the text of a page."""
    samples = defaultdict(list)
    for line in _LINE.finditer(text):
        labels = dict(_LABEL.findall(line["labels"] or ""))
        samples[line["name"]].append((labels, float(line["value"])))
    return Page(dict(samples))


def scrape(port: int) -> Page:
    """Read the page that is served at a port of this machine."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return parse(answer.read().decode())


def wait_proven(port: int, size: int, since: float, *, timeout_s: float, pause_s: float) -> float:
    """Wait until every issuer was proven after `since`, and return when the last one first was, in seconds since the epoch.

    A page of a thousand issuers costs the operator a third of a second of CPU: it is not scraped all the time.
    """
    end, first = time.monotonic() + timeout_s, dict[str, float]()
    while time.monotonic() < end:
        proven = _as_far_as_served(port).of_issuers("last_proof_timestamp_seconds")
        first |= {name: at for name, at in proven.items() if at > since and name not in first}
        if len(first) >= size:
            return max(first.values())
        time.sleep(pause_s)
    raise TimeoutError(f"{len(first)} of {size} issuers were proven within {timeout_s:g} s")


def _as_far_as_served(port: int) -> Page:
    """A page of an operator that may not listen yet."""
    try:
        return scrape(port)
    except urllib.error.URLError:
        return Page({})
