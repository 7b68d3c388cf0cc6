"""`signer check`: a signer on a real socket, a manifest with its files, and a cluster of a few answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from oidc_publisher.cli.check.lines import CheckResult, Line
from oidc_publisher.cli.signer import serverlines, socketlines
from oidc_publisher.cli.signer.serverlines import cluster_lines
from oidc_publisher.cli.signer.socketlines import SignerAnswers, asked, socket_lines
from oidc_publisher.signer.kube import KubeAccess, KubeRequestError
from oidc_publisher.signer.kube.kubeapi import KubeAnswer
from oidc_publisher.signer.server.decoding import FetchedKeys
from oidc_publisher.signer.server.messages import ListedKey
from oidc_publisher.signer.server.protobuf import MalformedMessageError
from oidc_publisher.signer.storage import Plaintext, WrappingKey, to_secret
from tests.support.builders import issuer_of
from tests.support.commands import call
from tests.support.rings import ring_key, ring_of
from tests.support.signerthread import SignerThread, new_key
from tests.support.signingkeys import signing_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SA_KEY = signing_key("P-256", "sa")
RING = ring_of(ring_key(2), ring_key(1, signed=NOW))
KEY = WrappingKey.from_file(b"k" * 32)
SECRET = "/api/v1/namespaces/kube-system/secrets/oidc-publisher-signing-keys"
DEFAULT = "/apis/oidc-publisher.io/v1alpha1/signingkeyrings/default"
ISSUERS = "/apis/oidc-publisher.io/v1alpha1/oidcissuers"
SLICES = serverlines._SLICES


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    """The socket of a signer with two keys, the older of which only verifies."""
    path = tmp_path / "run" / "signer.sock"
    path.parent.mkdir()
    former = replace(new_key(1), private=None, verify_only_time=NOW)
    with SignerThread(path, new_key(2), former):
        yield path


def answers(socket: Path) -> SignerAnswers:
    """What the signer at a socket answers."""
    found = asked(socket)
    assert isinstance(found, SignerAnswers)
    return found


def results(lines: Iterator[Line]) -> dict[str, CheckResult]:
    """The result of each check."""
    return {line.check: line.result for line in lines}


def test_a_signer_is_asked_over_its_socket(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That alone is the probe of a supervisor; one token is signed and verified."""
    assert call("signer", "check", f"--socket={socket}") == 0
    said = capsys.readouterr().out
    assert "SIGNER" in said
    assert "(ES256), which it lists" in said
    assert "lists 2 keys, 1 of them for verifying alone" in said
    assert "a token lives 24h at most" in said
    assert "Everything that was checked works. 4 checks." in said


