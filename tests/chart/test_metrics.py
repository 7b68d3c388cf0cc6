"""What the chart makes of `metrics`: a Service, a monitor, alerts and a dashboard, each only where it is asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.chart.alerts import alert_names
from tests.support import chart
from tests.support.chart import CHART, Object, of_kind, render, the

RENDERINGS = Path(__file__).parent / "renderings"
ROOT = Path(__file__).parents[2]
KINDS = {"Service", "ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap"}


@pytest.fixture(scope="module")
def everything() -> list[Object]:
    """A release with every value."""
    return render(RENDERINGS / "everything.yaml")


def only(objects: list[Object], kind: str) -> Object:
    """The one object of a kind."""
    (found,) = of_kind(objects, kind)
    return found


def metrics(**values: Any) -> list[Object]:
    """A release with these values below `metrics`."""
    return render({"metrics": values})


def test_nothing_of_it_is_there_by_default() -> None:
    """A cluster without the Prometheus operator takes the release; the port is there, for whoever scrapes pods."""
    objects = render()
    assert not KINDS & {found["kind"] for found in objects}
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"name": "metrics", "containerPort": 9090, "protocol": "TCP"} in container["ports"]
    assert "--metrics-address=:9090" in container["args"]


def test_the_port_moves_as_a_whole(everything: list[Object]) -> None:
    """metrics.port is what the operator listens at, what the container names and what the Service has."""
    for deployment in of_kind(everything, "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert "--metrics-address=:9191" in container["args"]
        assert {"name": "metrics", "containerPort": 9191, "protocol": "TCP"} in container["ports"]
    (port,) = the(everything, "Service", "the-publisher-metrics")["spec"]["ports"]
    assert port == {"name": "metrics", "port": 9191, "targetPort": "metrics", "protocol": "TCP"}


def test_two_pages_cannot_share_a_port() -> None:
    """The operator could not listen; Helm says so before anything is installed."""
    with pytest.raises(chart.RefusedError, match=r"metrics\.port and health\.port must differ"):
        metrics(port=8080)


@pytest.mark.parametrize("values", [{"serviceMonitor": {"enabled": True}}, {"podMonitor": {"enabled": True}}])
def test_a_monitor_selects_the_operator_and_its_port(values: dict[str, Any]) -> None:
    """Across shards and namespaces, by labels that the Service and the pods have."""
    objects = metrics(**values)
    pods = "podMonitor" in values
    monitor = only(objects, "PodMonitor" if pods else "ServiceMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints" if pods else "endpoints"]
    assert endpoint == {"port": "metrics", "interval": "30s", "honorLabels": False}
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["oidc-publisher"]}
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    pod = only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert wanted <= pod.items()
    if pods:
        assert not of_kind(objects, "Service")
    else:
        service = only(objects, "Service")
        assert wanted <= service["metadata"]["labels"].items()
        assert service["spec"]["selector"].items() <= pod.items()
        assert service["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize("monitor", ["serviceMonitor", "podMonitor"])
@pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/component": "operator"}], ids=["ours", "the admin's"])
def test_what_is_scraped_is_every_shard_and_nothing_else(monitor: str, labels: dict[str, str]) -> None:
    """The pod of `helm test` has no metrics to show, whatever labels an admin gives to the pods."""
    values = {"shards": 3, "podLabels": labels, "metrics": {monitor: {"enabled": True}}}
    objects = render(values)
    pods = monitor == "podMonitor"
    selector = only(objects, "PodMonitor" if pods else "Service")["spec"]["selector"]
    chosen = (selector["matchLabels"] if pods else selector).items()
    deployments = of_kind(objects, "Deployment")
    assert len(deployments) == 3
    for deployment in deployments:
        assert chosen <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert not chosen <= chart.check_pod(values)["metadata"]["labels"].items()


def test_a_monitor_has_what_scrapers_are_told(everything: list[Object]) -> None:
    """Every field that an admin may set, in the namespace that Prometheus looks at."""
    monitor = only(everything, "ServiceMonitor")
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["publishers"]}
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint == {
        "port": "metrics",
        "interval": "15s",
        "scrapeTimeout": "5s",
        "honorLabels": True,
        "relabelings": [{"targetLabel": "cluster", "replacement": "prod"}],
        "metricRelabelings": [{"sourceLabels": ["__name__"], "regex": "python_.*", "action": "drop"}],
    }


def test_a_service_without_a_monitor() -> None:
    """For scrapers that discover Services by annotations."""
    annotations = {"prometheus.io/scrape": "true"}
    service = only(metrics(service={"enabled": True, "annotations": annotations}), "Service")
    assert service["metadata"]["annotations"] == annotations


def rules(objects: list[Object]) -> list[Object]:
    """All rules of the release."""
    groups = only(objects, "PrometheusRule")["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_all_alerts_come_with_their_runbooks() -> None:
    """At an address of the admin's choice: that of a wiki, or of the site that `make site` builds, whose pages have no .md."""
    for before, after in (("https://wiki.example.com/?page=", ""), ("https://docs.example.com/runbooks/alerts/", "/")):
        given = f"{before}{{alert}}{after}"
        found = rules(metrics(prometheusRule={"enabled": True, "runbookURL": given}))
        assert [rule["alert"] for rule in found] == alert_names()
        for rule in found:
            assert rule["annotations"]["runbook_url"] == f"{before}{rule['alert']}{after}"


