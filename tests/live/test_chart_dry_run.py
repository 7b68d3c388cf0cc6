"""Each rendering of the chart on a real API server: it knows every field, and would take every object."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from hack.testbed import monitoring
from tests.support import binaries, chart, openapi

if TYPE_CHECKING:
    from tests.support.controlplane import ControlPlane

RENDERINGS = sorted((Path(__file__).parents[1] / "chart" / "renderings").glob("*.yaml"))


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> ControlPlane:
    """The control plane with the namespaces that the renderings name, and the Prometheus operator's own CRDs."""
    definitions = monitoring.find()
    assert definitions, "run `python3 hack/testbed/monitoring.py` first"
    for file in definitions:
        control_plane.kubectl("apply", "--server-side", "-f", str(file))
        control_plane.wait_established(yaml.safe_load(file.read_text())["metadata"]["name"])
    names = {"oidc-publisher"}
    for path in RENDERINGS:
        names |= {found["metadata"].get("namespace", "default") for found in chart.render(path)}
    for name in names - {"default"}:
        control_plane.create_namespace(name)
    return control_plane


def dry_run(cluster: ControlPlane, text: str, *arguments: str) -> str:
    """What the API server would make of these objects; unknown and doubled fields are refused."""
    return cluster.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", *arguments, "-f-", stdin=text
    )


@pytest.mark.parametrize("values", RENDERINGS, ids=lambda path: path.stem)
def test_the_api_server_takes_every_object(cluster: ControlPlane, values: Path) -> None:
    """Server-side, as Helm 4 applies, with strict validation of fields."""
    objects = chart.render(values)
    said = dry_run(cluster, yaml.safe_dump_all(objects))
    assert len(said.splitlines()) == len(objects)


def test_a_misspelt_field_would_be_seen(cluster: ControlPlane) -> None:
    """The check can fail."""
    objects = chart.render()
    chart.of_kind(objects, "Deployment")[0]["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(AssertionError, match="enableServiceLink"):
        dry_run(cluster, yaml.safe_dump_all(objects))


@pytest.mark.parametrize(
    ("kind", "field"),
    [("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints"), ("PrometheusRule", "groups")],
)
def test_a_misspelt_field_of_a_monitor_would_be_seen(cluster: ControlPlane, kind: str, field: str) -> None:
    """The definitions are closed too."""
    values = next(path for path in RENDERINGS if path.stem == ("pod-monitor" if kind == "PodMonitor" else "everything"))
    (found,) = chart.of_kind(chart.render(values), kind)
    found["spec"][field][0]["intervall"] = "30s"
    with pytest.raises(AssertionError, match="intervall"):
        dry_run(cluster, yaml.safe_dump(found))


@pytest.fixture(scope="module")
def schemas(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where kubeconform finds its schemas, made from the API server's own OpenAPI: the network has others."""
    return openapi.write_schemas(cluster.json("GET", "/openapi/v2"), tmp_path_factory.mktemp("schemas"))


def conforms(schemas: str, objects: list[chart.Object]) -> str:
    """What kubeconform says, strictly; empty when all is well."""
    argv: list[str | Path] = [binaries.find("kubeconform"), "-strict", f"-schema-location={schemas}", "-"]
    text = yaml.safe_dump_all(objects)
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=False, timeout=60).stdout


@pytest.mark.parametrize("values", RENDERINGS, ids=lambda path: path.stem)
def test_kubeconform_has_nothing_to_say(schemas: str, values: Path) -> None:
    """Offline, as a pipeline would hold a rendering."""
    assert not conforms(schemas, [*chart.render(values), chart.check_pod(values)])


def test_kubeconform_sees_a_misspelt_field(schemas: str) -> None:
    """And a value of another type: the check can fail."""
    objects = chart.render()
    spec = chart.of_kind(objects, "Deployment")[0]["spec"]
    spec["template"]["spec"]["enableServiceLink"] = False
    assert "enableServiceLink" in conforms(schemas, objects)
    del spec["template"]["spec"]["enableServiceLink"]
    spec["replicas"] = "one"
    assert "/spec/replicas" in conforms(schemas, objects)


def test_the_pod_is_admitted_where_pod_security_is_restricted(cluster: ControlPlane) -> None:
    """The namespace enforces the level restricted, and the API server itself judges a pod of the template."""
    cluster.create_service_account("restricted", "prod-oidc-publisher")
    metadata = {"name": "restricted", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    (deployment,) = chart.of_kind(chart.render(), "Deployment")
    pod: chart.Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator", "namespace": "restricted"}}
    pod["spec"] = deployment["spec"]["template"]["spec"]
    checking = chart.check_pod()
    checking["metadata"]["namespace"] = "restricted"
    for admitted in (pod, checking):
        assert "created" in cluster.kubectl("create", "--dry-run=server", "-f-", stdin=yaml.safe_dump(admitted))
    del pod["spec"]["securityContext"]["runAsNonRoot"]
    refused = cluster.kubectl("create", "--dry-run=server", "-f-", stdin=yaml.safe_dump(pod), check=False)
    assert "runAsNonRoot" in refused
