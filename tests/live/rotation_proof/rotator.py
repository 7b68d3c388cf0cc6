"""An outside rotator: it changes key files, restarts API servers, and knows the operator by its status alone."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.live.rotation_proof.chronicle import Chronicle
from tests.live.rotation_proof.keys import KeyFolder, VersionedKey
from tests.support.adminapi import ApiError
from tests.support.stage import Stage

ISSUER = ("oidc-publisher.io/v1alpha1", "OIDCIssuer", "prod")
REQUEST = "oidc-publisher.io/reconcile-requested-at"
POLL_S = 0.2


class Rotator:
    """Rotates all API servers of a stage, one after the other; `patience_s` is how long it waits for any permission."""

    def __init__(
        self, stage: Stage, folder: KeyFolder, chronicle: Chronicle, signer: VersionedKey, *, patience_s: float
    ) -> None:
        self.signer = signer
        self.safe_since: dict[str, float] = {}  # by key ID: safeSinceTime as this rotator obeyed it
        self.unlisted_at: dict[str, float] = {}  # by key ID: when nothing named the key any more
        self._stage = stage
        self._folder = folder
        self._chronicle = chronicle
        self._patience_s = patience_s
        self._requests = itertools.count()
        self._named: tuple[VersionedKey, ...] = (signer,)

    def name(self, key: VersionedKey) -> None:
        """Name a key in the folder alone."""
        self._folder.add(key)
        self._named = (*self._named, key)
        self._chronicle.note(f"rotator: version {key.version} is in the folder")

    def announce(self, new: VersionedKey) -> None:
        """Name a new key in the folder and in the key files of every API server; nothing signs with it."""
        if new not in self._named:
            self.name(new)
        for index in self._servers:
            self._restart(index, self.signer, self._named)

    def promote(self, new: VersionedKey, following: VersionedKey | None = None) -> None:
        """Sign with a key that is safe, server by server, and end what came before the present one.

        The same restarts name the key `following`, as a pipeline does that wants to save restarts.
        """
        self.wait_until_safe(new)
        if following is not None:
            self.name(following)
        named = tuple(key for key in (self.signer, new, following) if key is not None)
        for index in self._servers:
            self.wait_until_safe(new)  # permission is read before each restart
            self._restart(index, new, named)
        self._end(named)
        self.signer = new

    def drop_the_old(self) -> None:
        """Name nothing but the key that signs, server by server."""
        for index in self._servers:
            self._restart(index, self.signer, (self.signer,))
        self._end((self.signer,))

    def promote_at_once(self, new: VersionedKey) -> None:
        """Ignore the gate: name a key and sign with it on the first API server in one step."""
        self.name(new)
        self._restart(0, new, (self.signer, new))

    def wait_until_safe(self, key: VersionedKey) -> None:
        """Wait for safeSinceTime of a key in a status that is fresh: written by a pass that was asked for just now."""

        def permits(status: dict[str, Any]) -> bool:
            return bool(entry_of(status, key.kid).get("safeSinceTime"))

        self._wait(permits, f"version {key.version} is safe")
        status = self.fresh_status()
        while not permits(status):  # it was withdrawn since, which R2 allows
            self._wait(permits, f"version {key.version} is safe again")
            status = self.fresh_status()
        assert not _signed_early(status, key), "this rotator waits, and is told that it did not"
        since = entry_of(status, key.kid)["safeSinceTime"]
        self.safe_since.setdefault(key.kid, dt.datetime.fromisoformat(since).timestamp())
        self._chronicle.note(f"version {key.version} is safe since {since}")

    def fresh_status(self) -> dict[str, Any]:
        """Ask the operator for a pass and return the status that it wrote afterwards."""
        wanted = f"rotator-{next(self._requests)}"
        body = {"metadata": {"annotations": {REQUEST: wanted}}}
        self._try(lambda: self._stage.cluster.patch(*ISSUER, body))
        return self._wait(lambda status: status.get("lastHandledReconcileAt") == wanted, "an answer to a request")

    @property
    def _servers(self) -> range:
        return range(len(self._stage.cluster.servers))

    def _end(self, named: Sequence[VersionedKey]) -> None:
        for key in self._named:
            if key not in named:
                self.unlisted_at[key.kid] = time.time()
                self._folder.remove(key)
                self._chronicle.note(f"rotator: version {key.version} is no longer named")
        self._named = tuple(named)

    def _restart(self, index: int, signer: VersionedKey, named: Sequence[VersionedKey]) -> None:
        numbers = " ".join(str(key.version) for key in named)
        self._chronicle.note(f"rotator: server {index} goes down")
        self._stage.cluster.restart(index, self._stage.config(signer.key, *(key.key for key in named)))
        self._chronicle.note(f"rotator: server {index} is up, signs with {signer.version}, lists {numbers}")

    def _wait(self, holds: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        end = time.monotonic() + self._patience_s
        while True:
            status: dict[str, Any] = self._try(lambda: self._stage.cluster.get(*ISSUER)).get("status", {})
            if holds(status):
                return status
            if time.monotonic() > end:
                raise AssertionError(
                    f"not within {self._patience_s:g} s: {what}\n{status}\n{self._chronicle.text()}\n"
                    f"{self._stage.operator.log()[-3000:]}"
                )
            time.sleep(POLL_S)

    def _try(self, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Call the API; an API server that has just started does not know custom resources for a moment."""
        end = time.monotonic() + 10.0
        while True:
            try:
                return call()
            except (ApiError, OSError):
                if time.monotonic() > end:
                    raise
                time.sleep(POLL_S)


def _signed_early(status: dict[str, Any], key: VersionedKey) -> bool:
    found = ((f["reason"], f.get("subject")) for f in status.get("findings", []))
    return ("SignedBeforeSafe", key.kid) in found


def entry_of(status: dict[str, Any], kid: str) -> dict[str, Any]:
    """The ledger's entry of a key; empty where it has none."""
    return next((entry for entry in status.get("keys", []) if entry["keyID"] == kid), {})
