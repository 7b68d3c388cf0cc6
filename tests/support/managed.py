"""Run two API servers that sign by signers, with an operator and one issuer, and verify tokens meanwhile."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jwt

from oidc_publisher.signer.storage import DiskFile
from tests.support.adminapi import ApiError
from tests.support.controlplane import ControlPlane
from tests.support.processes import wait_for
from tests.support.signerprocess import SECRET, SignerProcess, install
from tests.support.stage import PROBE, Stage

RING = {"apiVersion": "oidc-publisher.io/v1alpha1", "kind": "SigningKeyRing", "metadata": {"name": "default"}}
NODES = ("a", "b")


@dataclass(slots=True)
class Managed:
    """Two API servers that sign by signers, an operator, and one issuer that is Ready."""

    stage: Stage
    signers: tuple[SignerProcess, ...]

    @property
    def cluster(self) -> ControlPlane:
        """The API servers."""
        return self.stage.cluster

    def ring(self) -> dict[str, Any]:
        """The status of the SigningKeyRing."""
        status: dict[str, Any] = self.cluster.get(RING["apiVersion"], RING["kind"], "default").get("status", {})  # type: ignore[arg-type]
        return status

    def ask(self, version: int) -> None:
        """Ask for a version, as somebody does with kubectl."""
        patch = json.dumps({"spec": {"newestVersion": str(version)}})
        self.cluster.kubectl("patch", "signingkeyring", "default", "--type=merge", "-p", patch)

    def condition(self, kind: str) -> tuple[str, str, str]:
        """Status, reason and message of a condition."""
        found = next((each for each in self.ring().get("conditions", ()) if each["type"] == kind), None)
        return (found["status"], found["reason"], found["message"]) if found else ("", "", "")

    def publisher(self, *arguments: str, code: int = 0) -> str:
        """Run a command of ours as the cluster's admin, and return its result."""
        program = Path(sys.executable).with_name("oidc-publisher")
        argv = [str(program), *arguments, "--kubeconfig", str(self.cluster.admin_kubeconfig())]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=180)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def key_id(self, version: int) -> str | None:
        """The key ID of a version, None while there is none."""
        versions = self.ring().get("versions", ())
        return next((each["keyID"] for each in versions if each["version"] == str(version)), None)

    def signs_with(self, index: int) -> str:
        """The key ID with which an API server signs now."""
        token = self.cluster.mint_token(index, *PROBE, None)
        return str(jwt.get_unverified_header(token)["kid"])

    def all_sign_with(self, version: int, *, timeout_s: float = 90) -> None:
        """Wait until every API server signs with a version."""
        wait_for(
            lambda: (
                self.key_id(version) is not None
                and all(self.signs_with(index) == self.key_id(version) for index in range(len(NODES)))
            ),
            timeout_s=timeout_s,
            what=f"all sign with version {version}",
        )

    def secret(self) -> dict[str, str]:
        """The data of the Secret, as it is encoded."""
        data: dict[str, str] = self.cluster.get("v1", "Secret", SECRET[1], SECRET[0]).get("data", {})
        return data

    def put_secret(self, data: dict[str, str] | None) -> None:
        """Replace the data of the Secret as a whole, as an admin does who puts a backup back; None removes it."""
        step = {"op": "remove", "path": "/data"} if data is None else {"op": "replace", "path": "/data", "value": data}
        self.cluster.patch("v1", "Secret", SECRET[1], [step], SECRET[0], how="json")

    def published(self) -> dict[str, Any]:
        """The key set at the public URL."""
        context = self.stage.pki.client_context()
        with urllib.request.urlopen(f"{self.stage.issuer_url}/openid/v1/jwks", timeout=5, context=context) as answer:  # noqa: S310 - https
            keys: dict[str, Any] = json.load(answer)
        return keys

    def newest_public_pem(self) -> bytes:
        """The public half of the newest version, in PEM."""
        copy = DiskFile(self.signers[0].state).read()
        assert copy is not None
        der = base64.encodebytes(copy.ring.keys[0].key.spki)
        return b"-----BEGIN PUBLIC KEY-----\n" + der + b"-----END PUBLIC KEY-----\n"

    def accepted(self, token: str, *, index: int) -> bool:
        """Whether an API server takes a token."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        answer = self.cluster.json("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body, index=index)
        return bool(answer["status"].get("authenticated"))


@dataclass(slots=True)
class Verifier:
    """Somebody who mints at each API server and has each other one review the token, again and again."""

    managed: Managed
    enough: threading.Event = field(default_factory=threading.Event)
    checked: int = 0
    refused: list[str] = field(default_factory=list)
    trouble: BaseException | None = None

    def work(self) -> None:
        """Mint and review until it is enough. What cannot be minted, or not be reviewed, is no refusal."""
        try:
            self._work()
        except BaseException as error:
            self.trouble = error
            raise

    def _work(self) -> None:
        while not self.enough.is_set():
            for index in range(len(NODES)):
                with contextlib.suppress(OSError, ApiError):
                    self.check(index)
                    self.checked += 1
            self.enough.wait(0.1)

    def check(self, index: int) -> None:
        """Mint at one, review at the other."""
        token = self.managed.cluster.mint_token(index, *PROBE, None)
        if not self.managed.accepted(token, index=1 - index):
            self.refused.append(
                f"{self.managed.cluster.addresses[1 - index]}: {jwt.get_unverified_header(token)['kid']}"
            )


@contextlib.contextmanager
def verified(managed: Managed) -> Iterator[Verifier]:
    """Have tokens verified meanwhile, and none refused."""
    verifier = Verifier(managed)
    thread = threading.Thread(target=verifier.work, daemon=True)
    thread.start()
    try:
        yield verifier
    finally:
        verifier.enough.set()
        thread.join(30)
    assert not thread.is_alive(), "the verifier ends"
    assert verifier.checked > 0, "some tokens were reviewed"
    assert verifier.trouble is None, verifier.trouble
    assert not verifier.refused, verifier.refused


@dataclass(slots=True)
class Streams:
    """Streams of TokenRequests to one API server, and what became of them; `slowest_s` is the longest that one took."""

    managed: Managed
    index: int
    enough: threading.Event = field(default_factory=threading.Event)
    minted: int = 0
    failed: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def work(self) -> None:
        """Ask for one token after another. An API server waits 34 s for a signer that is away, and so does a client."""
        path = f"/api/v1/namespaces/{PROBE[0]}/serviceaccounts/{PROBE[1]}/token"
        body: dict[str, Any] = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        while not self.enough.is_set():
            begun = time.monotonic()
            try:
                self.managed.cluster.json("POST", path, body, index=self.index, timeout_s=60)
                self.minted += 1
            except (OSError, ApiError) as error:
                self.failed.append(repr(error))
            self.slowest_s = max(self.slowest_s, time.monotonic() - begun)

    def go_on(self) -> None:
        """Wait until each stream has been answered since now."""
        goal = self.minted + 2 * STREAMS
        wait_for(lambda: self.minted >= goal or bool(self.failed), timeout_s=90, what="tokens are minted")


#: How many requests are under way at one moment while a signer is replaced.
STREAMS = 8


@contextlib.contextmanager
def streaming(managed: Managed, index: int) -> Iterator[Streams]:
    """Have tokens asked for at one API server meanwhile."""
    streams = Streams(managed, index)
    threads = [threading.Thread(target=streams.work, daemon=True) for _ in range(STREAMS)]
    for thread in threads:
        thread.start()
    try:
        yield streams
    finally:
        streams.enough.set()
        for thread in threads:
            thread.join(90)


@contextlib.contextmanager
def managed_cluster(folder: Path) -> Iterator[Managed]:
    """A cluster that is moved from its sa.key to managed keys, as the how-to says: the key stays the same."""
    with Stage(folder, servers=2) as stage, contextlib.ExitStack() as ending:
        stage.apply_crd()
        stage.cluster.wait_established("signingkeyrings.oidc-publisher.io")
        install(stage.cluster)
        stage.cluster.create(RING)
        sa_key = folder / "sa.key"
        sa_key.write_bytes(stage.key.private_pem)
        signers = tuple(
            SignerProcess(folder / "signers", stage.cluster, node, sa_key, index=index)
            for index, node in enumerate(NODES)
        )
        for index, signer in enumerate(signers):
            ending.callback(signer.kill)
            signer.start()
            stage.cluster.restart(index, replace(stage.config(), signing_endpoint=signer.socket))
        stage.operator.start()
        stage.cluster.create(stage.issuer(interval="1s"))
        stage.wait_ready(timeout_s=90)
        yield Managed(stage, signers)
