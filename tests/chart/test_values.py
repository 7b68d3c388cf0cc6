"""values.yaml, its schema and its page say the same; what is wrong is refused by name, before anything is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from hack.chart.schema import values_schema
from hack.chart.values import documented
from tests.support import chart

VALUES = chart.CHART / "values.yaml"
RENDERINGS = sorted((Path(__file__).parent / "renderings").glob("*.yaml"))
#: A value that is refused, and what of the refusal an admin needs: where it stands, and what is wrong.
REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "unknown name": ({"shard": 2}, ("additional properties 'shard' not allowed",)),
    "unknown name below": ({"rbac": {"configmaps": []}}, ("/rbac", "'configmaps' not allowed")),
    "metrics, which cannot be turned off": ({"metrics": {"enabled": True}}, ("/metrics", "'enabled' not allowed")),
    "two monitors": (
        {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}},
        ("/metrics/podMonitor/enabled", "value must be false"),
    ),
    "alert of another name": (
        {"metrics": {"prometheusRule": {"disabled": ["OIDCIssuerUnready"]}}},
        ("/metrics/prometheusRule/disabled/0", "'OIDCIssuerNotReady'"),
    ),
    "interval in words": (
        {"metrics": {"serviceMonitor": {"interval": "often"}}},
        ("/metrics/serviceMonitor/interval", "does not match pattern"),
    ),
    "runbooks without scheme": (
        {"metrics": {"prometheusRule": {"runbookURL": "wiki/{alert}"}}},
        ("/metrics/prometheusRule/runbookURL", "does not match pattern"),
    ),
    "one runbook for all alerts": (
        {"metrics": {"prometheusRule": {"runbookURL": "https://wiki.example.com/oidc"}}},
        ("/metrics/prometheusRule/runbookURL", "does not match pattern"),
    ),
    "replicas": ({"replicas": 2}, ("'replicas' not allowed",)),
    "no shards": ({"shards": 0}, ("/shards", "minimum: got 0, want 1")),
    "shards in words": ({"shards": "two"}, ("/shards", "got string, want integer")),
    "half a shard": ({"shards": 1.5}, ("/shards", "got number, want integer")),
    "too many shards": ({"shards": 65}, ("/shards", "maximum: got 65, want 64")),
    "boolean as text": ({"crds": {"enabled": "false"}}, ("/crds/enabled", "got string, want boolean")),
    "map as text": ({"image": "example.com/image:1"}, ("/image", "got string, want object")),
    "value removed": ({"image": {"repository": None}}, ("/image", "missing property 'repository'")),
    "short digest": ({"image": {"digest": "sha256:abc"}}, ("/image/digest", "does not match pattern")),
    "unknown policy": (
        {"image": {"pullPolicy": "Sometimes"}},
        ("/image/pullPolicy", "'Always', 'IfNotPresent', 'Never'"),
    ),
    "no such level": ({"log": {"level": "loud"}}, ("/log/level", "'debug', 'info', 'warning', 'error'")),
    "privileged port": ({"health": {"port": 80}}, ("/health/port", "minimum: got 80, want 1,024")),
    "source without namespace": (
        {"rbac": {"secrets": [{"name": "a"}]}},
        ("/rbac/secrets/0", "missing property 'namespace'"),
    ),
    "source as text": ({"rbac": {"configMaps": ["a/b"]}}, ("/rbac/configMaps/0", "got string, want object")),
    "source of all names": (
        {"rbac": {"secrets": [{"namespace": "a", "name": "*"}]}},
        ("/rbac/secrets/0/name", "does not match pattern"),
    ),
    "source of a name too long for its Role": (
        {"rbac": {"secrets": [{"namespace": "a", "name": "b" * 190}]}},
        ("/rbac/secrets/0/name", "maxLength: got 190, want 189"),
    ),
    "source twice": (
        {"rbac": {"secrets": [{"namespace": "a", "name": "b"}] * 2}},
        ("/rbac/secrets", "items at 0 and 1 are equal"),
    ),
    "nobody's account": ({"serviceAccount": {"create": False}}, ("/serviceAccount/name", "minLength: got 0, want 1")),
    "nobody's probe": (
        {"probe": {"serviceAccount": {"create": False}}},
        ("/probe/serviceAccount/name", "minLength: got 0, want 1"),
    ),
    "two places of key files": (
        {"keyFiles": {"hostPath": "/keys", "existingVolume": "keys"}},
        ("/keyFiles/existingVolume", "maxLength: got 4, want 0"),
    ),
    "relative folder": ({"keyFiles": {"hostPath": "keys"}}, ("/keyFiles/hostPath", "does not match pattern")),
    "role that is none": ({"cloudIdentity": {"aws": {"roleARN": "oidc"}}}, ("/cloudIdentity/aws/roleARN", "pattern")),
    "role without region": (
        {"cloudIdentity": {"aws": {"roleARN": "arn:aws:iam::123456789012:role/a"}}},
        ("/cloudIdentity/aws/region", "minLength: got 0, want 1"),
    ),
    "provider with its scheme": (
        {"cloudIdentity": {"gcp": {"provider": "//iam.googleapis.com/projects/1"}}},
        ("/cloudIdentity/gcp/provider", "pattern"),
    ),
    "short token": ({"cloudIdentity": {"aws": {"tokenExpirationSeconds": 60}}}, ("minimum: got 60, want 600",)),
    "endpoint without scheme": ({"storeEndpoints": ["minio:9000"]}, ("/storeEndpoints/0", "pattern")),
    "proxy without port": ({"probeProxies": ["http://proxy.example.com"]}, ("/probeProxies/0", "pattern")),
    "proxy with a password": ({"probeProxies": ["http://me:secret@proxy:3128"]}, ("/probeProxies/0", "pattern")),
    "option that is none": ({"extraArgs": ["verify"]}, ("/extraArgs/0", "pattern")),
    "number as annotation": ({"podAnnotations": {"a": 1}}, ("/podAnnotations/a", "got number, want string")),
    "long name": ({"fullnameOverride": "a" * 53}, ("/fullnameOverride", "maxLength: got 53, want 52")),
}


def leaves(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """The paths of what is not an object of the schema's own."""
    for name, below in schema["properties"].items():
        if "properties" in below:
            yield from leaves(below, (*path, name))
        else:
            yield ".".join((*path, name))


