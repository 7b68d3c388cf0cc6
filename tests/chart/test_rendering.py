"""What the chart makes of its values."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from hack.gen import crd_yaml, ring_crd_yaml
from oidc_publisher.api.managed import RING_CRD_NAME
from oidc_publisher.cli.main import cli
from oidc_publisher.controller.shard import Shard
from tests.support import chart
from tests.support.chart import Object, of_kind, render, the

RENDERINGS = Path(__file__).parent / "renderings"
EVERYTHING = RENDERINGS / "everything.yaml"
CRD = "oidcissuers.oidc-publisher.io"


@pytest.fixture(scope="module")
def defaults() -> list[Object]:
    """A release with no values."""
    return render()


@pytest.fixture(scope="module")
def everything() -> list[Object]:
    """A release with every value."""
    return render(EVERYTHING)


def pod(objects: list[Object], deployment: str = "prod-oidc-publisher") -> Object:
    """The pod's specification."""
    found: Object = the(objects, "Deployment", deployment)["spec"]["template"]["spec"]
    return found


def container(objects: list[Object], deployment: str = "prod-oidc-publisher") -> Object:
    """The one container."""
    (found,) = pod(objects, deployment)["containers"]
    assert isinstance(found, dict)
    return found


def test_the_crd_is_the_one_of_the_models(defaults: list[Object]) -> None:
    """Byte for byte what crds/ holds, beside labels and the annotation that keeps it."""
    found = the(defaults, "CustomResourceDefinition", CRD)
    assert found["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert found["metadata"].pop("labels")["helm.sh/chart"].startswith("oidc-publisher-")
    assert found == yaml.safe_load(crd_yaml())


def test_the_crd_may_go_with_the_release_or_be_left_to_others(everything: list[Object]) -> None:
    """crds.keep and crds.enabled."""
    assert "helm.sh/resource-policy" not in the(everything, "CustomResourceDefinition", CRD)["metadata"]["annotations"]
    assert not of_kind(render({"crds": {"enabled": False}}), "CustomResourceDefinition")


def parsed(name: str, arguments: list[str]) -> click.Context:
    """Parse the arguments of a command of ours, as the program does."""
    with click.Context(cli) as context:
        command = cli.get_command(context, name)
        assert command is not None
        return command.make_context(name, arguments, parent=context)


@pytest.mark.parametrize("name", sorted(path.stem for path in RENDERINGS.glob("*.yaml")))
def test_the_operator_takes_its_arguments(name: str) -> None:
    """Each option of the container is one of `oidc-publisher run`, with a value that it takes."""
    for deployment in of_kind(render(RENDERINGS / f"{name}.yaml"), "Deployment"):
        (one,) = deployment["spec"]["template"]["spec"]["containers"]
        verb, *arguments = one["args"]
        assert verb == "run"
        roots = [a for a in arguments if a.startswith("--key-files-root")]  # a folder of the pod, not of this machine
        parsed("run", [a for a in arguments if a not in roots])


@pytest.mark.parametrize("name", sorted(path.stem for path in RENDERINGS.glob("*.yaml")))
def test_helm_test_checks_as_the_operator(name: str) -> None:
    """The same identity, environment, mounts and network; the options are those of `check`, with the operator's values."""
    values = RENDERINGS / f"{name}.yaml"
    objects, found = render(values), chart.check_pod(values)
    deployment = of_kind(objects, "Deployment")[0]
    operator = deployment["spec"]["template"]["spec"]
    assert found["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert found["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    ((one,), (running,)) = found["spec"]["containers"], operator["containers"]
    verb, *arguments = one["args"]
    assert verb == "check"
    roots = [a for a in arguments if a.startswith("--key-files-root")]  # a folder of the pod, not of this machine
    parsed("check", [a for a in arguments if a not in roots])
    assert set(arguments) - {"--timeout=2m"} <= set(running["args"])
    of_its_own = {"name", "args", "ports", "startupProbe", "livenessProbe", "readinessProbe"}
    assert without(one, of_its_own) == without(running, of_its_own)
    pods = {"containers", "restartPolicy", "activeDeadlineSeconds"}
    assert without(found["spec"], pods) == without(operator, pods)
    for policy in of_kind(objects, "NetworkPolicy"):
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= found["metadata"]["labels"].items()
    assert "oidc-publisher.io/shard" not in found["metadata"]["labels"]  # no Deployment selects it


def test_what_objects_may_name_reaches_both_commands(everything: list[Object]) -> None:
    """Each entry of a list is an option of its own, in its order, of the operator and of its check."""
    values = yaml.safe_load(EVERYTHING.read_text())
    (check,) = chart.check_pod(EVERYTHING)["spec"]["containers"]
    for args in (container(everything, "the-publisher")["args"], check["args"]):
        for value, option in (
            ("storeEndpoints", "--store-endpoint"),
            ("probeProxies", "--probe-proxy"),
            ("apiServerNames", "--api-server-name"),
        ):
            assert [a for a in args if a.startswith(option)] == [f"{option}={given}" for given in values[value]]


def without(found: Object, names: set[str]) -> Object:
    """An object without some of its members."""
    return {name: value for name, value in found.items() if name not in names}


def test_each_shard_is_a_deployment(everything: list[Object]) -> None:
    """Together they hold every object once, each selects its own pods, and the first keeps its name."""
    deployments = of_kind(everything, "Deployment")
    assert [d["metadata"]["name"] for d in deployments] == ["the-publisher", "the-publisher-2", "the-publisher-3"]
    shards = []
    for number, deployment in enumerate(deployments, start=1):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        selector = deployment["spec"]["selector"]["matchLabels"]
        assert selector["oidc-publisher.io/shard"] == labels["oidc-publisher.io/shard"] == str(number)
        assert selector.items() <= labels.items()
        (argument,) = [a for a in deployment["spec"]["template"]["spec"]["containers"][0]["args"] if "--shard=" in a]
        shards.append(Shard.parse(argument.partition("=")[2]))
    assert all(sum(shard.holds(f"uid-{n}") for shard in shards) == 1 for n in range(50))


def test_each_shard_has_a_lease_and_the_right_to_no_other_object(everything: list[Object]) -> None:
    """The chart makes the Leases, because RBAC can allow `create` for every name or for none; no spec of ours meets the operator's."""
    leases = of_kind(everything, "Lease")
    names = [f"the-publisher-shard-{number}" for number in (1, 2, 3)]
    assert [lease["metadata"]["name"] for lease in leases] == names
    assert {lease["metadata"]["namespace"] for lease in leases} == {"publishers"}
    assert not any("spec" in lease for lease in leases)
    (rule,) = the(everything, "Role", "the-publisher-shards")["rules"]
    assert (rule["resources"], rule["resourceNames"], rule["verbs"]) == (["leases"], names, ["get", "patch"])
    binding = the(everything, "RoleBinding", "the-publisher-shards")
    assert binding["roleRef"]["name"] == "the-publisher-shards"
    assert binding["subjects"][0]["namespace"] == "publishers"
    for deployment in of_kind(everything, "Deployment"):
        arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        assert "--shard-leases=publishers/the-publisher-shard" in arguments


def test_one_replica_alone_has_no_lease(defaults: list[Object]) -> None:
    """There is nobody who would look at it."""
    assert not of_kind(defaults, "Lease")
    assert not [role for role in of_kind(defaults, "Role") if role["metadata"]["name"].endswith("shards")]
    (deployment,) = of_kind(defaults, "Deployment")
    assert "--shard-leases" not in str(deployment)


def test_drains_take_one_shard_at_a_time_where_asked_to(defaults: list[Object], everything: list[Object]) -> None:
    """One budget for all shards; it never keeps a single replica on its node."""
    assert not of_kind(defaults, "PodDisruptionBudget")
    spec = the(everything, "PodDisruptionBudget", "the-publisher")["spec"]
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    for deployment in of_kind(everything, "Deployment"):
        assert spec["selector"]["matchLabels"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert not spec["selector"]["matchLabels"].items() <= chart.check_pod({"shards": 3})["metadata"]["labels"].items()


def test_a_selector_holds_nothing_that_an_upgrade_changes(defaults: list[Object], everything: list[Object]) -> None:
    """It is immutable: no version, no common label, no number of shards."""
    wanted = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}
    for deployment in of_kind([*defaults, *everything], "Deployment"):
        assert set(deployment["spec"]["selector"]["matchLabels"]) == wanted | {"oidc-publisher.io/shard"}


def test_there_is_one_replica_and_it_is_recreated(defaults: list[Object]) -> None:
    """A second one would write at the same places, to no use."""
    spec = the(defaults, "Deployment", "prod-oidc-publisher")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_pod_is_restricted(defaults: list[Object]) -> None:
    """As Pod Security's level restricted wants it, read-only, and with no user that OpenShift would refuse."""
    assert pod(defaults)["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container(defaults)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert not pod(defaults)["enableServiceLinks"]
    assert [volume["name"] for volume in pod(defaults)["volumes"]] == ["tmp"]


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "registry.example.com/oidc-publisher:{version}"),
        ({"tag": "edge"}, "registry.example.com/oidc-publisher:edge"),
        ({"digest": f"sha256:{'a' * 64}"}, f"registry.example.com/oidc-publisher@sha256:{'a' * 64}"),
        (
            {"tag": "edge", "digest": f"sha256:{'a' * 64}"},
            f"registry.example.com/oidc-publisher:edge@sha256:{'a' * 64}",
        ),
    ],
)
def test_the_image_is_named_by_tag_or_digest(image: dict[str, str], reference: str) -> None:
    """The digest decides; the tag stays for people."""
    version = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())["appVersion"]
    assert container(render({"image": image}))["image"] == reference.format(version=version)