def test_a_signer_that_is_not_there_is_a_no(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Quietly, for a supervisor, with one line to stderr."""
    assert call("signer", "check", f"--socket={tmp_path / 's.sock'}", "-q") == 1
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("Error: signer at ")
    assert "No such file or directory" in written.err


def test_a_signature_that_nobody_can_verify_is_a_no(socket: Path) -> None:
    """Of a key that is not listed, or is listed for verifying alone, and one that is none."""
    good = answers(socket)
    time = good.keys.time
    (signs,) = (key for key in good.keys.keys if not key.excluded)
    assert set(results(socket_lines(good, time)).values()) == {CheckResult.YES}
    other = ListedKey("other", signs.spki)
    for keys, said in (
        ((other,), "which it does not list"),
        ((replace(signs, excluded=True),), "which it lists for verifying alone"),
        ((replace(signs, spki=new_key(3).key.spki),), "its signature is not one of key"),
        ((replace(signs, spki=b"no key"),), "its signature is not one of key"),
    ):
        line = next(socket_lines(replace(good, keys=FetchedKeys(keys, time)), time))
        assert line.result is CheckResult.NO
        assert said in line.found
    assert next(socket_lines(replace(good, token="x"), time)).result is CheckResult.NO


def test_a_signer_that_goes_on_from_its_disk_is_a_warning(socket: Path) -> None:
    """It answers, and does not follow."""
    good = answers(socket)
    lines = results(socket_lines(good, good.keys.time + timedelta(minutes=3)))
    assert lines["ring"] is CheckResult.WARNING


def manifest(folder: Path, *flags: str) -> Path:
    """A manifest of an API server that has the folders of the node at their own paths."""
    folders = {"run": folder / "run", "pki": folder}
    container = {
        "command": ["kube-apiserver", *flags],
        "volumeMounts": [{"name": name, "mountPath": str(path)} for name, path in folders.items()],
    }
    volumes = [{"name": name, "hostPath": {"path": str(path)}} for name, path in folders.items()]
    path = folder / "kube-apiserver.yaml"
    path.write_text(yaml.safe_dump({"spec": {"containers": [container], "volumes": volumes}}))
    return path


def test_a_manifest_with_the_key_that_the_signer_does_not_sign_with(
    socket: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It went back to the file: all that is read is named, and nothing of the key is shown."""
    (tmp_path / "sa.key").write_bytes(SA_KEY.private_pem)
    (tmp_path / "sa.pub").write_bytes(SA_KEY.public_pem)
    flags = (f"--service-account-signing-key-file={tmp_path}/sa.key", f"--service-account-key-file={tmp_path}/sa.pub")
    path = manifest(tmp_path, *flags)
    assert call("signer", "check", f"--socket={socket}", f"--manifest={path}", "-o", "json") == 1
    report = json.loads(capsys.readouterr().out)
    lines = {line["check"].split()[0]: line for line in report["sections"][1]["lines"]}
    assert lines["--service-account-signing-key-file"]["found"].startswith(f"has key {SA_KEY.kid}, and the signer")
    assert lines["--service-account-key-file"]["found"].startswith(f"has {SA_KEY.kid}, which the signer does not list")
    assert "PRIVATE" not in json.dumps(report)


def test_a_manifest_with_the_socket_is_good(socket: Path, tmp_path: Path) -> None:
    """At the path of the node."""
    path = manifest(
        tmp_path, f"--service-account-signing-endpoint={socket}", "--service-account-max-token-expiration=24h"
    )
    assert call("signer", "check", f"--socket={socket}", f"--manifest={path}") == 0


@pytest.mark.parametrize(("content", "code"), [(None, 2), (b"spec: 5", 1), (b"\xff", 1)])
def test_a_manifest_that_cannot_be_read(socket: Path, tmp_path: Path, content: bytes | None, code: int) -> None:
    """A file that is not there leaves it open; another file is a no."""
    path = tmp_path / "manifest.yaml"
    if content is not None:
        path.write_bytes(content)
    assert call("signer", "check", f"--socket={socket}", f"--manifest={path}") == code


def test_key_files_that_are_none(socket: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is missing, and one without a key."""
    (tmp_path / "empty").write_bytes(b"")
    flags = (f"--service-account-signing-key-file={tmp_path}/gone", f"--service-account-key-file={tmp_path}/empty")
    assert call("signer", "check", f"--socket={socket}", f"--manifest={manifest(tmp_path, *flags)}") == 2
    said = capsys.readouterr().out
    assert f"{tmp_path}/gone cannot be read: No such file or directory" in said
    assert "is no unencrypted private key in PEM" in said


@dataclass(slots=True)
class Cluster:
    """A cluster by the objects at its paths; API servers by their addresses; an int is a status that refuses."""

    objects: dict[str, Any] = field(default_factory=dict)
    key_sets: dict[str, Any] = field(default_factory=dict)
    token: Any = ""
    server: str = ""

    def get(self, path: str, accept: str = "application/json") -> KubeAnswer:
        """Answer with an object."""
        if path == "/openid/v1/jwks":
            assert accept == "application/jwk-set+json", "an API server answers everything else with 406"
            return self.answer({"keys": [{"kid": kid} for kid in self.key_sets[self.server]]})
        return self.answer(self.objects.get(path, 404))

    def send(self, method: str, path: str, body: Any) -> KubeAnswer:
        """Mint a token."""
        assert (method, path, body["kind"]) == (
            "POST",
            "/api/v1/namespaces/default/serviceaccounts/default/token",
            "TokenRequest",
        )
        return self.answer(self.token if isinstance(self.token, int) else {"status": {"token": self.token}})

    def answer(self, found: Any) -> KubeAnswer:
        """Refuse, or answer."""
        if isinstance(found, int):
            raise KubeRequestError(f"was answered with {found}", found)
        return KubeAnswer(found, NOW)


def token_of(key_id: str) -> str:
    """A token with this kid."""
    parts = ({"alg": "ES256", "kid": key_id}, {"iss": "https://i"})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (*parts, {}))


def secret(wrapping: WrappingKey = KEY) -> Mapping[str, Any]:
    """The Secret with the ring."""
    data = {name: base64.b64encode(value).decode() for name, value in to_secret(RING, wrapping).items()}
    return {"metadata": {"resourceVersion": "1"}, "data": data}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster of two API servers in which everything agrees with a signer that signs with version 1."""
    addresses = ("10.0.0.1", "10.0.0.2")
    listed = [key.key_id for key in RING.keys]
    document = issuer_of().model_dump(mode="json", by_alias=True, exclude_none=True)
    made = Cluster(
        {
            "/version": {"major": "1", "minor": "34+", "gitVersion": "v1.34.1"},
            SLICES: {
                "items": [{"ports": [{"name": "https", "port": 6443}], "endpoints": [{"addresses": list(addresses)}]}]
            },
            ISSUERS: {"items": [document]},
            DEFAULT: {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            SECRET: secret(),
        },
        {f"https://{address}:6443": listed for address in addresses},
        token_of(RING.keys[1].key_id),
    )
    monkeypatch.setattr(
        serverlines, "KubeApi", lambda access: replace(made, server=str(access.cluster.get("server", "")))
    )
    return made


def ask(wrapping: WrappingKey | Plaintext | None = KEY, lifetime: timedelta = timedelta(hours=24)) -> dict[str, Line]:
    """The lines about the cluster, of a signer that lists the ring and signs with version 1."""
    keys = tuple(ListedKey(key.key_id, key.key.spki) for key in RING.keys)
    told = SignerAnswers("", FetchedKeys(keys, NOW), lifetime)
    access = KubeAccess(Path("/"), {"server": "https://10.0.0.9:6443"}, {})
    return {line.check: line for line in cluster_lines(access, told, RING.keys[1].key_id, wrapping)}


def test_a_cluster_that_agrees(cluster: Cluster) -> None:
    """A line for each thing that has to."""
    assert cluster.objects
    lines = ask()
    assert list(lines) == [
        "version of Kubernetes",
        "key with which tokens are signed now",
        "API server 10.0.0.1:6443",
        "API server 10.0.0.2:6443",
        "OIDCIssuer prod",
        "SigningKeyRing default",
        "Secret of the ring",
    ]
    assert {line.result for line in lines.values()} == {CheckResult.YES}
    assert "Secret of the ring" not in ask(None)


def test_a_cluster_is_asked_with_a_kubeconfig(
    cluster: Cluster, socket: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """This signer signs with another key than the cluster: that is said of each API server, and of the token."""
    assert cluster.objects
    path = tmp_path / "admin.conf"
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443", "certificate-authority": "ca"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path.write_text(yaml.safe_dump(config))
    (tmp_path / "k").write_bytes(b"k" * 32)
    options = [f"--socket={socket}", f"--kubeconfig={path}", f"--wrapping-key-file={tmp_path / 'k'}"]
    assert call("signer", "check", *options) == 1
    said = capsys.readouterr().out
    assert "CLUSTER" in said
    assert said.count("and refuses the tokens of this signer") == 2
    assert "the signer lists other keys than it has" in said


def test_an_answer_that_is_no_message_is_a_no(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a program that is no signer, and none that signs what makes a token is one."""

    def malformed(_: bytes) -> Any:
        raise MalformedMessageError("a number has no end")

    monkeypatch.setattr(socketlines, "signature_of", lambda _: ("no header", "no signature"))
    assert call("signer", "check", f"--socket={socket}") == 1
    monkeypatch.setattr(socketlines, "lifetime_of", malformed)
    line = asked(socket)
    assert isinstance(line, Line)
    assert line.found == "answers what is no message of KEP-740: a number has no end"


def test_an_api_server_with_another_key_is_a_no(cluster: Cluster) -> None:
    """Its node has another sa.key, or its flags are those of before."""
    cluster.key_sets["https://10.0.0.2:6443"] = ["another"]
    cluster.token = token_of("another")
    lines = ask()
    assert lines["API server 10.0.0.1:6443"].result is CheckResult.YES
    assert lines["API server 10.0.0.2:6443"].result is CheckResult.NO
    assert (
        lines["key with which tokens are signed now"].found
        == f"is another, and the signer signs with {RING.keys[1].key_id}"
    )
    assert lines["key with which tokens are signed now"].result is CheckResult.NO


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ({"major": "1", "minor": "33"}, CheckResult.NO),
        ({"major": "2", "minor": "0"}, CheckResult.YES),
        ({}, CheckResult.NO),
    ],
)
def test_the_version_has_to_be_one_that_publishes_a_signers_keys(
    cluster: Cluster, said: dict[str, str], result: CheckResult
) -> None:
    """1.33 has signers, and publishes no key set with one."""
    cluster.objects["/version"] = said
    assert ask()["version of Kubernetes"].result is result


def test_an_issuer_that_lets_keys_go_too_early_is_a_no(cluster: Cluster) -> None:
    """S18. One that reads no API server of this cluster does not count."""
    assert ask(lifetime=timedelta(hours=25))["OIDCIssuer prod"].result is CheckResult.NO
    other = issuer_of(keySources=[{"configMap": {"namespace": "n", "name": "c"}}])
    cluster.objects[ISSUERS] = {"items": [other.model_dump(mode="json", by_alias=True, exclude_none=True)]}
    assert "OIDCIssuer prod" not in ask(lifetime=timedelta(hours=25))


def test_the_ring_that_is_not_there_or_not_ready(cluster: Cluster) -> None:
    """Without the object nothing rotates."""
    cluster.objects[DEFAULT] = {"status": {"conditions": [{"type": "Ready", "status": "False", "message": "M."}]}}
    assert ask()["SigningKeyRing default"].found == "is not Ready: M."
    del cluster.objects[DEFAULT]
    assert ask()["SigningKeyRing default"].result is CheckResult.NO


def test_a_wrapping_key_that_opens_nothing_is_a_no(cluster: Cluster) -> None:
    """That is the question for each node before it is moved."""
    assert ask(WrappingKey.from_file(b"x" * 32))["Secret of the ring"].result is CheckResult.NO
    cluster.objects[SECRET] = {"metadata": {"resourceVersion": "1"}}
    assert ask()["Secret of the ring"].result is CheckResult.WARNING
    other = to_secret(ring_of(ring_key(7, signed=NOW)), KEY)
    data = {name: base64.b64encode(value).decode() for name, value in other.items()}
    cluster.objects[SECRET] = {"metadata": {"resourceVersion": "1"}, "data": data}
    assert "the signer lists other keys than it has" in ask()["Secret of the ring"].found


def test_what_may_not_be_asked_stays_open(cluster: Cluster) -> None:
    """With whom to ask as; the rest is asked."""
    cluster.token = 403
    cluster.objects |= {SECRET: 403, SLICES: 500}
    lines = ask()
    opened = {check for check, line in lines.items() if line.result is CheckResult.NO_ANSWER}
    assert opened == {"key with which tokens are signed now", "Secret of the ring", "API servers"}
    assert "admin.conf" in lines["Secret of the ring"].advice
    assert lines["API servers"].advice == ""
    cluster.token = "no token"
    assert ask()["key with which tokens are signed now"].result is CheckResult.NO_ANSWER


@pytest.mark.parametrize(
    "more",
    [
        ["--wrapping-key-file=k"],
        ["--plaintext-secret"],
        ["--wrapping-key-file=k", "--plaintext-secret", "--kubeconfig=c"],
    ],
)
def test_options_that_do_not_belong_together(
    socket: Path, more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Secret is read with a kubeconfig, in one of two ways."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "k").write_bytes(b"k" * 32)
    assert call("signer", "check", f"--socket={socket}", *more) == 2
    assert cast("Any", socket).exists()
