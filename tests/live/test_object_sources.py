"""Key sources beside the API server, on a real one: ConfigMaps and Secrets by watch, files by content.

The operator is a child process and acts as a ServiceAccount that may do what the README says, read and watch single
objects by name, and nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from oidc_publisher.controller.shard import Shard
from tests.layouts import kubeadm
from tests.live.places import event, served, wait_served
from tests.support.operatorprocess import OperatorProcess
from tests.support.signingkeys import SigningKey, signing_key
from tests.support.stage import BUCKET, PROBE, Object, Stage, condition, reasons

pytestmark = pytest.mark.timeout(240)  # whichever comes first starts the servers

ACCOUNT = ("oidc-publisher", "operator")
KEYS = "keys"
#: The objects that the operator may get and watch.
MAPS, SECRETS = ["signers", "deleted", "private", "union", "handed"], ["hosted-sa"]
PATTERN = r"service-account-(?P<version>[0-9]+)\.pub"
A, B, C, D, E = (signing_key("P-256", f"objects-{name}") for name in "abcde")
#: Never published: lines of its private half that hold its public one may stand nowhere either.
STRAY = signing_key("RSA-2048", "stray")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One API server, S3, and the operator with the least rights."""
    with Stage(tmp_path_factory.mktemp("stage"), servers=1) as running:
        running.apply_crd()
        cluster = running.cluster
        cluster.create_namespace(KEYS)
        cluster.apply(least_privilege())
        (running.folder / "key-files").mkdir()
        running.operator = operator(running)
        running.operator.start()
        yield running


def operator(stage: Stage, *arguments: str, name: str = "operator") -> OperatorProcess:
    """An operator with the least rights, not yet started."""
    return OperatorProcess(
        stage.folder,
        stage.cluster.kubeconfig_for_service_account(*ACCOUNT, survives_rotation=True),
        f"--probe-service-account={'/'.join(PROBE)}",
        f"--key-files-root={stage.folder / 'key-files'}",
        "--log-level=debug",
        *arguments,
        env=stage.s3.credentials,
        name=name,
    )


def least_privilege() -> list[Object]:
    """The rights in the README, events, and single objects by name, without list."""
    issuers = "oidc-publisher.io"
    everywhere = [
        rule(issuers, "oidcissuers", "get", "list", "watch"),
        rule(issuers, "oidcissuers/status", "patch"),
        rule("", "namespaces", "get", names=["kube-system"]),
        rule("authentication.k8s.io", "tokenreviews", "create"),
    ]
    default = [
        rule("discovery.k8s.io", "endpointslices", "list"),
        rule("", "serviceaccounts/token", "create", names=[PROBE[1]]),
        rule("events.k8s.io", "events", "create"),
    ]
    keys = [
        rule("", "configmaps", "get", "watch", names=MAPS),
        rule("", "secrets", "get", "watch", names=SECRETS),
    ]
    return [*role("oidc-publisher", everywhere), *role("default", default, "default"), *role("keys", keys, KEYS)]


def rule(group: str, resource: str, *verbs: str, names: Iterable[str] = ()) -> Object:
    """One rule of RBAC."""
    found: Object = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return {**found, "resourceNames": list(names)} if names else found


def role(name: str, rules: Iterable[Object], namespace: str | None = None) -> list[Object]:
    """A Role, or without a namespace a ClusterRole, bound to the operator's ServiceAccount."""
    prefix = "" if namespace else "Cluster"
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    api = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "namespace": ACCOUNT[0], "name": ACCOUNT[1]}
    reference = {"apiGroup": api, "kind": f"{prefix}Role", "name": name}
    made = {"apiVersion": f"{api}/v1", "metadata": metadata}
    return [
        {**made, "kind": f"{prefix}Role", "rules": list(rules)},
        {**made, "kind": f"{prefix}RoleBinding", "roleRef": reference, "subjects": [subject]},
    ]


def config_map(stage: Stage, name: str, *keys: SigningKey | bytes) -> None:
    """Make the ConfigMap hold exactly these, numbered from 1; other managers' fields are none."""
    data = {entry: content.decode() for entry, content in numbered(keys).items()}
    stage.cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": KEYS, "name": name}, "data": data}
    )


