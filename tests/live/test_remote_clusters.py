"""Issuers of remote clusters: a management cluster and two remote ones, of which one hangs.

Each is a control plane of its own, with a CA and a key of its own. The operator has the chart's rights in the management
cluster, and in the remote ones exactly those of docs/how-to/hosted-control-planes.md.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.places import patch, served, until, wait_served
from tests.support import binaries, chart
from tests.support.controlplane import ControlPlane, ServerConfig
from tests.support.docpages import DOCS, blocks, typed
from tests.support.kubeconfigs import certificate_user, cluster_entry, kubeconfig, secret, written
from tests.support.operatorprocess import OperatorProcess
from tests.support.pki import PKI
from tests.support.signingkeys import SigningKey, signing_key
from tests.support.stage import BUCKET, STAGE_PORT, Object, Stage, condition, reasons
from tests.support.stage import PROBE as STAGE_PROBE

pytestmark = pytest.mark.timeout(300)  # whichever comes first starts the servers

PAGE = DOCS / "how-to/hosted-control-planes.md"
CLUSTERS = "clusters"
PAGES_SECRET, PAGES_SERVER = "tenant-a-oidc-publisher", "https://tenant-a.example.com:6443"
PROBE = {"namespace": "oidc-publisher", "name": "probe"}
#: The places that the operator has for passes, and the issuers of the cluster that hangs.
PLACES, HANGING = 2, 8
#: The interval of these issuers is 2 s. Passes that each wait for the cluster that hangs make it 15 s.
LATE_S = 6.0
RBAC = "rbac.authorization.k8s.io/v1"
RIGHTS_OF_CHART = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}


@dataclass
class Remote:
    """A remote cluster, the name of its issuer, and the Secret with its kubeconfig."""

    name: str
    key: SigningKey
    cluster: ControlPlane

    @property
    def source(self) -> Object:
        """The key source of its issuers."""
        where = {"namespace": CLUSTERS, "name": self.secret}
        return {"name": "remote", "apiServer": {"kubeconfigSecret": where, "probeServiceAccount": PROBE}}

    @property
    def secret(self) -> str:
        """The name of the Secret."""
        return f"{self.name}-oidc-publisher"

    @property
    def server(self) -> str:
        """The URL of its API server."""
        return f"https://{self.cluster.servers[0].host_port}"

    @property
    def uid(self) -> str:
        """The UID of its namespace kube-system."""
        return str(self.cluster.get("v1", "Namespace", "kube-system")["metadata"]["uid"])

    def user(self, name: str = "oidc-publisher") -> Object:
        """The user entry of a client certificate."""
        return certificate_user(self.cluster.pki.client(name))

    def pause(self) -> None:
        """Let the API server hang: the kernel accepts connections, and nobody says anything."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the API server go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        process = self.cluster.servers[0].process
        assert process is not None
        os.kill(process.pid, number)


@dataclass
class Scene:
    """The management cluster with the operator (`stage`), and both remote clusters."""

    stage: Stage
    one: Remote
    two: Remote

    def put(self, remote: Remote, user: Object | None = None, members: Object | None = None) -> None:
        """Write the kubeconfig of a remote cluster into its Secret."""
        content = written(kubeconfig(cluster_entry(remote.cluster.pki, remote.server, members), user or remote.user()))
        self.stage.cluster.apply(secret(CLUSTERS, remote.secret, content))

    def issue(self, name: str, remote: Remote | None, **spec: Any) -> Object:
        """Apply an issuer of its own place, and return it."""
        own = {"issuerURL": self.stage.edge.public_url(BUCKET, name), "store": {"s3": self.stage.s3_spec(prefix=name)}}
        sources = {"keySources": [remote.source]} if remote else {}
        issuer = self.stage.issuer(name, **{**own, **sources, **spec})
        self.stage.apply(issuer)
        return issuer


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Three control planes with one API server each, S3, and the operator with few places for passes."""
    with Stage(tmp_path_factory.mktemp("stage"), servers=1) as stage, ThreadPoolExecutor() as pool:
        remotes = [_remote(stage, name, STAGE_PORT + number) for number, name in enumerate(("one", "two"), 1)]
        try:
            list(pool.map(_start, remotes))
            _install(stage, [PAGES_SECRET, *(remote.secret for remote in remotes)])
            stage.operator.start()
            yield Scene(stage, *remotes)
        finally:
            for remote in remotes:
                remote.cluster.stop()


def _install(stage: Stage, secrets: list[str]) -> None:
    """Install the CRD and the chart's rights, those on the two Secrets among them, and make the operator that has them."""
    stage.apply_crd()
    for namespace in (chart.NAMESPACE, CLUSTERS):
        stage.cluster.create_namespace(namespace)
    probe = {"create": False, "namespace": STAGE_PROBE[0], "name": STAGE_PROBE[1]}
    listed = [{"namespace": CLUSTERS, "name": name} for name in secrets]
    objects = chart.render({"rbac": {"secrets": listed}, "probe": {"serviceAccount": probe}})
    stage.cluster.apply([found for found in objects if found["kind"] in RIGHTS_OF_CHART])
    account = (chart.NAMESPACE, f"{chart.RELEASE}-oidc-publisher")
    stage.operator = OperatorProcess(
        stage.folder,
        stage.cluster.kubeconfig_for_service_account(*account, survives_rotation=True),
        f"--probe-service-account={'/'.join(STAGE_PROBE)}",
        f"--max-concurrent={PLACES}",
        "--log-level=debug",
        env=stage.s3.credentials,
    )