def test_one_address_of_the_repository_is_named_everywhere() -> None:
    """Whoever moves the project, or forks it, finds every place by this test: alerts, site and image lead to one repository."""
    repository = re.findall(r"^repo_url: (\S+)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)[0]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    runbook = f"{repository}/blob/main/docs/runbooks/alerts/{{alert}}.md"
    assert values["metrics"]["prometheusRule"]["runbookURL"] == runbook
    assert f'org.opencontainers.image.source="{repository}"' in (ROOT / "Dockerfile").read_text()
    image = f"ghcr.io/{repository.removeprefix('https://github.com/')}:"
    assert f"image=${{IMAGE:-{image}" in (ROOT / "hack" / "image" / "build").read_text()


def test_alerts_are_left_out_and_added(everything: list[Object]) -> None:
    """By their names; what is added keeps Prometheus' own templates."""
    found = rules(everything)
    assert {rule.get("alert") for rule in found} == {*alert_names(), "OIDCIssuerFewKeys"} - {"OIDCIssuerSuspended"}
    assert found[-1]["annotations"] == {"summary": "{{ $labels.issuer }} has one key."}
    rule = only(everything, "PrometheusRule")["metadata"]
    assert (rule["namespace"], rule["labels"]["role"]) == ("monitoring", "alert-rules")


def test_the_dashboard_is_what_the_sidecar_looks_for(everything: list[Object]) -> None:
    """Label, folder and namespace; its content is the file, whole."""
    file = (chart.CHART / "files" / "dashboard.json").read_text()
    plain = only(metrics(dashboard={"enabled": True}), "ConfigMap")
    assert plain["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(plain["data"]["oidc-publisher.json"]) == json.loads(file)
    found = the(everything, "ConfigMap", "the-publisher-dashboard")["metadata"]
    assert (found["namespace"], found["annotations"]["grafana_folder"]) == ("monitoring", "Identity")
    assert (found["labels"]["dashboards"], found["labels"]["area"]) == ("yes", "identity")
    assert "grafana_dashboard" not in found["labels"]


def test_the_dashboard_can_be_applied_by_clients() -> None:
    """Kubectl keeps a copy in an annotation of at most 262,144 bytes; the file stays well below."""
    assert len(yaml.safe_dump(only(metrics(dashboard={"enabled": True}), "ConfigMap"))) < 200_000
