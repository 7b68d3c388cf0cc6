"""TokenRequests to one API server, one after the other, and the pauses between those that were answered."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.adminapi import AdminApi, ApiError
from tests.support.stage import PROBE

_PATH = f"/api/v1/namespaces/{PROBE[0]}/serviceaccounts/{PROBE[1]}/token"
_BODY: dict[str, Any] = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
_EVERY_S = 0.05


@dataclass(slots=True)
class Pauses:
    """Whoever asks; `longest_s` is the longest time without a token, `failed` what was said meanwhile, and how often."""

    cluster: AdminApi
    index: int
    enough: threading.Event = field(default_factory=threading.Event)
    minted: int = 0
    longest_s: float = 0.0
    failed: Counter[str] = field(default_factory=Counter)

    def work(self) -> None:
        """Ask until it is enough. An API server waits 34 s for a signer that is away, and so does a client."""
        last = time.monotonic()
        while not self.enough.wait(_EVERY_S):
            try:
                self.cluster.json("POST", _PATH, _BODY, index=self.index, timeout_s=60)
            except ApiError as error:
                self.failed[f"{error.status}"] += 1
                continue
            except OSError as error:
                self.failed[type(error).__name__] += 1
                continue
            self.minted += 1
            self.longest_s, last = max(self.longest_s, time.monotonic() - last), time.monotonic()

    def __str__(self) -> str:
        """The figures in one line."""
        failed = ", ".join(f"{count} x {what}" for what, count in self.failed.items()) or "none"
        return f"longest pause {self.longest_s:.1f} s of {self.minted} tokens; failed: {failed}"


@contextlib.contextmanager
def pauses(cluster: AdminApi, index: int, what: str) -> Iterator[Pauses]:
    """Have tokens asked for meanwhile; the figures are complete at the end, and printed with what they are about."""
    asked = Pauses(cluster, index)
    thread = threading.Thread(target=asked.work, daemon=True)
    thread.start()
    try:
        yield asked
        goal = asked.minted + 2
        while thread.is_alive() and asked.minted < goal:  # the last pause has an end too
            time.sleep(_EVERY_S)
    finally:
        asked.enough.set()
        thread.join(90)
        print(f"{what}: {asked}")  # noqa: T201 - what was measured
