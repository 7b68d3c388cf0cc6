"""Managed keys on two real API servers with a real operator: rotation, and the faults that it waits for."""

from __future__ import annotations

import base64
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import joserfc.jwk
import joserfc.jwt
import pytest

from oidc_publisher.signer.keypairs import make_pair
from oidc_publisher.signer.ring import Ring
from oidc_publisher.signer.storage import WrappingKey, to_secret
from tests.support.managed import Managed, managed_cluster, streaming, verified
from tests.support.processes import wait_for
from tests.support.signerprocess import SECRET, SignerProcess, install
from tests.support.stage import PROBE


@dataclass(slots=True)
class Log:
    """What a signer says from now on."""

    signer: SignerProcess
    begun: int = 0

    def __post_init__(self) -> None:
        self.begun = len(self.signer.process.log())

    def wait(self, said: str) -> None:
        """Wait until it says this."""
        wait_for(lambda: said in self.signer.process.log()[self.begun :], timeout_s=60, what=f"a signer says: {said}")


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    """One cluster for all tests of this file, which follow one another: each begins with what the former one left."""
    with managed_cluster(tmp_path_factory.mktemp("managed")) as cluster:
        yield cluster


def test_the_key_of_the_cluster_is_version_1(managed: Managed) -> None:
    """Nothing that is visible has changed, and the Secret holds nothing that signs without the wrapping key."""
    assert managed.signs_with(0) == managed.signs_with(1) == managed.stage.key.kid
    wait_for(lambda: managed.key_id(1) == managed.stage.key.kid, timeout_s=20, what="the status names version 1")
    data = managed.secret()
    assert sorted(data) == ["000001.key", "ring.json", "ring.seal"]
    assert b"PRIVATE" not in b"".join(base64.b64decode(value) for value in data.values())
    shutil.copy(managed.signers[1].state / "ring.json", managed.stage.folder / "founding.json")


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
    assert "000001.key" not in managed.secret()
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


def _wait_found(managed: Managed, reason: str, says: str) -> None:
    wait_for(lambda: _found(managed, reason).startswith(says), timeout_s=60, what=f"the issuer says: {says}")


def test_the_issuer_has_the_rings_names_and_says_what_is_wrong_with_the_ring(managed: Managed) -> None:
    """Its ledger would have numbers of its own; a typing error in the ring moves neither Ready nor SafeToSign."""

    def named() -> bool:
        known = {key["keyID"]: key for key in managed.stage.get()["status"]["keys"]}
        claimed = {each["keyID"]: each["version"] for each in managed.ring()["versions"]}
        return all(known[kid].get("versionNamed") and known[kid]["version"] == claimed[kid] for kid in known)

    wait_for(named, timeout_s=60, what="each key of the ledger has the version that the ring claims")
    managed.ask(99)
    says = "The signer of a, b makes no version that is asked for or due: newestVersion asks for 99"
    reason = "ManagedRotationBlocked"
    _wait_found(managed, reason, says)
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


@pytest.mark.parametrize("how", ["stop_and_start", "hand_over"])
def test_no_token_request_fails_while_a_signer_is_replaced(managed: Managed, how: str) -> None:
    """Eight streams of requests go on at its API server, while it is replaced three times: by SIGTERM, or by a rename."""
    signer = managed.signers[0]
    with streaming(managed, 0) as streams:
        for _ in range(3):
            streams.go_on()
            if how == "hand_over":
                signer.hand_over()
            else:
                signer.stop()
                signer.start()
        streams.go_on()
    assert streams.failed == []
    logging.getLogger(__name__).warning("%s: %d tokens, slowest %.2f s", how, streams.minted, streams.slowest_s)


def test_a_secret_that_is_emptied_is_healed_from_a_disk(managed: Managed) -> None:
    """Within seconds, and signing goes on."""
    before = set(managed.secret())
    with verified(managed):
        managed.put_secret(None)
        wait_for(lambda: set(managed.secret()) == before, timeout_s=30, what="the Secret is healed")


def test_a_secret_that_is_deleted_needs_an_empty_one(managed: Managed) -> None:
    """RBAC cannot allow to create it by its name. Signing goes on meanwhile, and the signer says what is missing."""
    before, log = set(managed.secret()), Log(managed.signers[0])
    with verified(managed):
        managed.cluster.delete("v1", "Secret", SECRET[1], SECRET[0])
        log.wait("is gone; make an empty one")
        install(managed.cluster)
        wait_for(lambda: set(managed.secret()) == before, timeout_s=30, what="the Secret is healed")


