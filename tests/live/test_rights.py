"""An operator that may not read its own objects: an admin hears of it with kubectl, not from the log alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.places import until
from tests.support.operatorprocess import OperatorProcess
from tests.support.stage import Stage, condition

RBAC = "rbac.authorization.k8s.io"
NAMESPACE, NAME = "rights", "operator"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One API server and S3; the operator is not started."""
    with Stage(tmp_path_factory.mktemp("stage"), servers=1) as running:
        running.apply_crd()
        yield running


def grant(stage: Stage, *verbs: str) -> None:
    """Let the operator's ServiceAccount do this to OIDCIssuers, and report and tell."""
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": NAME}}
    subject = {"kind": "ServiceAccount", "namespace": NAMESPACE, "name": NAME}
    group = "oidc-publisher.io"
    rules = [
        {"apiGroups": [group], "resources": ["oidcissuers"], "verbs": list(verbs)},
        {"apiGroups": [group], "resources": ["oidcissuers/status"], "verbs": ["patch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
    ]
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": NAME},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": NAME},
        "subjects": [subject],
    }
    stage.cluster.apply([role | {"rules": rules}, binding])


def test_without_get_kubectl_and_the_readiness_page_say_so(stage: Stage) -> None:
    """The object has an event and the pod is not ready, both with the right; when it is granted both are over."""
    kubeconfig = stage.cluster.kubeconfig_for_service_account(NAMESPACE, NAME)
    grant(stage, "list", "watch")
    stage.apply(stage.issuer(suspend=True))
    with OperatorProcess(stage.folder, kubeconfig, env=stage.operator_environment, name="limited") as operator:
        until(lambda: "cannot get resource" in stage.cluster.kubectl("describe", "oidci", "prod"), "an event says so")
        described = stage.cluster.kubectl("describe", "oidci", "prod")
        assert "WaitingForOperator" in described
        status, page = operator.health("/readyz")
        assert status == 503
        assert (
            "the operator lacks rights: get on oidcissuers.oidc-publisher.io (value rbac.create of the Helm chart)\n"
            in page
        )
        grant(stage, "get", "list", "watch")
        until(lambda: operator.health("/readyz")[0] == 200, "the operator is ready")
        stage.wait(lambda s: condition(s, "Ready") == "Unknown" and reason_of(s) == "Suspended", what="it is read")


def reason_of(status: dict[str, object]) -> object:
    """The reason of Ready."""
    conditions = status.get("conditions")
    assert isinstance(conditions, list)
    return next((c["reason"] for c in conditions if c["type"] == "Ready"), None)