def test_a_chart_of_a_checkout_demands_an_image() -> None:
    """A name that nobody has registered may be anybody's; the refusal says what to do, and comes before anything is sent."""
    with pytest.raises(chart.RefusedError) as caught:
        chart.helm("template", "prod", str(chart.CHART), image="")
    said = str(caught.value)
    assert "image.repository says where the operator's image is" in said
    assert "--set image.repository=registry.example.com/oidc-publisher --set image.tag=TAG" in said
    assert "make image IMAGE=" in said


def test_the_notes_name_the_image() -> None:
    """What was installed is what an admin would look for when it cannot be pulled."""
    assert "Its image is registry.example.com/oidc-publisher:edge\n" in chart.notes({"image": {"tag": "edge"}})


def test_the_probes_ask_the_health_pages(defaults: list[Object]) -> None:
    """By the port's name, so that health.port moves all of them."""
    one = container(defaults)
    assert {"name": "health", "containerPort": 8080, "protocol": "TCP"} in one["ports"]
    pages = {kind: one[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {page["port"] for page in pages.values()} == {"health"}
    assert [page["path"] for page in pages.values()] == ["/livez", "/livez", "/readyz"]


def test_an_aws_role_comes_with_its_token() -> None:
    """All that the pod identity webhook looks for, so that it leaves the pod alone, and the volume by its own name."""
    objects = render(RENDERINGS / "aws.yaml")
    env = {one["name"]: one["value"] for one in container(objects)["env"]}
    (mount,) = [m for m in container(objects)["volumeMounts"] if m["name"] == "aws-iam-token"]
    (volume,) = [v for v in pod(objects)["volumes"] if v["name"] == "aws-iam-token"]
    (source,) = volume["projected"]["sources"]
    assert env == {
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/oidc-publisher",
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{mount['mountPath']}/{source['serviceAccountToken']['path']}",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    }
    assert source["serviceAccountToken"]["audience"] == "sts.amazonaws.com"


def test_a_google_identity_comes_with_its_token(everything: list[Object]) -> None:
    """google-auth takes the file, and the file names the token where it is mounted."""
    objects = render(RENDERINGS / "gcp.yaml")
    (env,) = container(objects)["env"]
    (volume,) = [v for v in pod(objects)["volumes"] if v["name"] == "gcp-identity"]
    token, file = volume["projected"]["sources"]
    config = the(objects, "ConfigMap", file["configMap"]["name"])
    credentials = json.loads(config["data"]["credentials.json"])
    (mount,) = [m for m in container(objects)["volumeMounts"] if m["name"] == "gcp-identity"]
    assert env == {"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": f"{mount['mountPath']}/credentials.json"}
    assert credentials["credential_source"]["file"] == f"{mount['mountPath']}/token"
    assert token["serviceAccountToken"]["audience"] == "https:" + credentials["audience"]
    from google.auth import identity_pool  # noqa: PLC0415 - its own opinion of the file

    identity_pool.Credentials.from_info(credentials)  # type: ignore[no-untyped-call]
    fuller = json.loads(the(everything, "ConfigMap", "the-publisher-gcp")["data"]["credentials.json"])
    assert fuller["service_account_impersonation_url"].endswith(
        "/a@example.iam.gserviceaccount.com:generateAccessToken"
    )


def test_annotations_reach_the_clouds_webhooks(everything: list[Object]) -> None:
    """IRSA, GKE and Azure find them at the ServiceAccount; Azure wants a label of the pod too."""
    annotations = the(everything, "ServiceAccount", "runner")["metadata"]["annotations"]
    wanted = {"eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account", "azure.workload.identity/client-id"}
    assert wanted < set(annotations)
    labels = the(everything, "Deployment", "the-publisher")["spec"]["template"]["metadata"]["labels"]
    assert labels["azure.workload.identity/use"] == "true"


def test_without_automounting_the_chart_mounts_the_same_token(everything: list[Object]) -> None:
    """Where every in-cluster client looks for it."""
    (mount,) = [m for m in container(everything, "the-publisher")["volumeMounts"] if m["name"] == "kube-api-access"]
    assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    (volume,) = [v for v in pod(everything, "the-publisher")["volumes"] if v["name"] == "kube-api-access"]
    paths = [
        *(s["serviceAccountToken"]["path"] for s in volume["projected"]["sources"] if "serviceAccountToken" in s),
        *(i["path"] for s in volume["projected"]["sources"] if "configMap" in s for i in s["configMap"]["items"]),
        *(i["path"] for s in volume["projected"]["sources"] if "downwardAPI" in s for i in s["downwardAPI"]["items"]),
    ]
    assert paths == ["token", "ca.crt", "namespace"]


def test_no_name_is_said_twice(everything: list[Object]) -> None:
    """Helm 4 applies server-side, and the server refuses doubled variables, ports, volumes and mounts."""
    for deployment in of_kind(everything, "Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        (one,) = spec["containers"]
        mounts = [m["mountPath"] for m in one["volumeMounts"]]
        for names in ([e["name"] for e in one["env"]], mounts, [v["name"] for v in spec["volumes"]]):
            assert len(names) == len(set(names))
        assert {m["name"] for m in one["volumeMounts"]} == {v["name"] for v in spec["volumes"]}


def test_key_files_of_a_volume_of_ones_own() -> None:
    """The volume is the admin's; the chart mounts it read-only below the operator's root."""
    objects = render({"keyFiles": {"existingVolume": "keys"}, "extraVolumes": [{"name": "keys", "emptyDir": {}}]})
    (mount,) = [m for m in container(objects)["volumeMounts"] if m["name"] == "keys"]
    assert mount["readOnly"]
    assert f"--key-files-root={mount['mountPath']}" in container(objects)["args"]
    assert [v["name"] for v in pod(objects)["volumes"]] == ["tmp", "keys"]


def test_every_object_carries_the_labels_and_annotations(everything: list[Object]) -> None:
    """Ours decide where a common label has the same name; `extraObjects` are the admin's own."""
    for found in everything:
        metadata = found["metadata"]
        if metadata["name"] in {"prod-extra", "text"}:
            continue
        assert metadata["labels"]["team"] == "identity"
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        assert metadata["annotations"]["example.com/contact"] == "identity@example.com"


def test_extra_objects_pass_through_templates(everything: list[Object]) -> None:
    """As maps and as text."""
    assert the(everything, "ConfigMap", "prod-extra")
    assert the(everything, "ConfigMap", "text")["metadata"]["labels"] == {"chart": "oidc-publisher"}


def test_nobody_reads_secrets_of_a_whole_namespace(everything: list[Object]) -> None:
    """Each source that is named has a Role of its own with its name; no rule has a wildcard."""
    objects = 0
    for role in [*of_kind(everything, "Role"), *of_kind(everything, "ClusterRole")]:
        for rule in role["rules"]:
            assert "*" not in [*rule["verbs"], *rule.get("resources", ()), *rule.get("apiGroups", ())]
            if {"secrets", "configmaps"} & set(rule.get("resources", ())):
                assert role["kind"] == "Role"
                assert len(rule["resourceNames"]) == 1
                if chart.of_the_operator(role):
                    objects += 1
                    assert rule["verbs"] == ["get", "watch"]
    assert objects == 3


def test_signers_get_their_own_rights_where_keys_are_managed(everything: list[Object], defaults: list[Object]) -> None:
    """One Secret by its name, which is kept; the operator gets nothing of it, and whoever may rotate is named by the admin."""
    others = [found for found in everything if not chart.of_the_operator(found)]
    assert [found for found in defaults if not chart.of_the_operator(found)] == []
    bound = {(b["metadata"]["name"], *(s["kind"], s["name"])) for b in others for s in b.get("subjects", ())}
    assert bound == {("the-publisher-signer", "Group", "example:signers")}
    (secret,) = of_kind(others, "Secret")
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not {"data", "stringData"} & secret.keys(), "an upgrade would put them in place of the keys"
    (role,) = of_kind(others, "Role")
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": [secret["metadata"]["name"]],
            "verbs": ["get", "update"],
        }
    ]
    rules = {role["metadata"]["name"]: role["rules"] for role in of_kind(others, "ClusterRole")}
    given = {
        name: [(rule["resources"], rule["verbs"]) for rule in found if rule["apiGroups"] == ["oidc-publisher.io"]]
        for name, found in rules.items()
    }
    assert given == {
        "the-publisher-signer": [
            (["oidcissuers"], ["list"]),
            (["signingkeyrings"], ["get"]),
            (["signingkeyrings/status"], ["patch"]),
        ],
        "the-publisher-rotator": [(["signingkeyrings"], ["get", "list", "watch", "patch"])],
    }


def test_the_ring_crd_is_there_where_keys_are_managed(everything: list[Object], defaults: list[Object]) -> None:
    """What crds/ holds, beside labels and annotations."""
    found = the(everything, "CustomResourceDefinition", RING_CRD_NAME)
    assert found["spec"] == yaml.safe_load(ring_crd_yaml())["spec"]
    assert [crd["metadata"]["name"] for crd in of_kind(defaults, "CustomResourceDefinition")] == [CRD]


@pytest.mark.parametrize("values", [None, EVERYTHING], ids=["defaults", "everything"])
def test_every_role_is_bound_to_the_operator_alone(values: Path | None) -> None:
    """A role that is bound to nobody has no use; those for people are aggregated, and bound to nobody by us."""
    objects = render(values)
    account = {(a["metadata"]["namespace"], a["metadata"]["name"]) for a in of_kind(objects, "ServiceAccount")}
    deployment = of_kind(objects, "Deployment")[0]
    ours = (deployment["metadata"]["namespace"], deployment["spec"]["template"]["spec"]["serviceAccountName"])
    assert ours in account
    for prefix in ("", "Cluster"):
        bound = set()
        for binding in filter(chart.of_the_operator, of_kind(objects, f"{prefix}RoleBinding")):
            (subject,) = binding["subjects"]
            assert (subject["kind"], subject["namespace"], subject["name"]) == ("ServiceAccount", *ours)
            bound.add((binding["metadata"].get("namespace"), binding["roleRef"]["kind"], binding["roleRef"]["name"]))
        roles = {
            (role["metadata"].get("namespace"), role["kind"], role["metadata"]["name"])
            for role in filter(chart.of_the_operator, of_kind(objects, f"{prefix}Role"))
            if not any("aggregate-to" in label for label in role["metadata"]["labels"])
        }
        assert roles == bound


OF_THE_POD = {"podSecurityContext": "securityContext", "global": "imagePullSecrets"}
OF_THE_POD |= {name: name for name in ("affinity", "dnsConfig", "nodeSelector")}
OF_THE_CONTAINER = ("securityContext", "resources", "livenessProbe", "readinessProbe", "startupProbe")


def test_what_belongs_to_kubernetes_may_be_taken_away() -> None:
    """`null` removes a default, as everywhere in Helm: each one by itself, and the object stays whole."""
    for value, member in OF_THE_POD.items():
        assert member not in pod(render({value: None})), value
    for value in OF_THE_CONTAINER:
        assert value not in container(render({value: None}))


def test_without_rbac_there_is_none() -> None:
    """rbac.create and rbac.aggregateToView."""
    kinds = {found["kind"] for found in render(RENDERINGS / "least.yaml")}
    assert kinds == {"Deployment"}


def test_the_network_policy_lets_the_api_servers_be_reached(everything: list[Object]) -> None:
    """At the ports of their endpoints, for that is what a policy sees; nothing comes in but for health and metrics."""
    (policy,) = of_kind(everything, "NetworkPolicy")
    open_ports = [{"port": "health", "protocol": "TCP"}, {"port": "metrics", "protocol": "TCP"}]
    assert [rule["ports"] for rule in policy["spec"]["ingress"]] == [open_ports]
    dns, https, extra = policy["spec"]["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert [port["port"] for port in https["ports"]] == [443, 6443, 16443]
    assert extra["ports"] == [{"port": 9000, "protocol": "TCP"}]
    selector = policy["spec"]["podSelector"]["matchLabels"]
    for deployment in of_kind(everything, "Deployment"):
        assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_it_works_as_a_dependency(tmp_path: Path) -> None:
    """Helm adds `global`, and the parent chart says `enabled`: neither is refused, a misspelt name still is."""
    parent = tmp_path / "parent"
    (parent / "charts").mkdir(parents=True)
    shutil.copytree(chart.CHART, parent / "charts" / "oidc-publisher")
    version = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())["version"]
    dependency = {"name": "oidc-publisher", "version": version, "condition": "oidc-publisher.enabled"}
    metadata = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [dependency]}
    (parent / "Chart.yaml").write_text(yaml.safe_dump(metadata))
    below: dict[str, Any] = {"enabled": True, "shards": 2}
    below["image"] = {"repository": chart.IMAGE}
    values = {"global": {"imagePullSecrets": [{"name": "everybodys"}]}, "oidc-publisher": below}
    objects = render(values, chart=parent)
    assert len(of_kind(objects, "Deployment")) == 2
    assert pod(objects)["imagePullSecrets"] == [{"name": "everybodys"}]
    assert not render({"oidc-publisher": {"enabled": False}}, chart=parent)
    with pytest.raises(chart.RefusedError, match="'shard' not allowed"):
        render({"oidc-publisher": {"shard": 2}}, chart=parent)


@pytest.mark.parametrize("release", ["a", "oidc-publisher", "a" * 53])
def test_names_are_short_enough(release: str) -> None:
    """Also with what is put behind them, and as values of labels."""
    text = chart.helm("template", release, str(chart.CHART), "--set=shards=64")
    for found in filter(None, yaml.load_all(text, yaml.CSafeLoader)):
        if found["kind"] != "CustomResourceDefinition":
            assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", found["metadata"]["name"])


def test_the_notes_name_the_next_command_with_the_values() -> None:
    """Namespace, region and sources are the admin's own."""
    said = chart.notes(
        {
            "cloudIdentity": {"aws": {"roleARN": "arn:aws:iam::123456789012:role/a", "region": "eu-west-1"}},
            "rbac": {"secrets": [{"namespace": "clusters", "name": "hosted-sa"}]},
            "shards": 2,
        }
    )
    assert "kubectl -n oidc-publisher rollout status deployment -l app.kubernetes.io/instance=prod" in said
    assert "issuerURL: https://BUCKET.s3.eu-west-1.amazonaws.com/prod" in said
    assert "in 2 shards" in said
    assert "helm test prod -n oidc-publisher --logs" in said
    assert "may read secret clusters/hosted-sa" in said
    assert "may read no ConfigMap" in chart.notes()
    assert "deletes every OIDCIssuer" in chart.notes({"crds": {"keep": False}})
    assert "storage.googleapis.com" in chart.notes(RENDERINGS / "gcp.yaml")


@pytest.mark.parametrize("values", [None, EVERYTHING, RENDERINGS / "gcp.yaml"], ids=["defaults", "everything", "gcp"])
def test_the_issuer_of_the_notes_is_one(values: Path | None) -> None:
    """What people paste into a shell reaches kubectl, and is accepted once BUCKET and REGION are theirs."""
    from oidc_publisher.api import read_issuer  # noqa: PLC0415 - slow to import, and the other tests need none of it

    manifest = yaml.safe_load(chart.issuer_of(chart.notes(values)))
    read_issuer(manifest | {"metadata": {"name": "prod", "uid": "1"}})
