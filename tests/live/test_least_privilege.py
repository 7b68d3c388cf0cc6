"""The chart's rights on a real API server: with all of them an issuer lives its whole life, without any one it does not.

Each verb of each rule is taken away by itself. A named promise is then broken, the operator says which right it lacks
and which value of the chart grants it, and once the right is back the promise is kept: no permission without a use.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.live.places import EVENTS, JWKS, emptied, events, exists, patch, served, until, wait_served
from tests.support import chart
from tests.support.operatorprocess import OperatorProcess
from tests.support.signingkeys import SigningKey, signing_key
from tests.support.stage import BUCKET, Object, Stage, condition

KEYS = "keys"
ACCOUNT = (chart.NAMESPACE, f"{chart.RELEASE}-oidc-publisher")
VALUES = {
    "managedKeys": {"enabled": True},
    "rbac": {
        "configMaps": [{"namespace": KEYS, "name": "signers"}],
        "secrets": [{"namespace": KEYS, "name": "hosted-sa"}],
    },
}
A, B = (signing_key("P-256", f"least-{name}") for name in "ab")
RBAC = "rbac.authorization.k8s.io/v1"
RING = {"apiVersion": "oidc-publisher.io/v1alpha1", "kind": "SigningKeyRing", "metadata": {"name": "default"}}
#: What the ring calls the cluster's key; no ledger counts so far.
VERSION = "4711"
#: After a refusal a watch is tried again within 30 s; a busy machine takes its time.
HEALED_S = 120.0

Kept = Callable[[Stage], bool]


@dataclass(frozen=True, slots=True)
class Loss:
    """What is broken without a right, and where the operator says so, in which words."""

    kept: Kept
    where: Callable[[Stage], str]
    says: tuple[str, ...]
    #: What gives the operator an occasion to keep it, once it may.
    occasion: Callable[[Stage], None] = lambda _: None
    #: What holds without the right all the same.
    still: Kept = lambda _: True


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    """The chart's objects."""
    return chart.render(VALUES)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, objects: list[Object]) -> Iterator[Stage]:
    """One API server, S3, and the chart's CRD, ServiceAccounts and RBAC; ServiceAccounts may do nothing by default."""
    with Stage(tmp_path_factory.mktemp("stage"), servers=1) as running:
        for namespace in (chart.NAMESPACE, KEYS):
            running.cluster.create_namespace(namespace)
        running.cluster.apply([found for found in objects if found["kind"] != "Deployment"])
        for plural in ("oidcissuers", "signingkeyrings"):
            running.cluster.wait_established(f"{plural}.oidc-publisher.io")
        ring(running)
        # As a hardened cluster has it: the key set is for those alone who were told so.
        running.cluster.delete(RBAC, "ClusterRoleBinding", "system:service-account-issuer-discovery")
        yield running


def ring(stage: Stage) -> None:
    """The ring of signers that nobody runs here: its status claims the cluster's key."""
    stage.cluster.create(RING)
    status = {"versions": [{"version": VERSION, "keyID": stage.key.kid}]}
    stage.cluster.patch(RING["apiVersion"], RING["kind"], "default", {"status": status}, subresource="status")  # type: ignore[arg-type]


