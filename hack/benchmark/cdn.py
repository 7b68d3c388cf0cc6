"""How long a changed key set takes through a CDN: to every edge, and to the status."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.options import Amount
from hack.benchmark.watch import Watch
from tests.live.rotation_proof.chronicle import Chronicle
from tests.live.rotation_proof.keys import ENTRY_PATTERN, KeyFolder, VersionedKey, versions
from tests.live.rotation_proof.publications import Publications
from tests.live.rotation_proof.rotator import entry_of
from tests.support.cdn import CDNStage

_DELAYS_S = (0.5, 2.0)
_MAX_AGE_S = 20
_PATIENCE_S = 90.0
_METHOD = f"""\
nginx with two edges before the bucket, interval 60 s, cacheMaxAge {_MAX_AGE_S} s; both edges have just taken new copies. A key is
added, a pass is asked for, and time runs from the store's answer to the PUT of the key set. The stand-in for CloudFront
purges its edges {_DELAYS_S[0]:g} s and {_DELAYS_S[1]:g} s after it was asked; the real one takes ten seconds to minutes, which comes on top.
In the status: when the new key has servedSinceTime. Without the right to invalidate the copies have to die of age."""


@dataclass(slots=True)
class _Seen:
    asked_s: list[float] = field(default_factory=list)
    edges_s: list[float] = field(default_factory=list)
    status_s: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)


def measure(amount: Amount) -> Chapter:
    """Add keys one after the other, with the right to invalidate and, once, without it."""
    with tempfile.TemporaryDirectory(prefix="oidc-publisher-bench-") as folder:
        keys = versions(1, amount.cdn_changes + 2, "P-256")
        stage = CDNStage(Path(folder) / "stage", servers=1, key=keys[0].key)
        stage.cloudfront.delays_s = _DELAYS_S
        with stage:
            scene = _Scene(stage, KeyFolder(Path(folder) / "keys"), keys)
            scene.begin()
            purged, aged = _Seen(), _Seen()
            for key in keys[1:-1]:
                scene.change(key, purged)
            stage.cloudfront.refuse["CreateInvalidation"] = (403, "AccessDenied")
            scene.change(keys[-1], aged)
    return Chapter("A rotation through the CDN stand-in", _METHOD, tuple(_figures(purged, aged)))


class _Scene:
    def __init__(self, stage: CDNStage, folder: KeyFolder, keys: tuple[VersionedKey, ...]) -> None:
        self._stage = stage
        self._folder = folder
        numbers = {key.kid: key.version for key in keys}
        self._publications = Publications(stage.edge, Chronicle(), numbers)
        stage.operator = stage.make_operator(f"--key-files-root={folder.path}")
        folder.add(keys[0])

    def begin(self) -> None:
        stage = self._stage
        files = {"directory": str(self._folder.path), "entryPattern": ENTRY_PATTERN}
        sources = [{"name": "api", "apiServer": {}}, {"name": "files", "files": files}]
        stage.apply_crd()
        stage.operator.start()
        stage.apply(stage.issuer(interval="60s", cacheMaxAge=f"{_MAX_AGE_S}s", keySources=sources))
        stage.wait_ready()
        self._until(lambda: all(one.done.is_set() for one in stage.cloudfront.invalidations), "the first one is over")
        time.sleep(6)  # and its end was noticed

    def change(self, key: VersionedKey, seen: _Seen) -> None:
        """Add a key and wait until everybody can see it."""
        stage, taken = self._stage, len(self._stage.cloudfront.invalidations)
        stage.cloudfront.requests.clear()
        stage.cdn.warm(*stage.viewer_paths)
        with Watch(stage.cluster) as watch:
            self._folder.add(key)
            self._ask_for_a_pass()
            self._until(lambda: self._written_at(key) > 0, "the key is written")
            written_at = self._written_at(key)
            self._until(lambda: self._on_every_edge(key), "it is on every edge")
            seen.edges_s.append(time.time() - written_at)
            clock = time.time() - time.monotonic()
            event = watch.wait(lambda e: _is_served(e.object, key), timeout_s=_PATIENCE_S, what="it is served")
            seen.status_s.append(event.at + clock - written_at)
        made = stage.cloudfront.invalidations[taken:]
        seen.asked_s.extend(one.at - written_at for one in made)
        time.sleep(12)  # the last poll comes 10 s after the one before at most
        seen.calls.append(float(stage.cloudfront.requests.total()))

    def _written_at(self, key: VersionedKey) -> float:
        return next((p.at for p in self._publications.all if key.kid in p.kids), 0.0)

    def _on_every_edge(self, key: VersionedKey) -> bool:
        path = self._stage.viewer_paths[1]
        return all(key.kid.encode() in self._stage.cdn.ask(edge, path).body for edge in range(len(_DELAYS_S)))

    def _ask_for_a_pass(self) -> None:
        now = dt.datetime.now(dt.UTC).isoformat()
        body = {"metadata": {"annotations": {"oidc-publisher.io/reconcile-requested-at": now}}}
        self._stage.cluster.patch("oidc-publisher.io/v1alpha1", "OIDCIssuer", "prod", body)

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _PATIENCE_S
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {_PATIENCE_S:g} s: {what}{self._stage.operator.process.log_tail()}")
            time.sleep(0.02)


def _is_served(found: dict[str, Any], key: VersionedKey) -> bool:
    return bool(entry_of(found.get("status") or {}, key.kid).get("servedSinceTime"))


def _figures(purged: _Seen, aged: _Seen) -> list[Figure]:
    return [
        Figure("Written → invalidation asked for", "s", tuple(purged.asked_s), Target(1, by="median")),
        Figure("Written → on the wire of every edge", "s", tuple(purged.edges_s)),
        Figure("Written → served, in the status", "s", tuple(purged.status_s)),
        Figure("Calls of CloudFront for one change", "", tuple(purged.calls)),
        Figure("Written → on the wire of every edge, without the right to invalidate", "s", tuple(aged.edges_s)),
        Figure("Written → served, in the status, without the right to invalidate", "s", tuple(aged.status_s)),
    ]
