"""The CRD that the cluster has, compared with the one of this version by its fields."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from oidc_publisher.api.crd import custom_resource_definition
from oidc_publisher.cli.check.definition import definition_line
from oidc_publisher.cli.check.lines import CheckResult


@pytest.fixture
def schema() -> Any:
    """The schema as the API server serves it."""
    return copy.deepcopy(custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def test_the_same_fields_are_the_same_version(schema: Any) -> None:
    """Descriptions do not count."""
    schema["properties"]["spec"]["description"] = "another"
    line = definition_line(schema, pre=False)
    assert (line.result, line.advice) == (CheckResult.YES, "")


@pytest.mark.parametrize(("pre", "result"), [(False, CheckResult.NO), (True, CheckResult.YES)])
def test_no_crd_is_right_only_before_the_installation(pre: bool, result: CheckResult) -> None:
    """Afterwards the line says how to install it."""
    line = definition_line(None, pre=pre)
    assert line.result is result
    assert bool(line.advice) is not pre


@pytest.mark.parametrize(("pre", "result"), [(False, CheckResult.NO), (True, CheckResult.WARNING)])
def test_an_older_crd_is_named_by_a_field_that_it_lacks(pre: bool, result: CheckResult, schema: Any) -> None:
    """Also one deep in a list: the API server would drop it from every status."""
    del schema["properties"]["status"]["properties"]["keys"]["items"]["properties"]["unlistedBy"]
    line = definition_line(schema, pre=pre)
    assert (line.result, line.found) == (result, "of another version, without status.keys[].unlistedBy")
    assert "crds.enabled" in line.advice


def test_a_newer_crd_is_a_warning(schema: Any) -> None:
    """This version reads such objects, and does not know all of their fields."""
    schema["properties"]["spec"]["properties"]["later"] = {"type": "string"}
    line = definition_line(schema, pre=False)
    assert (line.result, line.found) == (CheckResult.WARNING, "of a newer version, with spec.later")