def numbered(keys: Iterable[SigningKey | bytes]) -> dict[str, bytes]:
    """Entries as OpenShift names them."""
    contents = (key.public_pem if isinstance(key, SigningKey) else key for key in keys)
    return {f"service-account-{number:03d}.pub": content for number, content in enumerate(contents, start=1)}


def source(kind: str, name: str, pattern: str = PATTERN) -> Object:
    """An entry of spec.keySources."""
    return {"name": name, kind: {"namespace": KEYS, "name": name, "entryPattern": pattern}}


@pytest.fixture
def issue(stage: Stage) -> Iterator[Callable[..., str]]:
    """Apply an issuer of its own place with these sources, and remove it at the end."""
    names: list[str] = []

    def apply(name: str, *sources: Object, interval: str = "2s", **spec: Any) -> str:
        url = {"issuerURL": stage.edge.public_url(BUCKET, name), "store": {"s3": stage.s3_spec(prefix=name)}}
        stage.apply(stage.issuer(name, **{**url, "interval": interval, "keySources": list(sources), **spec}))
        names.append(name)
        return name

    yield apply
    for name in names:
        stage.cluster.kubectl("delete", f"oidci/{name}", "--wait=true")


def tell(what: str, *seconds: float) -> None:
    """Print a measured time."""
    print(f"\n{what}: {', '.join(f'{one:.3f} s' for one in seconds)}")  # noqa: T201 - what was measured


def finding(status: Mapping[str, Any], reason: str) -> str:
    """What a finding says: what is wrong, and what to do."""
    return next(f"{f['message']} {f['advice']}" for f in status["findings"] if f["reason"] == reason)


def wait_ready(stage: Stage, name: str) -> Object:
    """Ready, in a pass that had nothing to say of the sources."""
    found: Object = stage.wait(
        lambda s: condition(s, "Ready") == "True" and condition(s, "KeysRead") == "True", what="Ready", name=name
    )["status"]
    return found


def test_a_config_map_alone_is_an_issuer(stage: Stage, issue: Callable[..., str]) -> None:
    """Proven without a token; a change reaches the public URL by watch, long before the interval."""
    assert stage.operator is not None
    before = len(stage.operator.log())
    config_map(stage, "signers", A)
    name = issue("map", source("configMap", "signers"), interval="1h")
    status = wait_ready(stage, name)
    assert stage.conditions(name)["Ready"] == ("True", "ProvenWithoutToken")
    assert "TokenAccepted" not in stage.conditions(name)
    assert [key["version"] for key in status["keys"]] == ["1"]
    times = []
    for keys in ((A, B), (A, B, C)):
        config_map(stage, "signers", *keys)
        times.append(wait_served(stage, name, *(key.kid for key in keys)))
    tell("ConfigMap to public URL", *times)
    status = stage.wait(lambda s: len(s["keys"]) == 3, what="three keys", name=name)["status"]
    assert [key["version"] for key in status["keys"]] == ["3", "2", "1"]
    woken = [line for line in stage.operator.log()[before:].splitlines() if "ConfigMap keys/signers changed" in line]
    assert 1 <= len(woken) <= len(times), "the object as it was when the watch began needs no second pass"


def test_a_secret_of_cluster_api(stage: Stage, issue: Callable[..., str]) -> None:
    """tls.crt alone is read, by watch; the private key beside it is nowhere."""

    def secret(key: SigningKey) -> None:
        entries = {"tls.crt": key.public_pem, "tls.key": STRAY.private_pem}
        data = {entry: base64.b64encode(content).decode() for entry, content in entries.items()}
        metadata = {"namespace": KEYS, "name": "hosted-sa"}
        stage.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})

    secret(A)
    name = issue("hosted", source("secret", "hosted-sa", r"tls\.crt"), interval="1h")
    assert reasons(wait_ready(stage, name)) <= {"PrePublishShort"}
    secret(B)
    tell("Secret to public URL", wait_served(stage, name, A.kid, B.kid))
    assert_nowhere(stage, STRAY.private_pem)