def _remote(stage: Stage, name: str, port: int) -> Remote:
    key, folder = signing_key("P-256", f"remote-{name}"), stage.folder / name
    config = ServerConfig(signing_key=key, issuers=(stage.edge.public_url(BUCKET, name),))
    return Remote(name, key, ControlPlane(folder, PKI(folder / "pki"), [config], port=port))


def _start(remote: Remote) -> None:
    remote.cluster.start()
    remote.cluster.apply(rights())


def rights(user: str = "oidc-publisher") -> list[Object]:
    """The manifests of the page, for this user."""
    (block,) = [block for block in blocks(PAGE, "yaml") if "ClusterRole" in block.text]
    objects = list(yaml.safe_load_all(block.text))
    assert len(objects) == 8
    for found in objects:
        for subject in found.get("subjects", ()):
            assert subject == {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "oidc-publisher"}
            subject["name"] = user
        if user != "oidc-publisher" and found["kind"].endswith("Binding"):
            found["metadata"]["name"] = user
    return objects


@pytest.fixture
def all_issuers(scene: Scene) -> Iterator[Scene]:
    """An issuer of each cluster, ready."""
    for remote in (scene.one, scene.two):
        scene.put(remote)
        scene.issue(remote.name, remote)
    own = scene.stage.issuer_url
    scene.issue("prod", None, issuerURL=own)
    for name in ("one", "two", "prod"):
        scene.stage.wait_ready(name=name, timeout_s=40)
    yield scene
    scene.two.resume()


def cli(scene: Scene, *arguments: str, manifest: Object | None = None) -> tuple[int, str]:
    """Run a command as the admin of the management cluster; its exit code and its output."""
    stage = scene.stage
    done = subprocess.run(
        [Path(sys.executable).with_name("oidc-publisher"), *arguments],
        input=yaml.safe_dump(manifest) if manifest else None,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(stage.folder),
            "KUBECONFIG": str(stage.cluster.admin_kubeconfig()),
            "AWS_EC2_METADATA_DISABLED": "true",
            **stage.s3.credentials,
        },
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout or done.stderr


def test_each_issuer_has_the_keys_and_the_mark_of_its_own_cluster(all_issuers: Scene) -> None:
    """With exactly the rights of the page, and everything proven: no finding but those of the short periods of the test."""
    stage = all_issuers.stage
    for remote in (all_issuers.one, all_issuers.two):
        assert served(stage, remote.name) == {remote.key.kid}
        found = stage.s3.get_object(BUCKET, f"{remote.name}/openid/v1/jwks")
        assert found is not None
        assert f"{remote.uid}/{remote.name}" in found["Metadata"].values()
        assert stage.conditions(remote.name)["Ready"] == ("True", "Proven")
        assert stage.reasons(remote.name) <= {"PrePublishShort", "TokenOutlivesPolicy"}
    assert served(stage, "prod") == {stage.key.kid}
    told = stage.operator.log() + json.dumps(stage.cluster.list_all("oidc-publisher.io/v1alpha1", "OIDCIssuer"))
    for remote in (all_issuers.one, all_issuers.two):
        held = stage.cluster.get("v1", "Secret", remote.secret, CLUSTERS)["data"]["value"]
        key = json.loads(base64.b64decode(held))["users"][0]["user"]["client-key-data"]
        lines = [line for line in base64.b64decode(key).decode().splitlines() if not line.startswith("-")]
        assert lines
        assert not [piece for piece in (key, *lines) if piece in told]


