"""Managed keys on two real API servers with a real operator: rotation, and the faults that it waits for."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.support.adminapi import ApiError
from tests.support.controlplane import ControlPlane
from tests.support.processes import wait_for
from tests.support.signerprocess import SECRET, SignerProcess, install
from tests.support.stage import Stage

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
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout

    def key_id(self, version: int) -> str | None:
        """The key ID of a version, None while there is none."""
        versions = self.ring().get("versions", ())
        return next((each["keyID"] for each in versions if each["version"] == str(version)), None)

    def signs_with(self, index: int) -> str:
        """The key ID with which an API server signs now."""
        token = self.cluster.mint_token(index, "default", "probe", None)
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

    def secret(self) -> dict[str, Any]:
        """The Secret."""
        return self.cluster.get("v1", "Secret", SECRET[1], SECRET[0])


@dataclass(slots=True)
class Verifier:
    """Somebody who mints at each API server and has each other one review the token, again and again."""

    cluster: ControlPlane
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
        token = self.cluster.mint_token(index, "default", "probe", None)
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        path = "/apis/authentication.k8s.io/v1/tokenreviews"
        answer = self.cluster.json("POST", path, body, index=1 - index)
        if not answer["status"].get("authenticated"):
            self.refused.append(str(jwt.get_unverified_header(token)["kid"]))


@contextlib.contextmanager
def verified(managed: Managed) -> Iterator[Verifier]:
    """Have tokens verified meanwhile, and none refused."""
    verifier = Verifier(managed.cluster)
    thread = threading.Thread(target=verifier.work, daemon=True)
    thread.start()
    try:
        yield verifier
    finally:
        verifier.enough.set()
        thread.join(30)
    assert not thread.is_alive()
    assert verifier.checked > 0
    assert verifier.trouble is None
    assert verifier.refused == []


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    """A cluster that is moved from its sa.key to managed keys, as the how-to will say: the key stays the same."""
    folder = tmp_path_factory.mktemp("managed")
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


def test_the_key_of_the_cluster_is_version_1(managed: Managed) -> None:
    """Nothing that is visible has changed, and the Secret holds nothing that signs without the wrapping key."""
    assert managed.signs_with(0) == managed.signs_with(1) == managed.stage.key.kid
    wait_for(lambda: managed.key_id(1) == managed.stage.key.kid, timeout_s=20, what="the status names version 1")
    data = managed.secret()["data"]
    assert sorted(data) == ["000001.key", "ring.json", "ring.seal"]
    assert b"PRIVATE" not in b"".join(base64.b64decode(value) for value in data.values())


def test_a_rotation_waits_for_an_api_server_that_was_left_with_key_files(managed: Managed) -> None:
    """A Ready issuer does not show it: that API server lists version 1 alone, and would refuse every token of version 2."""
    host = managed.cluster.addresses[1]
    with managed.cluster.restored():
        managed.cluster.restart(1, managed.stage.config())
        managed.ask(2)
        says = f"version 2: {host} does not list it (OIDCIssuer prod)"
        wait_for(lambda: managed.ring().get("waitingFor") == says, timeout_s=60, what=f"the status says: {says}")
        assert managed.condition("Rotating") == ("True", "Progressing", f"Waiting for {says}.")
        assert managed.signs_with(0) == managed.signs_with(1) == managed.stage.key.kid
    with verified(managed):
        managed.all_sign_with(2)
    wait_for(lambda: _states(managed)[0] == ("2", "Signing"), timeout_s=20, what="the status says so")
    row = managed.cluster.kubectl("get", "skr", "default").splitlines()[1].split()
    assert row[:4] == ["default", "2", "2", "True"]
    settled = ("False", "Succeeded", "Every signer signs with version 2, the newest.")
    wait_for(lambda: managed.condition("Rotating") == settled, timeout_s=20, what="the rotation is over")
    wide = managed.cluster.kubectl("get", "skr", "default", "-o", "wide")
    assert "Every signer reads the ring, and signs: a, b." in wide


def test_a_signer_is_checked_against_all_that_has_to_agree_with_it(managed: Managed, tmp_path: Path) -> None:
    """By one command on its node. Issuers of this test let keys go after seconds, which is the one thing that it finds."""
    folder, socket = managed.stage.folder, managed.signers[0].socket
    spec = {
        "containers": [
            {
                "command": ["kube-apiserver", f"--service-account-signing-endpoint={socket}"],
                "volumeMounts": [{"name": "signer", "mountPath": str(socket.parent)}],
            }
        ],
        "volumes": [{"name": "signer", "hostPath": {"path": str(socket.parent)}}],
    }
    manifest = tmp_path / "kube-apiserver.yaml"
    manifest.write_text(json.dumps({"spec": spec}))
    managed.cluster.kubectl("create", "serviceaccount", "default")  # which a controller manager would have made
    options = [f"--socket={socket}", f"--manifest={manifest}", f"--wrapping-key-file={folder / 'sa.key'}", "-o", "json"]
    report = json.loads(managed.publisher("signer", "check", *options, code=1))
    lines = {line["check"]: line["result"] for section in report["sections"] for line in section["lines"]}
    servers = {f"API server {address}" for address in managed.cluster.addresses}
    assert lines.keys() >= servers | {"Sign", "version of Kubernetes", "Secret of the ring"}
    assert {check: result for check, result in lines.items() if result != "Yes"} == {"OIDCIssuer prod": "No"}


def _states(managed: Managed) -> list[tuple[str, str]]:
    return [(each["version"], each["state"]) for each in managed.ring().get("versions", ())] or [("", "")]


def _listed(managed: Managed, index: int) -> list[str]:
    return [key["kid"] for key in managed.cluster.json("GET", "/openid/v1/jwks", index=index)["keys"]]


def test_the_former_version_verifies_on_without_a_private_half(managed: Managed) -> None:
    """It leaves the published set by the operator's own rules, and tokens of it live on in the cluster."""
    wait_for(lambda: _states(managed)[-1] == ("1", "VerifyOnly"), timeout_s=60, what="version 1 only verifies")
    assert "000001.key" not in managed.secret()["data"]
    wait_for(lambda: _listed(managed, 1) == [managed.key_id(2)], timeout_s=30, what="only version 2 is published")


