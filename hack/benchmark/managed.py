"""Two signers in a cluster with an operator: rotation, healing, and being replaced under load."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.options import Amount
from hack.benchmark.process import cpu_s, rss_mib
from tests.support.managed import NODES, Managed, managed_cluster, streaming

_POLL_S = 0.05
_METHOD = """\
Two API servers that sign by signers, an operator whose issuer has an interval of 1 s, and an S3 server. A version is asked
for; it is allowed when the issuer's status calls its key safe to sign with and every API server lists it. From then on
tokens are asked for at both API servers, until both are signed with it. The Secret is emptied by hand, and read until it
has every entry again. A signer is replaced again and again while 8 streams ask its API server for tokens: by SIGTERM and a
start, or by another process that renames its socket over the first one's."""


def measure(amount: Amount) -> Chapter:
    """Start the cluster, and measure what a rotation and a fault cost."""
    with (
        tempfile.TemporaryDirectory(prefix="oidc-publisher-managed-") as folder,
        managed_cluster(Path(folder)) as managed,
    ):
        figures = (
            Figure(
                "Version allowed → every signer signs with it",
                "s",
                tuple(_switched(managed, number + 2) for number in range(amount.rotations)),
                Target(10, inclusive=True),
            ),
            Figure(
                "Secret emptied → healed",
                "s",
                tuple(_healed(managed) for _ in range(amount.rotations)),
                Target(5, inclusive=True),
            ),
            *_replaced("SIGTERM and start", managed, amount, _restart),
            *_replaced("hand-over", managed, amount, _hand_over),
            *_at_rest(managed, amount),
        )
    return Chapter("Managed keys", _METHOD, figures)


def _switched(managed: Managed, version: int) -> float:
    managed.ask(version)
    _until(lambda: _allowed(managed, version), 180)
    return _until(lambda: all(managed.signs_with(n) == managed.key_id(version) for n in range(len(NODES))), 60)


def _allowed(managed: Managed, version: int) -> bool:
    key_id = managed.key_id(version)
    keys = managed.stage.get().get("status", {}).get("keys", ())
    known: dict[str, Any] = next((key for key in keys if key["keyID"] == key_id), {})
    return "safeSinceTime" in known and not known.get("unlistedBy")


def _healed(managed: Managed) -> float:
    before = set(managed.secret())
    managed.put_secret(None)
    return _until(lambda: set(managed.secret()) == before, 60)


def _until(holds: Callable[[], bool], timeout_s: float) -> float:
    """Return the seconds until something holds."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > timeout_s:
            raise TimeoutError(f"not within {timeout_s:g} s")
        time.sleep(_POLL_S)
    return time.monotonic() - began


def _restart(managed: Managed) -> None:
    managed.signers[0].stop()
    managed.signers[0].start()


def _hand_over(managed: Managed) -> None:
    managed.signers[0].hand_over()


def _replaced(how: str, managed: Managed, amount: Amount, replace: Callable[[Managed], None]) -> Iterator[Figure]:
    with streaming(managed, 0) as streams:
        for _ in range(amount.rotations):
            streams.go_on()
            replace(managed)
        streams.go_on()
    failed = (float(len(streams.failed)),)
    yield Figure(f"Replaced by {how}: failed TokenRequests", "", failed, Target(0, inclusive=True))
    yield Figure(f"Replaced by {how}: slowest TokenRequest", "s", (streams.slowest_s,), Target(1.5, inclusive=True))
    yield Figure(f"Replaced by {how}: TokenRequests", "", (float(streams.minted),))


def _at_rest(managed: Managed, amount: Amount) -> Iterator[Figure]:
    pids = [signer.process.pid for signer in managed.signers]
    used = [cpu_s(pid) for pid in pids]
    time.sleep(amount.idle_s)
    shares = tuple(100 * (cpu_s(pid) - before) / amount.idle_s for pid, before in zip(pids, used, strict=True))
    yield Figure("CPU of a signer at rest", "%", shares, Target(0.5, inclusive=True))
    yield Figure("Resident memory of a signer", "MiB", tuple(map(rss_mib, pids)), Target(40, inclusive=True))