def test_the_commands_say_what_is_to_say_of_such_an_issuer(all_issuers: Scene) -> None:
    """`check`, `plan`, `status` and `wait` reach the remote cluster by the same Secret, or read the status."""
    one = all_issuers.one
    code, said = cli(all_issuers, "check", "one", "--probe-service-account=default/probe", "-o", "json")
    sections = {s["title"]: {line["check"]: line for line in s["lines"]} for s in json.loads(said)["sections"]}
    lines, host_port = sections["oidci/one"], one.cluster.servers[0].host_port
    reached = lines[f"remote cluster of Secret {CLUSTERS}/{one.secret}"]
    assert (code, reached["result"]) == (0, "Yes"), said
    assert reached["found"] == f"{host_port} answers; its documents are marked with {one.uid}"
    assert lines[host_port]["result"] == lines["ServiceAccount oidc-publisher/probe"]["result"] == "Yes"
    rights_asked = sections["PERMISSIONS of the operator"]
    assert {f"{verb} secrets {one.secret} in {CLUSTERS}" for verb in ("get", "watch")} <= set(rights_asked)
    issuer = all_issuers.issue("one", one)
    code, said = cli(all_issuers, "plan", "-f", "-", manifest=issuer)
    assert (code, "No token was minted" in said) == (0, False), said
    code, said = cli(all_issuers, "wait", "one", "--for=Ready", "--timeout=20s")
    assert code == 0, said
    code, said = cli(all_issuers, "status", "one")
    assert (code, one.key.kid in said) == (0, True), said


def test_the_kubeconfig_of_the_page_is_one_that_the_operator_takes(all_issuers: Scene, tmp_path: Path) -> None:
    """Its commands run as they are, with another server; the token's issuer alone is wrong, for it is that of `one`."""
    scene, one = all_issuers, all_issuers.one
    certificate = one.cluster.pki.client("oidc-publisher")
    for name, file in (("remote.crt", certificate.chain_file), ("remote.key", certificate.key_file)):
        (tmp_path / name).write_bytes(file.read_bytes())
    (tmp_path / "ca.crt").write_bytes(one.cluster.ca_pem)
    commands = typed(PAGE, "2. Make a kubeconfig for that user")
    assert PAGES_SERVER in commands
    assert PAGES_SECRET in commands
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands.replace(PAGES_SERVER, one.server)],
        cwd=tmp_path,
        env={
            "PATH": f"{binaries.find('kubectl').parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "KUBECONFIG": str(scene.stage.cluster.admin_kubeconfig()),
        },
        check=True,
        capture_output=True,
        timeout=60,
    )
    source = {**one.source["apiServer"], "kubeconfigSecret": {"namespace": CLUSTERS, "name": PAGES_SECRET}}
    scene.issue("tenant-a", None, keySources=[{"name": "remote", "apiServer": source}])
    found = scene.stage.wait_for_reason("WrongIssuerInToken", name="tenant-a", timeout_s=40)
    assert condition(found["status"], "KeysRead") == "True"
    scene.stage.cluster.kubectl("delete", "oidci/tenant-a", "--wait=true")


def test_another_kubeconfig_is_followed_and_no_pass_is_refused(all_issuers: Scene) -> None:
    """By the watch of the Secret alone, for the interval is an hour; the old user has no rights then."""
    stage, one = all_issuers.stage, all_issuers.one
    patch(stage, "one", interval="1h")
    before = {c["type"]: c["lastTransitionTime"] for c in stage.wait_ready(name="one")["status"]["conditions"]}
    looks = stage.edge.count("GET", path="/one/.well-known/")
    one.cluster.apply(rights("renewed"))
    all_issuers.put(one, one.user("renewed"))
    until(lambda: stage.edge.count("GET", path="/one/.well-known/") > looks, "a pass after the change of the Secret")
    for found in (found for found in rights() if found["kind"].endswith("Binding")):
        one.cluster.delete(RBAC, found["kind"], found["metadata"]["name"], found["metadata"].get("namespace"))
    code, said = cli(all_issuers, "reconcile", "one", "--wait")
    assert (code, stage.conditions("one")["Ready"]) == (0, ("True", "Proven")), said
    after = {c["type"]: c["lastTransitionTime"] for c in stage.get("one")["status"]["conditions"]}
    assert after == before, "a pass was refused meanwhile"
    one.cluster.apply(rights())
    patch(stage, "one", interval="2s")