def test_every_value_has_a_schema_a_default_and_a_sentence() -> None:
    """None of the three knows one more; `enabled` belongs to the parent chart."""
    described = documented(VALUES.read_text(encoding="utf-8"))
    assert {value.path for value in described} == set(leaves(values_schema())) - {"enabled"}
    assert all(value.said.endswith(".") for value in described)


def test_the_defaults_fit_the_schema() -> None:
    """As Helm would hold them."""
    jsonschema_rs.validate(values_schema(), yaml.safe_load(VALUES.read_text(encoding="utf-8")))


def test_the_schema_refers_to_nothing() -> None:
    """Helm would fetch it, or refuse to."""
    jsonschema_rs.meta.validate(values_schema())
    assert "$ref" not in json.dumps(values_schema())


def test_everything_is_everything() -> None:
    """The fullest rendering sets each value to something that is not its default; the ones that exclude it apart."""
    given = yaml.safe_load((Path(__file__).parent / "renderings" / "everything.yaml").read_text())
    apart = {"keyFiles.existingVolume", "crds.enabled", "probe.serviceAccount.create", "serviceAccount.create"}
    apart |= {"rbac.create", "rbac.finalizers", "rbac.aggregateToView", "metrics.podMonitor.enabled"}
    for value in documented(VALUES.read_text(encoding="utf-8")):
        found: Any = given
        for name in value.path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        assert value.path in apart or (found is not None and found != value.default), value.path


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_value_is_refused_where_it_stands(case: str) -> None:
    """Helm renders nothing; its text names the value and what is wrong with it."""
    values, said = REFUSED[case]
    with pytest.raises(chart.RefusedError) as caught:
        chart.render(values)
    assert all(words in str(caught.value) for words in said), str(caught.value)


def test_several_bad_values_are_told_together() -> None:
    """One run is enough to see them all."""
    with pytest.raises(chart.RefusedError) as caught:
        chart.render({"shards": 0, "rbac": {"secret": []}})
    assert "/shards" in str(caught.value)
    assert "'secret' not allowed" in str(caught.value)


@pytest.mark.parametrize("values", RENDERINGS, ids=lambda path: path.stem)
def test_the_linter_has_nothing_to_say(values: Path) -> None:
    """`helm lint --strict`."""
    chart.helm("lint", "--strict", str(chart.CHART), values=values)