@contextmanager
def operating(stage: Stage, objects: list[Object], name: str) -> Iterator[Stage]:
    """The operator as the chart's ServiceAccount with the chart's options; afterwards no issuer and no document."""
    (deployment,) = chart.of_kind(objects, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    options = [o for o in container["args"][1:] if not o.startswith(("--health-address", "--log-format"))]
    config_map(stage, A)
    secret(stage, A)
    kubeconfig = stage.cluster.kubeconfig_for_service_account(*ACCOUNT)
    stage.operator = OperatorProcess(stage.folder, kubeconfig, *options, env=stage.operator_environment, name=name)
    stage.operator.start()
    try:
        with emptied(stage):
            yield stage
    finally:
        stage.operator.kill()


def config_map(stage: Stage, *keys: SigningKey) -> None:
    """Make these the keys in the ConfigMap."""
    data = {f"service-account-{number}.pub": key.public_pem.decode() for number, key in enumerate(keys, start=1)}
    metadata = {"namespace": KEYS, "name": "signers"}
    stage.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def secret(stage: Stage, *keys: SigningKey) -> None:
    """Make these the keys in the Secret."""
    data = {"tls.crt": base64.b64encode(b"".join(key.public_pem for key in keys)).decode()}
    metadata = {"namespace": KEYS, "name": "hosted-sa"}
    stage.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


def apply_all(stage: Stage) -> None:
    """Three issuers: of the API servers, with documents that go with it; of a ConfigMap; of a Secret."""
    stage.apply(stage.issuer(deletionPolicy="Delete"))
    sources = {
        "map": {
            "configMap": {
                "namespace": KEYS,
                "name": "signers",
                "entryPattern": r"service-account-(?P<version>\d+)\.pub",
            }
        },
        "secret": {"secret": {"namespace": KEYS, "name": "hosted-sa", "entryPattern": r"tls\.crt"}},
    }
    for name, source in sources.items():
        place = {"issuerURL": stage.edge.public_url(BUCKET, name), "store": {"s3": stage.s3_spec(prefix=name)}}
        stage.apply(stage.issuer(name, keySources=[{"name": name, **source}], interval="1h", **place))


def has(kind: str, name: str = "prod") -> Kept:
    """A condition is True."""

    def kept(stage: Stage) -> bool:
        return condition(stage.get(name).get("status", {}), kind) == "True"

    return kept


def is_named(stage: Stage) -> bool:
    """The cluster's key has the version that the ring claims."""
    return any(key["version"] == VERSION for key in stage.get().get("status", {}).get("keys", ()))


def is_held(stage: Stage) -> bool:
    """The issuer whose documents go with it has our finalizer."""
    return bool(stage.get()["metadata"].get("finalizers"))


def is_told(stage: Stage) -> bool:
    """There is an event about the issuer."""
    return '"name": "prod"' in told(stage)


def flap(stage: Stage) -> None:
    """Suspend the issuer and let it go on: the same two events again."""
    for suspend in (True, False):
        patch(stage, suspend=suspend)
        until(lambda: (condition(stage.get().get("status", {}), "Ready") == "Unknown") is suspend, "its next pass")  # noqa: B023 - it is waited for here


def log_of_flapping(stage: Stage) -> str:
    """The log, after the issuer has flapped."""
    flap(stage)
    return log(stage)


def is_one_event(stage: Stage) -> bool:
    """What happens again is one event with a count."""
    flap(stage)
    return any(found.get("series", {}).get("count", 1) > 1 for found in events(stage, "Suspended"))


def is_ready(stage: Stage) -> bool:
    """The pod is ready, and `helm install --wait` returns."""
    return stage.operator.health("/readyz")[0] == 200


def follows(changed: str, other: str) -> Kept:
    """A change of the object of one issuer is published before a later change of the other's."""

    def kept(stage: Stage) -> bool:
        change = {"map": config_map, "secret": secret}
        for name in (changed, other):
            until(lambda name=name: served(stage, name) >= {A.kid}, f"{name} is served")  # type: ignore[misc]
            change[name](stage, A, B)
            if name == other:
                wait_served(stage, other, A.kid, B.kid, within_s=20)
        return served(stage, changed) == {A.kid, B.kid}

    return kept


def page(stage: Stage) -> str:
    """The readiness page."""
    return stage.operator.health("/readyz")[1]


def log(stage: Stage) -> str:
    """The operator's log."""
    return stage.operator.log()


def told(stage: Stage) -> str:
    """The events."""
    return json.dumps(stage.cluster.json("GET", EVENTS))


def status_of(name: str = "prod") -> Callable[[Stage], str]:
    """The findings of an issuer."""
    return lambda stage: json.dumps(stage.get(name).get("status", {}).get("findings", []))


ISSUERS = "oidcissuers.oidc-publisher.io"
#: Each right of the chart with what breaks without it.
LOSSES = {
    f"get {ISSUERS}": Loss(has("Ready"), page, (f"lacks rights: get on {ISSUERS}", "rbac.create")),
    f"list {ISSUERS}": Loss(has("Ready"), page, (f"lacks rights: list on {ISSUERS}", "rbac.create")),
    f"watch {ISSUERS}": Loss(is_ready, page, (f"lacks rights: watch on {ISSUERS}", "rbac.create")),
    f"patch {ISSUERS}": Loss(
        is_held,
        status_of(),
        (f"patch {ISSUERS}", "rbac.finalizers"),
        # What nothing would delete is not published; issuers that keep their documents need no such right.
        still=lambda stage: has("Ready", "map")(stage) and stage.s3.get(BUCKET, JWKS) is None,
    ),
    f"patch {ISSUERS}/status": Loss(has("Ready"), told, (f"patch on them and on {ISSUERS}/status", "rbac.create")),
    "get signingkeyrings.oidc-publisher.io default": Loss(
        is_named,
        log,
        ("get signingkeyrings.oidc-publisher.io with resourceNames [default]", "managedKeys.enabled"),
        still=has("Ready"),
    ),
    "get namespaces kube-system": Loss(has("Ready"), status_of(), ("get the namespace kube-system", "rbac.create")),
    "create tokenreviews.authentication.k8s.io": Loss(
        has("TokenAccepted"), status_of(), ("create tokenreviews (authentication.k8s.io)", "rbac.create")
    ),
    "get /openid/v1/jwks": Loss(has("KeysRead"), status_of(), ("get /openid/v1/jwks", "rbac.create")),
    "list endpointslices.discovery.k8s.io in default": Loss(
        has("KeysRead"), status_of(), ("list endpointslices (discovery.k8s.io) in namespace default", "rbac.create")
    ),
    "create events.events.k8s.io in default": Loss(
        is_told,
        status_of(),
        ("create events (events.k8s.io) in namespace default", "rbac.create"),
        lambda stage: patch(stage, suspend=True),
    ),
    "patch events.events.k8s.io in default": Loss(
        is_one_event, log_of_flapping, ("patch events (events.k8s.io) in namespace default", "rbac.create")
    ),
    f"create serviceaccounts/token {chart.RELEASE}-oidc-publisher-probe in {chart.NAMESPACE}": Loss(
        has("TokenAccepted"),
        status_of(),
        (f"create serviceaccounts/token of prod-oidc-publisher-probe in namespace {chart.NAMESPACE}", "rbac.create"),
    ),
    f"get configmaps signers in {KEYS}": Loss(
        has("KeysRead", "map"),
        status_of("map"),
        ("get and watch configmaps", "{namespace: keys, name: signers} in rbac.configMaps"),
    ),
    f"watch configmaps signers in {KEYS}": Loss(
        follows("map", "secret"), status_of("map"), ("may not watch ConfigMap keys/signers", "in rbac.configMaps")
    ),
    f"get secrets hosted-sa in {KEYS}": Loss(
        has("KeysRead", "secret"),
        status_of("secret"),
        ("get and watch secrets", "{namespace: keys, name: hosted-sa} in rbac.secrets"),
    ),
    f"watch secrets hosted-sa in {KEYS}": Loss(
        follows("secret", "map"), status_of("secret"), ("may not watch Secret keys/hosted-sa", "in rbac.secrets")
    ),
}


@dataclass(frozen=True, slots=True)
class Right:
    """One verb of one rule of one role of the chart."""

    role: Object
    rule: int
    verb: str

    def __str__(self) -> str:
        """As LOSSES names it."""
        rule, metadata = self.role["rules"][self.rule], self.role["metadata"]
        if "nonResourceURLs" in rule:
            (what,) = rule["nonResourceURLs"]
        else:
            (group,), (resource,) = rule["apiGroups"], rule["resources"]
            plural, slash, below = resource.partition("/")
            what = (f"{plural}.{group}" if group else plural) + slash + below
        names = "".join(f" {name}" for name in rule.get("resourceNames", ()))
        where = f" in {metadata['namespace']}" if "namespace" in metadata else ""
        return f"{self.verb} {what}{names}{where}"

    def taken(self) -> Object:
        """The role without it."""
        role = copy.deepcopy(self.role)
        role["rules"][self.rule]["verbs"].remove(self.verb)
        role["rules"] = [rule for rule in role["rules"] if rule["verbs"]]
        return role


def rights(objects: list[Object]) -> list[Right]:
    """Every right that the operator has of the chart; the roles that are aggregated are for people."""
    bound = {
        b["roleRef"]["name"] for kind in ("RoleBinding", "ClusterRoleBinding") for b in chart.of_kind(objects, kind)
    }
    roles = filter(chart.of_the_operator, [*chart.of_kind(objects, "ClusterRole"), *chart.of_kind(objects, "Role")])
    return [
        Right(role, number, verb)
        for role in roles
        if role["metadata"]["name"] in bound
        for number, rule in enumerate(role["rules"])
        for verb in rule["verbs"]
    ]


def test_every_right_has_a_promise(objects: list[Object]) -> None:
    """A right that is added to the chart needs a test that fails without it; one that is gone needs none."""
    assert sorted(map(str, rights(objects))) == sorted(LOSSES)


def test_an_issuer_lives_its_whole_life(stage: Stage, objects: list[Object]) -> None:
    """Created, proven, told, followed through a change of each source, repaired, and deleted with its documents."""
    with operating(stage, objects, "whole-life"):
        until(lambda: is_ready(stage), "the pod is ready")
        apply_all(stage)
        for name in ("prod", "map", "secret"):
            stage.wait_ready(name=name)
        until(lambda: events(stage, "Proven"), "the event")
        config_map(stage, A, B)
        wait_served(stage, "map", A.kid, B.kid)
        secret(stage, A, B)
        wait_served(stage, "secret", A.kid, B.kid)
        stage.s3.delete(BUCKET, JWKS)
        until(lambda: stage.s3.get(BUCKET, JWKS) is not None, "the key set is repaired")
        stage.wait_ready()
        stage.cluster.kubectl("delete", "oidci/prod", "--wait=false")
        until(lambda: not exists(stage), "the object is gone")
        assert not [key for key in stage.s3.keys(BUCKET) if key.startswith("prod/")]
        refused = [line for line in log(stage).splitlines() if " 403 to " in line or "The operator may not" in line]
        assert not refused, "nothing was asked for that the chart does not grant"


@pytest.mark.parametrize("name", LOSSES)
def test_without_one_right_a_promise_is_broken(stage: Stage, objects: list[Object], name: str) -> None:
    """The operator names the right and the chart's value; what it promised does not hold, until the right is back."""
    loss = LOSSES[name]
    (right,) = [one for one in rights(objects) if str(one) == name]
    stage.cluster.apply(right.taken())
    try:
        with operating(stage, objects, "without-" + "-".join(name.replace("/", " ").split())):
            apply_all(stage)
            until(lambda: all(words in loss.where(stage) for words in loss.says), f"it says {loss.says}", timeout_s=30)
            assert not loss.kept(stage)
            until(lambda: loss.still(stage), "the rest holds")
            stage.cluster.apply(right.role)
            loss.occasion(stage)
            until(lambda: loss.kept(stage), "the promise is kept", timeout_s=HEALED_S)
    finally:
        stage.cluster.apply(right.role)