@contextmanager
def hung(remote: Remote) -> Iterator[None]:
    """While the API server of a remote cluster hangs."""
    remote.pause()
    try:
        yield
    finally:
        remote.resume()


def test_a_cluster_that_hangs_is_unknown_and_slows_no_other(all_issuers: Scene) -> None:
    """Although it has more issuers than the operator has places for passes; nothing of them is taken away."""
    scene, stage = all_issuers, all_issuers.stage
    for number in range(1, HANGING):
        scene.issue(f"two-{number}", scene.two)
    for number in range(1, HANGING):
        stage.wait(lambda s: condition(s, "KeysRead") == "True", what="KeysRead", name=f"two-{number}", timeout_s=40)
    with hung(scene.two):
        for name in ("two", *(f"two-{number}" for number in range(1, HANGING))):
            stage.wait(lambda s: condition(s, "KeysRead") == "Unknown", what="Unknown", name=name, timeout_s=60)
        assert max(lateness(stage, "prod", "one", looks=6)) < LATE_S
        found = stage.wait(lambda s: condition(s, "Ready") == "Unknown", what="Ready Unknown", name="two", timeout_s=60)
        assert "APIServerUnreachable" in reasons(found["status"])
        assert served(stage, "two") == {scene.two.key.kid}
        assert {stage.conditions(name)["Ready"][0] for name in ("prod", "one")} == {"True"}
        # A new process does not know the cluster's identity, and says so instead of the last proof.
        stage.operator.restart()
        stage.wait_ready(name="one", timeout_s=40)
        found = stage.wait(
            lambda s: condition(s, "Served") == "Unknown", what="nothing of it", name="two", timeout_s=60
        )
        assert condition(found["status"], "Ready") == "Unknown"
        said = next(f for f in found["status"]["findings"] if f["reason"] == "APIServerUnreachable")
        assert f"Secret {CLUSTERS}/{scene.two.secret}" in said["advice"]
    stage.wait_ready(name="two", timeout_s=60)
    wait_served(stage, "two", scene.two.key.kid)


def lateness(stage: Stage, *names: str, looks: int) -> list[float]:
    """The longest times between two looks at the public URLs of these issuers, until each was looked at so often."""
    counts = dict.fromkeys(names, 0)
    last: dict[str, float] = {}
    longest = dict.fromkeys(names, 0.0)
    seen: dict[str, int] = dict.fromkeys(names, 0)
    end = time.monotonic() + 90
    while min(seen.values()) <= looks:
        assert time.monotonic() < end, f"too few passes: {seen}"
        for name in names:
            now, count = time.monotonic(), stage.edge.count("GET", path=f"/{name}/.well-known/")
            if count == counts[name]:
                continue
            counts[name] = count
            if name in last:
                longest[name] = max(longest[name], now - last[name])
            last[name] = now
            seen[name] += 1
        time.sleep(0.02)
    print(f"\nlongest time between two looks: {longest}, at load {os.getloadavg()[0]:.1f}")  # noqa: T201 - measured
    return list(longest.values())


def test_a_kubeconfig_that_would_run_a_program_is_refused(all_issuers: Scene) -> None:
    """Nothing runs, nothing of it is told, and a good one heals it at once."""
    stage, one = all_issuers.stage, all_issuers.one
    proof = stage.folder / "was-run"
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/touch", "args": [str(proof)]}
    patch(stage, "one", interval="1h")
    all_issuers.put(one, {"exec": plugin})
    found = stage.wait_for_reason("KubeconfigRefused", name="one")["status"]
    assert (condition(found, "Ready"), condition(found, "Stalled")) == ("False", "True")
    (said,) = [f for f in found["findings"] if f["reason"] == "KubeconfigRefused"]
    assert said["message"].startswith(
        f"The kubeconfig in Secret {CLUSTERS}/{one.secret} runs a credential plugin (exec)"
    )
    assert not proof.exists()
    assert str(proof) not in stage.operator.log() + json.dumps(stage.get("one"))
    code, told = cli(all_issuers, "check", "one", "-o", "json")
    assert (code, "credential plugin" in told) == (1, True)
    all_issuers.put(one)
    stage.wait_ready(name="one")
    patch(stage, "one", interval="2s")