def test_files(stage: Stage, issue: Callable[..., str]) -> None:
    """As kubelet mounts them, at the interval; and nothing outside of the root."""
    folder = kubeadm.mounted(stage.folder / "key-files" / "sa", numbered([A]))
    pattern = {"entryPattern": PATTERN}
    name = issue("files", {"name": "files", "files": {"directory": str(folder), **pattern}})
    wait_ready(stage, name)
    wait_served(stage, name, A.kid)
    kubeadm.mounted(folder, numbered([A, B]), "..2026_01_02_00_00_00.2")
    wait_served(stage, name, A.kid, B.kid)
    outside = stage.folder / "cluster"
    other = issue("outside", {"name": "files", "files": {"directory": str(outside), **pattern}})
    status = stage.wait_for_reason("SourceForbidden", name=other)["status"]
    assert "does not lie below --key-files-root" in finding(status, "SourceForbidden")


def test_the_union_with_the_api_server(stage: Stage, issue: Callable[..., str]) -> None:
    """All are published and proven with a token; a key that no API server knows is named."""
    config_map(stage, "union", stage.key, A)
    api: Object = {"name": "api", "apiServer": {}}
    own: Object = {"issuerURL": stage.issuer_url, "store": {"s3": stage.s3_spec()}}
    name = issue("prod", api, source("configMap", "union"), **own)
    wait_ready(stage, name)
    wait_served(stage, name, stage.key.kid, A.kid)
    found = stage.wait(lambda s: "KeyUnknownToAPIServer" in reasons(s), what="KeyUnknownToAPIServer", name=name)
    assert f"Key {A.kid} is listed by union but by no API server" in finding(found["status"], "KeyUnknownToAPIServer")
    assert stage.conditions(name)["Ready"] == ("True", "Proven")


def test_what_may_not_be_read_names_the_right(stage: Stage, issue: Callable[..., str]) -> None:
    """SourceForbidden; with the right it heals by itself, and what may not be watched is said in the log."""
    config_map(stage, "forbidden", A)
    name = issue("forbidden", source("configMap", "forbidden"))
    status = stage.wait_for_reason("SourceForbidden", name=name)["status"]
    said = finding(status, "SourceForbidden")
    assert "The operator may not read ConfigMap keys/forbidden" in said
    assert "get and watch configmaps with resourceNames [forbidden] in namespace keys" in said
    assert (condition(status, "Ready"), condition(status, "Stalled")) == ("False", "True")
    stage.cluster.apply(role("later", [rule("", "configmaps", "get", names=["forbidden"])], KEYS))
    wait_ready(stage, name)
    assert "The operator may not watch ConfigMap keys/forbidden" in stage.operator.log()


def test_a_config_map_that_is_deleted_and_made_again(stage: Stage, issue: Callable[..., str]) -> None:
    """SourceNotFound, and nothing leaves for longer than a token lives; made again it heals, and what it no longer names goes."""
    config_map(stage, "deleted", A, B)
    name = issue("deleted", source("configMap", "deleted"))
    wait_ready(stage, name)
    wait_served(stage, name, A.kid, B.kid)
    stage.cluster.delete("v1", "ConfigMap", "deleted", KEYS)
    status = stage.wait_for_reason("SourceNotFound", timeout_s=5, name=name)["status"]
    assert "ConfigMap keys/deleted does not exist" in finding(status, "SourceNotFound")
    assert condition(status, "Ready") == "False"
    end = time.monotonic() + 15  # lifetime 10 s and skew 1 s
    while time.monotonic() < end:
        assert served(stage, name) == {A.kid, B.kid}
        time.sleep(0.2)
    assert all(key.get("retireTime") is None for key in stage.get(name)["status"]["keys"])
    config_map(stage, "deleted", B)
    wait_ready(stage, name)
    wait_served(stage, name, B.kid, within_s=25)


