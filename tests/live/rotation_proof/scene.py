"""Everything a run needs, started and stopped together."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.live.rotation_proof import verdict
from tests.live.rotation_proof.chronicle import Chronicle
from tests.live.rotation_proof.keys import ENTRY_PATTERN, KeyFolder, VersionedKey
from tests.live.rotation_proof.publications import Publications
from tests.live.rotation_proof.remote import remote_cluster
from tests.live.rotation_proof.rotator import Rotator
from tests.live.rotation_proof.tokens import AUDIENCE, GRANTED_S, Minting
from tests.live.rotation_proof.verifiers import Joserfc, KubeAPIServer, PyJWT, RejectedError, Verifier
from tests.live.rotation_proof.watch import Watch
from tests.support.controlplane import ControlPlane
from tests.support.stage import BUCKET, PREFIX, PROBE, Stage


@dataclass(frozen=True, slots=True)
class Periods:
    """The periods of an issuer, in seconds."""

    cache_max_age_s: int
    pre_publish_s: int = 2
    live_s: int = 6
    skew_s: int = 1

    @property
    def wait_s(self) -> int:
        """How long a key is served before it is safe to sign with (R3)."""
        return self.pre_publish_s + self.cache_max_age_s + self.skew_s


class Scene:
    """Two API servers, a store behind an edge, the operator, an issuer with named versions, and another cluster."""

    def __init__(
        self,
        folder: Path,
        keys: Sequence[VersionedKey],
        periods: Periods,
        *,
        remote: bool = True,
        patience_s: float = 40.0,
        stage: Callable[..., Stage] = Stage,
    ) -> None:
        self._patience_s = patience_s + periods.wait_s
        self.periods = periods
        self.keys = tuple(keys)
        self.numbers = {key.kid: key.version for key in keys}
        self.chronicle = Chronicle()
        self.stage = stage(folder / "stage", key=keys[0].key)
        self.folder = KeyFolder(folder / "keys")
        self._remote_folder = folder / "remote" if remote else None
        self._remote: ControlPlane | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Start everything but the operator and the other cluster."""
        self._stack.enter_context(self.stage)
        self.stage.operator = self.stage.make_operator(f"--key-files-root={self.folder.path}")
        self.publications = Publications(self.stage.edge, self.chronicle, self.numbers)
        self.rotator = Rotator(self.stage, self.folder, self.chronicle, self.keys[0], patience_s=self._patience_s)
        self.folder.add(self.keys[0])
        self.stage.apply_crd()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self._stack.close()

    def begin(self) -> None:
        """Start the operator and wait until the issuer is Ready."""
        self.stage.operator.start()
        self.apply()
        self.stage.wait_ready(timeout_s=40)
        self.chronicle.note("the issuer is Ready")

    def apply(self) -> None:
        """Apply the issuer: the keys of the API servers, and those of the folder by number."""
        periods = self.periods
        files = {"directory": str(self.folder.path), "entryPattern": ENTRY_PATTERN}
        issuer: dict[str, Any] = self.stage.issuer(
            interval="1s",
            cacheMaxAge=f"{periods.cache_max_age_s}s",
            rotation={
                "prePublishPeriod": f"{periods.pre_publish_s}s",
                "maxTokenLifetime": f"{periods.live_s}s",
                "clockSkew": f"{periods.skew_s}s",
            },
            keySources=[{"name": "api", "apiServer": {}}, {"name": "files", "files": files}],
        )
        self.stage.apply(issuer)

    @contextlib.contextmanager
    def watched(self) -> Iterator[tuple[Watch, Minting]]:
        """Mint and verify tokens all the time, with verifiers that have just started."""
        verifiers = self._verifiers()
        minting = Minting(self.stage.cluster)
        watch = Watch(verifiers, minting, self.publications, self.chronicle, live_s=self.periods.live_s)
        with minting, watch:
            yield watch, minting

    def wait_published(self, *keys: VersionedKey) -> None:
        """Wait until exactly these keys are published, in this order."""
        wanted, timeout_s = tuple(key.kid for key in keys), self._patience_s
        end = time.monotonic() + timeout_s
        while not self.publications.all or self.publications.all[-1].kids != wanted:
            if time.monotonic() > end:
                what = f"not within {timeout_s:g} s: {self.publications.describe(wanted)} published"
                raise AssertionError(
                    f"{what}\n{self.stage.get()['status']}\n{self.chronicle.text()}\n"
                    f"{self.stage.operator.log()[-3000:]}"
                )
            time.sleep(0.1)

    def wait_discovery(self, timeout_s: float = 60.0) -> None:
        """Wait until relying parties can start: both documents are there."""
        end = time.monotonic() + timeout_s
        while self.stage.s3.get(BUCKET, f"{PREFIX}/.well-known/openid-configuration") is None:
            assert time.monotonic() < end, f"no discovery document within {timeout_s:g} s\n{self.chronicle.text()}"
            time.sleep(0.1)

    def complaints(self, watch: Watch, minting: Minting) -> list[str]:
        """All that a run of a rotator that obeys must not show."""
        signed = {kid: count for (_, kid), count in minting.minted().items()}
        return [
            *verdict.rejected_tokens(watch, self.chronicle, self.numbers),
            *verdict.out_of_order(self.publications, self.chronicle, self.numbers),
            *verdict.safe_too_early(self.publications, self.rotator, self.chronicle, wait_s=self.periods.wait_s),
            *verdict.lost_too_early(
                self.publications, self.rotator, minting, self.chronicle, live_s=self.periods.live_s
            ),
            *verdict.idle_verifiers(watch, self.numbers, signed=signed),
            *self.publications.complaints,
        ]

    def report(self, complaints: list[str], watch: Watch, minting: Minting) -> str:
        """The message of a failed assertion."""
        return verdict.report(complaints, self.chronicle, self.figures(watch, minting))

    def figures(self, watch: Watch, minting: Minting) -> str:
        """What a run amounted to, in one line."""
        took_s = time.time() - self.chronicle.began
        return f"{took_s:.0f} s: {verdict.summary(watch, minting, self.publications)}"

    def say_figures(self, watch: Watch, minting: Minting) -> None:
        """Print them; pytest shows it with -rP, and with every failure."""
        print(self.figures(watch, minting))  # noqa: T201 - the numbers of a run that passed are worth a look

    def _verifiers(self) -> list[Verifier]:
        issuer, tls = self.stage.issuer_url, self.stage.pki.client_context()
        verifiers: list[Verifier] = [PyJWT(issuer, tls, self.periods.cache_max_age_s), Joserfc(issuer, tls)]
        if self._remote_folder is not None:
            verifiers.append(self._remote_verifier(self._remote_folder, issuer))
        return verifiers

    def _remote_verifier(self, folder: Path, issuer: str) -> Verifier:
        """The other cluster's kube-apiserver; started when it is first wanted, and trusting the issuer by then."""
        if self._remote is None:
            self._remote = remote_cluster(folder, self.stage.pki, issuer)
            self._stack.enter_context(self._remote)
        verifier = KubeAPIServer(self._remote, issuer)
        token = self.stage.cluster.mint_token(None, *PROBE, AUDIENCE, GRANTED_S)
        end = time.monotonic() + 20
        while True:
            try:
                verifier.verify(token)
            except RejectedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return verifier