def test_a_rotation_that_is_asked_for_reaches_every_signer(managed: Managed) -> None:
    """By one command, which ends when both API servers have changed by themselves; no token is refused."""
    with verified(managed):
        done = managed.publisher("keys", "rotate", "--wait", "--timeout", "2m")
        assert done == "Every signer signs with version 3.\n"
        assert managed.signs_with(0) == managed.signs_with(1) == managed.key_id(3)
    first, *_ = managed.publisher("keys", "list").splitlines()[1:]
    assert first.split()[:4] == ["3", "Signing", "a,", "b"]


def _found(managed: Managed, reason: str) -> str:
    """The message of the issuer's finding with this reason, empty where there is none."""
    findings = managed.stage.get()["status"].get("findings", ())
    return next((each["message"] for each in findings if each["reason"] == reason), "")


def test_the_issuer_has_the_rings_names_and_says_what_is_wrong_with_the_ring(managed: Managed) -> None:
    """Its ledger would have numbers of its own; a typing error in the ring moves neither Ready nor SafeToSign."""

    def named() -> bool:
        known = {key["keyID"]: key for key in managed.stage.get()["status"]["keys"]}
        claimed = {each["keyID"]: each["version"] for each in managed.ring()["versions"]}
        return all(known[kid].get("versionNamed") and known[kid]["version"] == claimed[kid] for kid in known)

    wait_for(named, timeout_s=60, what="each key of the ledger has the version that the ring claims")
    managed.ask(99)
    says = "The signer of a, b makes no version that is asked for or due: a new version: newestVersion asks for 99"
    reason = "ManagedRotationBlocked"
    wait_for(lambda: _found(managed, reason).startswith(says), timeout_s=60, what=f"the issuer says: {says}")
    assert managed.stage.conditions()["Ready"] == ("True", "Proven")
    assert f"Warning {reason}" in managed.publisher("status", "prod")
    managed.ask(3)
    wait_for(lambda: not _found(managed, reason), timeout_s=60, what="the finding goes with its cause")


def test_a_rotation_ends_although_its_signers_are_killed(managed: Managed) -> None:
    """By SIGKILL, again and again; who starts again signs with what its disk says, and follows."""
    with verified(managed):
        managed.ask(4)
        for _ in range(3):
            for signer in managed.signers:
                signer.kill()
                signer.start()
                managed.signs_with(managed.signers.index(signer))
        managed.all_sign_with(4, timeout_s=120)


def test_a_secret_that_is_emptied_is_healed_from_a_disk(managed: Managed) -> None:
    """Within seconds, and signing goes on."""
    before = set(managed.secret()["data"])
    with verified(managed):
        patch = json.dumps([{"op": "remove", "path": "/data"}])
        managed.cluster.kubectl("patch", "secret", SECRET[1], "-n", SECRET[0], "--type=json", "-p", patch)
        begun = time.monotonic()
        wait_for(lambda: set(managed.secret().get("data", {})) == before, timeout_s=30, what="the Secret is healed")
    assert time.monotonic() - begun < 30


def test_a_secret_is_wrapped_under_another_key_while_tokens_are_signed(managed: Managed) -> None:
    """Signers that have the former key go on from their disks and say so; with the new one they read the ring again."""
    former = managed.stage.folder / "sa.key"
    new = managed.stage.folder / "new.key"
    new.write_bytes(os.urandom(32))
    with verified(managed):
        options = [f"--wrapping-key-file={former}", f"--new-wrapping-key-file={new}"]
        assert "is wrapped under" in managed.publisher("signer", "rewrap", *options)
        wait_for(
            lambda: managed.condition("Ready")[:2] == ("False", "RingUnreadable"), timeout_s=20, what="Ready is False"
        )
        assert managed.ring()["versions"], "what is known of the ring stays"
        former.write_bytes(new.read_bytes())
        for signer in managed.signers:
            signer.stop()
            signer.start()
        wait_for(lambda: managed.condition("Ready")[0] == "True", timeout_s=30, what="Ready is True")


def test_a_signer_serves_from_its_disk_when_nothing_else_runs(managed: Managed) -> None:
    """The whole control plane is down; the signer is there first, and the API server boots by it."""
    signing = managed.signs_with(0)
    signer = managed.signers[0]
    managed.cluster.kill(0)
    managed.cluster.kill(1)
    signer.kill()
    signer.start()
    managed.cluster.start_server(0)
    assert managed.signs_with(0) == signing
    managed.cluster.start_server(1)
    mode = Path(signer.state / "ring.json").stat().st_mode
    assert mode & 0o777 == 0o600