def test_a_private_key_is_a_finding_and_is_nowhere(stage: Stage, issue: Callable[..., str]) -> None:
    """Neither in the object nor in an event, in the log at its most talkative or in a document; the good key is published."""
    config_map(stage, "private", A, STRAY.private_pem)
    name = issue("private", source("configMap", "private"))
    status = stage.wait_for_reason("PrivateKeyInEntry", name=name)["status"]
    assert "Entry service-account-002.pub of ConfigMap keys/private" in finding(status, "PrivateKeyInEntry")
    assert condition(status, "Ready") == "False"
    wait_served(stage, name, A.kid)
    event(stage, "PrivateKeyInEntry", name)
    assert_nowhere(stage, STRAY.private_pem, STRAY.public_pem)


def test_a_change_after_the_api_server_was_away(stage: Stage, issue: Callable[..., str]) -> None:
    """The watch begins again by itself."""
    config_map(stage, "signers", A)
    name = issue("again", source("configMap", "signers"), interval="1h")
    wait_ready(stage, name)
    stage.cluster.restart(0)
    config_map(stage, "signers", A, B)
    tell("ConfigMap to public URL after a restart", wait_served(stage, name, A.kid, B.kid, within_s=15))
    time.sleep(3)
    config_map(stage, "signers", A, B, C)
    tell("ConfigMap to public URL thereafter", wait_served(stage, name, A.kid, B.kid, C.kid))


def assert_nowhere(stage: Stage, *pems: bytes) -> None:
    """No line of these stands in any OIDCIssuer, event, log line or stored document."""
    cluster = stage.cluster
    events = cluster.list_all("events.k8s.io/v1", "Event", "default")
    issuers = cluster.list_all("oidc-publisher.io/v1alpha1", "OIDCIssuer")
    documents = [stage.s3.get(BUCKET, f"{i['metadata']['name']}/openid/v1/jwks") for i in issuers]
    everything = "\n".join(
        [json.dumps(events), json.dumps(issuers), stage.operator.log(), *(d.decode() for d in documents if d)]
    )
    for pem in pems:
        inner = [line for line in pem.decode().splitlines() if not line.startswith("-")]
        encoded = base64.b64encode(pem).decode()
        pieces = [*inner, *(encoded[n : n + 60] for n in range(60, len(encoded) - 60, 60))]
        assert not [piece for piece in pieces if piece in everything]


@contextlib.contextmanager
def sets_seen(stage: Stage, name: str) -> Iterator[list[set[str]]]:
    """The key sets that a relying party finds at the public URL meanwhile, each once for as long as it stays."""
    seen, enough = list[set[str]](), threading.Event()

    def read() -> None:
        while not enough.is_set():
            if (found := served(stage, name)) != (seen[-1] if seen else None):
                seen.append(found)

    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(read)
        try:
            yield seen
        finally:
            enough.set()
        reading.result()


def test_an_issuer_goes_from_one_shard_to_another_while_its_keys_change(
    stage: Stage, issue: Callable[..., str]
) -> None:
    """With both alive, with the new one alone, with both again and with the first alone: no key is ever missing."""
    config_map(stage, "handed", A)
    name = issue("handed", source("configMap", "handed"))
    wait_ready(stage, name)
    uid = stage.cluster.get("oidc-publisher.io/v1alpha1", "OIDCIssuer", name)["metadata"]["uid"]
    part = next(part for part in (1, 2) if Shard(part, 2).holds(uid))
    with sets_seen(stage, name) as seen:
        with operator(stage, f"--shard={part}/2", name="shard") as shard:
            shard.process.wait_until(lambda: name in shard.log(), timeout_s=60, what="taking the issuer over")
            publish(stage, name, A, B)
            stage.operator.stop()
            publish(stage, name, A, B, C)
            stage.operator.start()
            publish(stage, name, A, B, C, D)
        publish(stage, name, A, B, C, D, E)
    assert seen == sorted(seen, key=len)
    assert all(before < after for before, after in itertools.pairwise(seen)), "a key was missing for a moment"
    assert len(seen[-1]) == 5
    wait_ready(stage, name)


def publish(stage: Stage, name: str, *keys: SigningKey) -> None:
    """Put these keys into the ConfigMap, and wait until all are at the public URL."""
    config_map(stage, "handed", *keys)
    wait_served(stage, name, *(key.kid for key in keys), within_s=60)