def test_a_ring_in_place_of_another_is_for_a_person(managed: Managed) -> None:
    """S4: each signer goes on from its disk, and says so in its entry of the status, and the issuer repeats it."""
    own = managed.secret()
    stranger = Ring("another").with_new(*make_pair("ES256"), at=datetime.now(UTC).replace(microsecond=0))
    data = to_secret(stranger, WrappingKey.from_file(managed.stage.key.private_pem))
    with verified(managed):
        managed.put_secret({name: base64.b64encode(value).decode() for name, value in data.items()})
        wait_for(lambda: _findings(managed) == [["RingReplaced"]] * 2, timeout_s=30, what="both say RingReplaced")
        _wait_found(managed, "RingReplaced", "The signer of a, b finds another ring in the Secret than on its disk")
        managed.put_secret(own)
        wait_for(lambda: _findings(managed) == [[], []], timeout_s=30, what="it is over")


def _findings(managed: Managed) -> list[list[str]]:
    return [signer.get("findings", []) for signer in managed.ring().get("signers", ())]


def test_a_signer_that_may_not_read_the_secret_starts_from_its_disk(managed: Managed) -> None:
    """It signs with what it signed with last, ten seconds after the first token was asked for at the latest (S10)."""
    signer, before = managed.signers[1], managed.signs_with(1)
    log = Log(signer)
    managed.cluster.delete("rbac.authorization.k8s.io/v1", "RoleBinding", "oidc-publisher-signer", SECRET[0])
    try:
        signer.kill()
        signer.start()
        log.wait("was answered with 403")
        wait_for(lambda: managed.signs_with(1) == before, timeout_s=60, what="it signs from its disk")
        _wait_found(managed, "RingUnreadable", "The signer of a, b cannot read the ring of signing keys")
    finally:
        install(managed.cluster)
    log.wait("The ring is read again.")


def test_credentials_that_expired_are_renewed_without_a_restart(managed: Managed) -> None:
    """401, on a connection that has been there before; signing goes on, and the new kubeconfig is read by itself."""
    signer, before = managed.signers[1], managed.signs_with(1)
    log, process = Log(signer), signer.process.pid
    with verified(managed):
        signer.renew_credentials(not_after=datetime.now(UTC) + timedelta(seconds=5))
        try:
            log.wait("was answered with 401")
            assert managed.signs_with(1) == before
        finally:
            signer.renew_credentials()
        log.wait("The ring is read again.")
    assert signer.process.pid == process


def test_a_rotation_waits_for_a_signer_that_is_cut_off(managed: Managed) -> None:
    """Its API server does not list the new version, which the status says; no other signer signs with it until then."""
    host, before = managed.cluster.addresses[1], managed.signs_with(0)
    with managed.signers[1].cut_off():
        managed.ask(5)
        says = f"version 5: {host} does not list it (OIDCIssuer prod)"
        wait_for(lambda: managed.ring().get("waitingFor") == says, timeout_s=90, what=f"the status says: {says}")
        assert managed.signs_with(0) == managed.signs_with(1) == before
        _set_back_last_report(managed, timedelta(minutes=10))
        _wait_found(managed, "SignerSilent", "Nothing is heard of the signer of b (last at ")
    with verified(managed):
        managed.all_sign_with(5)
    wait_for(lambda: not _found(managed, "SignerSilent"), timeout_s=60, what="the finding goes with its cause")


def _set_back_last_report(managed: Managed, age: timedelta) -> None:
    """Let the last signer have reported long ago, as the status says after so many minutes without it."""
    path = f"/status/signers/{len(managed.signers) - 1}/lastSeenTime"
    then = f"{datetime.now(UTC) - age:%Y-%m-%dT%H:%M:%SZ}"
    patch = json.dumps([{"op": "replace", "path": path, "value": then}])
    managed.cluster.kubectl("patch", "skr", "default", "--subresource=status", "--type=json", "-p", patch)


