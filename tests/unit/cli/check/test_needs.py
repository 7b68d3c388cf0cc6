"""The rights that `check` asks for are those that the chart grants, no more and no fewer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oidc_publisher.api import OIDCIssuer
from oidc_publisher.cli.check.lines import CheckResult
from oidc_publisher.cli.check.needs import described, installer_line, installer_rights, need_line, operator_needs
from oidc_publisher.cluster.access import Right
from tests.support import chart
from tests.support.builders import issuer_of

PROBE = (chart.NAMESPACE, f"{chart.RELEASE}-oidc-publisher-probe")
VALUES = {
    "rbac": {
        "configMaps": [{"namespace": "keys", "name": "signers"}],
        "secrets": [{"namespace": "keys", "name": "hosted-sa"}],
    }
}


def of_objects(policy: str = "Retain") -> OIDCIssuer:
    """An issuer whose keys are in a ConfigMap and in a Secret."""
    return issuer_of(
        deletionPolicy=policy,
        keySources=[
            {
                "name": "map",
                "configMap": {"namespace": "keys", "name": "signers", "entryPattern": r"(?P<version>\d+)\.pub"},
            },
            {"name": "secret", "secret": {"namespace": "keys", "name": "hosted-sa", "entryPattern": r"tls\.crt"}},
        ],
    )


def granted(objects: list[chart.Object]) -> Iterator[Right]:
    """Each right that a rule of the operator's roles gives."""
    bindings = [b for b in objects if b["kind"] in {"RoleBinding", "ClusterRoleBinding"}]
    bound = {b["roleRef"]["name"] for b in bindings if b["subjects"][0]["kind"] == "ServiceAccount"}
    for role in objects:
        if role["kind"] not in {"Role", "ClusterRole"} or role["metadata"]["name"] not in bound:
            continue
        namespace = role["metadata"].get("namespace", "")
        for rule in role["rules"]:
            for verb in rule["verbs"]:
                for path in rule.get("nonResourceURLs", ()):
                    yield Right(verb, "", group="", path=path)
                for resource in rule.get("resources", ()):
                    (group,), (name,) = rule["apiGroups"], rule.get("resourceNames", [""])
                    plural, _, below = resource.partition("/")
                    yield Right(verb, plural, below, group=group, namespace=namespace, name=name)


def test_the_operator_needs_what_the_chart_grants() -> None:
    """A right in one of the two places alone would be a false alarm, or an installation that only seems whole."""
    asked = [need.right for need in operator_needs(PROBE, [of_objects()])]
    assert sorted(map(described, asked)) == sorted(map(described, granted(chart.render(VALUES))))
    assert set(asked) == set(granted(chart.render(VALUES)))


def test_managed_keys_need_one_right_more_and_no_secret() -> None:
    """The ring's status has names of versions and no key; the Secret of the signing keys is the signers' alone."""
    more = chart.render({**VALUES, "managedKeys": {"enabled": True}})
    asked = [need.right for need in operator_needs(PROBE, [of_objects()], rings=True)]
    assert sorted(map(described, asked)) == sorted(map(described, granted(more)))
    before = [need.right for need in operator_needs(PROBE, [of_objects()])]
    assert set(asked) - set(before) == {Right("get", "signingkeyrings", name="default")}
    (need,) = (n for n in operator_needs(PROBE, (), rings=True) if n.right.resource == "signingkeyrings")
    line = need_line(need, allowed=False)
    assert line.result is CheckResult.WARNING
    assert line.advice.endswith("the Helm chart does so with managedKeys.enabled.")


def test_a_value_that_is_named_is_one_of_the_chart() -> None:
    """The advice is of use only if the chart has the value."""
    values = (chart.CHART / "values.yaml").read_text()
    for need in operator_needs(PROBE, [of_objects()]):
        for word in need.value.split():
            if word.startswith("rbac."):
                assert f"\n  {word.removeprefix('rbac.')}:" in values


@pytest.mark.parametrize(("policy", "result"), [("Delete", CheckResult.NO), ("Retain", CheckResult.WARNING)])
def test_finalizers_are_needed_where_documents_are_deleted(policy: str, result: CheckResult) -> None:
    """rbac.finalizers may be false where no issuer wants it."""
    (need,) = (n for n in operator_needs(None, [of_objects(policy)]) if n.value == "rbac.finalizers")
    assert need_line(need, allowed=False).result is result
    assert need_line(need, allowed=True).result is CheckResult.YES


def test_a_missing_right_says_verb_resource_and_value() -> None:
    """As the operator's findings do."""
    needs = {described(need.right): need for need in operator_needs(PROBE, [of_objects()])}
    line = need_line(needs["get secrets hosted-sa in keys"], allowed=False)
    assert (line.result, line.found) == (CheckResult.NO, "not allowed; needed to read its keys")
    assert line.advice == (
        "Allow its ServiceAccount to get secrets hosted-sa in keys; the Helm chart does so with"
        " {namespace: keys, name: hosted-sa} in rbac.secrets."
    )
    line = need_line(needs["patch oidcissuers/status.oidc-publisher.io"], allowed=False)
    assert line.advice.endswith("the Helm chart does so with rbac.create.")


def test_an_installation_makes_what_needs_these_rights() -> None:
    """Each kind outside the release's namespace, as the chart renders it."""
    outside = {
        (found["kind"].lower() + "s", found["metadata"].get("namespace", ""))
        for found in chart.render()
        if found["metadata"].get("namespace", "") != chart.NAMESPACE
    }
    assert {(right.resource, right.namespace) for right in installer_rights()} == outside
    line = installer_line(installer_rights()[0], allowed=False)
    assert (line.result, line.check) == (CheckResult.NO, "create customresourcedefinitions.apiextensions.k8s.io")


def test_a_kubeconfig_of_a_remote_cluster_is_read_and_watched() -> None:
    """By name, and with the value of the chart that lists Secrets."""
    place = {"namespace": "clusters", "name": "prod-kubeconfig"}
    issuer = issuer_of(keySources=[{"apiServer": {"kubeconfigSecret": place, "probeServiceAccount": place}}])
    found = {described(need.right): need for need in operator_needs(PROBE, [issuer])}
    for verb, use in (("get", "reach its remote cluster"), ("watch", "follow a renewed kubeconfig at once")):
        need = found[f"{verb} secrets prod-kubeconfig in clusters"]
        assert need.use == use
        assert need.value == "{namespace: clusters, name: prod-kubeconfig} in rbac.secrets"
