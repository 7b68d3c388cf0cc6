"""The schema made from the models: what holds of every field, whoever adds one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import yaml

from oidc_publisher.api import custom_resource_definition
from oidc_publisher.api.schema import ECHO_LIMIT
from tests.api_objects import good_objects
from tests.support.foreach import for_each

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = custom_resource_definition()["spec"]["versions"][0]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
SPEC, STATUS = SCHEMA["properties"]["spec"], SCHEMA["properties"]["status"]


def _nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from _nodes(member, f"{path}.{name}")
    if "items" in schema:
        yield from _nodes(schema["items"], f"{path}[]")


SPEC_NODES = dict(_nodes(SPEC, "spec"))
STATUS_NODES = dict(_nodes(STATUS, "status"))


@for_each("path", SPEC_NODES)
def test_every_size_is_bounded(path: str) -> None:
    """The API server reckons the cost of rules by the largest value there can be."""
    node = SPEC_NODES[path]
    if node["type"] == "string" and "enum" not in node:
        assert node["maxLength"] > 0
    if node["type"] == "array":
        assert node["maxItems"] > 0
        assert node["x-kubernetes-list-type"] in {"atomic", "set"}


@for_each("path", SPEC_NODES)
def test_no_refusal_repeats_a_long_string(path: str) -> None:
    """A key that was pasted into a wrong field must not end up in somebody's logs."""
    node = SPEC_NODES[path]
    assert "pattern" not in node
    if node["type"] == "string" and node.get("maxLength", 0) > ECHO_LIMIT:
        for rule in node.get("x-kubernetes-validations", []):
            assert rule.get("reason") == "FieldValueForbidden" or "''.matches(self)" in rule["rule"]


@for_each("path", [*SPEC_NODES, *STATUS_NODES])
def test_every_field_is_described(path: str) -> None:
    """For somebody who runs `kubectl explain`."""
    node = (SPEC_NODES | STATUS_NODES)[path]
    if not path.endswith("[]"):
        assert node["description"].endswith(".")


@for_each("path", [p for p in STATUS_NODES if not p.startswith("status.conditions[]")])
def test_nothing_below_status_is_refused(path: str) -> None:
    """One bad entry would keep the operator from reporting anything."""
    limits = {
        "enum",
        "pattern",
        "maxLength",
        "minLength",
        "maxItems",
        "minItems",
        "minimum",
        "x-kubernetes-validations",
    }
    assert not limits & STATUS_NODES[path].keys()


def test_the_rule_about_a_member_blames_the_member() -> None:
    """Rules that moved to the object around a string carry its path, and spare an absent string."""
    (rule,) = (
        r for r in SPEC_NODES["spec.store.s3"]["x-kubernetes-validations"] if r.get("fieldPath") == ".endpointURL"
    )
    assert rule["rule"].startswith("!has(self.endpointURL) || (self.endpointURL.matches(")


def test_a_required_member_needs_no_has() -> None:
    """The rule is as one would write it by hand."""
    rules = [r["rule"] for r in SPEC["x-kubernetes-validations"]]
    assert "!self.issuerURL.contains('@')" in rules


def test_defaults_are_those_of_the_models() -> None:
    """Objects default to {} so that the API server fills in their members."""
    assert SPEC["properties"]["keySources"]["default"] == [{"name": "default", "apiServer": {}}]
    assert SPEC["properties"]["rotation"]["default"] == {}
    assert SPEC["properties"]["probe"]["properties"]["relyingParties"]["default"] == ["AWS"]
    assert SPEC["properties"]["interval"]["default"] == "1m"
    assert SPEC["properties"]["suspend"]["default"] is False
    assert "default" not in SPEC["properties"]["rotation"]["properties"]["withdrawnKeyIDs"]
    assert STATUS["default"]["conditions"][0]["reason"] == "WaitingForOperator"


def test_required_members() -> None:
    """The smallest object is issuerURL and store."""
    assert SCHEMA["required"] == ["spec"]
    assert SPEC["required"] == ["issuerURL", "store"]
    assert SPEC_NODES["spec.keySources[].secret"]["required"] == ["namespace", "name", "entryPattern"]


def test_the_columns() -> None:
    """What `kubectl get` shows, and what it keeps for `-o wide`."""
    narrow = [c["name"] for c in VERSION["additionalPrinterColumns"] if not c.get("priority")]
    wide = [c["name"] for c in VERSION["additionalPrinterColumns"] if c.get("priority")]
    assert narrow == ["Ready", "Reason", "Issuer", "Keys", "Proven", "Age"]
    assert wide == ["Signing Key", "Store", "Suspended", "Message"]
    assert VERSION["subresources"] == {"status": {}}


def test_the_good_objects_use_every_field() -> None:
    """So that the tests on a real API server see every field."""
    used: set[str] = set()
    for document in good_objects().values():
        used |= set(_used(document["spec"], "spec"))
    assert used >= {path for path in SPEC_NODES if not path.endswith("[]")}


def _used(value: Any, path: str) -> Iterator[str]:
    yield path
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _used(member, f"{path}.{name}")
    if isinstance(value, list):
        for member in value:
            yield from _used(member, f"{path}[]")


@pytest.mark.parametrize("name", [n for n in good_objects() if n != "null-members"])
def test_the_good_objects_keep_the_schema(name: str) -> None:
    """Judged by somebody else's reading of JSON Schema."""
    jsonschema_rs.validate(SCHEMA, good_objects()[name])


def test_the_definition_is_the_same_every_time() -> None:
    """Byte for byte, or --check would cry wolf."""
    assert yaml.safe_dump(custom_resource_definition()) == yaml.safe_dump(custom_resource_definition())