def test_a_node_without_a_disk_signs_with_what_the_others_sign_with(managed: Managed) -> None:
    """As one that lost its disk, and one that joins: the ring is read before the socket is there."""
    signer = managed.signers[1]
    with verified(managed):
        signer.kill()
        (signer.state / "ring.json").unlink()
        signer.start()
        assert managed.signs_with(1) == managed.signs_with(0) == managed.key_id(5)


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


def test_what_etcd_forgot_is_put_back_by_whoever_knows_it(managed: Managed) -> None:
    """Version 6 signs, and etcd is restored to before it: it comes back as version 6, and no token of it is refused."""
    copy = managed.cluster.back_up()
    managed.ask(6)
    managed.all_sign_with(6)
    sixth = managed.key_id(6)
    managed.cluster.restore(copy)
    with verified(managed):
        wait_for(lambda: managed.key_id(6) == sixth, timeout_s=60, what="the Secret has version 6 again")
        assert managed.signs_with(0) == managed.signs_with(1) == sixth
    managed.stage.wait_ready(timeout_s=90)
    token = managed.cluster.mint_token(0, *PROBE, None)
    keys = joserfc.jwk.KeySet.import_key_set(managed.published())  # type: ignore[arg-type]
    assert joserfc.jwt.decode(token, keys, algorithms=["RS256"]).header["kid"] == sixth


def test_a_disk_of_long_ago_signs_nothing_before_the_ring_was_read(managed: Managed) -> None:
    """S10: on it version 1 signs, which only verifies since then; no other API server is there to ask.

    And no token is refused whose version is not on it.
    """
    signer, token = managed.signers[1], managed.cluster.mint_token(0, *PROBE, None)
    managed.cluster.kill(0)
    managed.cluster.kill(1)
    signer.kill()
    shutil.copy(managed.stage.folder / "founding.json", signer.state / "ring.json")
    signer.start()
    managed.cluster.start_server(1)
    assert managed.accepted(token, index=1)
    assert managed.signs_with(1) == managed.key_id(6)
    managed.cluster.start_server(0)


def test_without_secret_and_disks_a_backup_is_put_back(managed: Managed) -> None:
    """Keys are never invented: there is no socket, until somebody brings a copy of one disk."""
    first, second = managed.signers
    before = managed.signs_with(0)
    backup = managed.stage.folder / "backup.json"
    shutil.copy(first.state / "ring.json", backup)
    for signer in managed.signers:
        signer.kill()
        signer.socket.unlink()
        (signer.state / "ring.json").unlink()
        signer.process.argv = [each for each in signer.process.argv if not each.startswith("--import-key")]
    managed.put_secret(None)
    log = Log(first)
    first.process.start()
    log.wait("There is no ring of signing keys")
    assert not first.socket.exists()
    first.kill()
    program = Path(sys.executable).with_name("oidc-publisher")
    subprocess.run([program, "signer", "restore", backup, "--state", first.state], check=True, timeout=60)
    first.start()
    second.start()
    assert managed.signs_with(0) == managed.signs_with(1) == before


#: The signer without the rules that keep a version waiting (S6, S13).
UNGATED = """
from oidc_publisher.cli import main
from oidc_publisher.signer.ring import making, permission
permission.obstacle = lambda key, sight: ""
making._obstacles = lambda ring, sight: iter(())
main()
"""


def test_without_the_gate_tokens_are_refused(managed: Managed) -> None:
    """The other tests mean something: where one API server has key files, a signer that does not wait breaks it.

    An API server that goes back to key files is named by the operator: what it signs with is listed by nobody else.
    """
    signed, others = managed.signers
    version = int(managed.ring()["highest"]) + 1
    files = (managed.stage.key.public_pem, managed.newest_public_pem())
    others.kill()
    with managed.cluster.restored():
        managed.cluster.restart(1, replace(managed.stage.config(), key_files=files))
        assert managed.accepted(managed.cluster.mint_token(0, *PROBE, None), index=1)
        managed.stage.wait_for_reason("KeyUnlistedSomewhere", timeout_s=60)
        with signed.run_as(sys.executable, "-c", UNGATED):
            managed.ask(version)
            wait_for(lambda: managed.signs_with(0) == managed.key_id(version), timeout_s=60, what="it signs")
            assert not managed.accepted(managed.cluster.mint_token(0, *PROBE, None), index=1)
        others.start()
    with verified(managed):
        managed.all_sign_with(version)
