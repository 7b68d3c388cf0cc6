"""What an API server may answer to the questions of `check`, and what a line makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from oidc_publisher.cli.check.clusterchecks import cluster_section, rights_section, servers_section
from oidc_publisher.cli.check.lines import CheckResult, Line
from oidc_publisher.cluster import ClusterClient
from oidc_publisher.errors import ClusterError
from tests.support.apistub import APIStub, client_of, refuses, says, serving
from tests.support.pki import PKI

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
MAY = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
OPENAPI = "/openapi/v3/apis/oidc-publisher.io/v1alpha1"


@pytest.fixture
async def api(pki: PKI) -> AsyncIterator[APIStub]:
    """An API server without an answer to anything."""
    async with serving(pki) as stub:
        yield stub


@pytest.fixture
async def client(api: APIStub, pki: PKI) -> AsyncIterator[ClusterClient]:
    """A client of it."""
    async with client_of(pki, api.address) as one:
        yield one


def who(name: str) -> object:
    """A SelfSubjectReview."""
    return {"kind": "SelfSubjectReview", "status": {"userInfo": {"username": name}}}


@pytest.mark.parametrize(
    ("name", "pre", "result"),
    [
        ("system:serviceaccount:a:b", False, CheckResult.YES),
        ("admin", False, CheckResult.WARNING),
        ("admin", True, CheckResult.YES),
    ],
)
async def test_whose_rights_are_checked_is_said(
    name: str, pre: bool, result: CheckResult, api: APIStub, client: ClusterClient
) -> None:
    """A person's rights say nothing about the operator's; before the installation a person is asked for."""
    api.on("POST", WHO, says(who(name)))
    (line, definition) = (await cluster_section(client, pre=pre)).lines
    assert line.result is result
    assert name in line.found
    assert definition.result is (CheckResult.YES if pre else CheckResult.NO)  # the API server has no schema


async def test_an_old_api_server_does_not_say_who_is_asking(api: APIStub, client: ClusterClient) -> None:
    """It answers 404 before Kubernetes 1.28, and all the rest can be checked."""
    line = (await cluster_section(client, pre=False)).lines[0]
    assert line.result is CheckResult.WARNING
    assert api.seen


@pytest.mark.parametrize("status", [401, 503])
async def test_an_api_server_that_does_not_answer_ends_the_check(
    status: int, api: APIStub, client: ClusterClient
) -> None:
    """Nothing else could be asked of it."""
    api.on("POST", WHO, refuses(status, "Why", "no"))
    with pytest.raises(ClusterError):
        await cluster_section(client, pre=False)


async def test_a_schema_that_cannot_be_read_is_no_answer(api: APIStub, client: ClusterClient) -> None:
    """Neither good nor bad."""
    api.on("POST", WHO, says(who("admin")))
    api.on("GET", OPENAPI, refuses(403, "Forbidden", "no"))
    assert (await cluster_section(client, pre=False)).lines[1].result is CheckResult.NO_ANSWER


@pytest.mark.parametrize(
    "answer",
    [
        refuses(403, "Forbidden", "no"),
        refuses(500, "InternalError", "no"),
        says({"status": {}}),
        says({"kind": "Status"}),
    ],
)
async def test_a_right_that_cannot_be_asked_about_is_not_granted(
    answer: object, api: APIStub, client: ClusterClient
) -> None:
    """Nor is it missing. An empty review would be the worst yes."""
    api.on("POST", MAY, answer)  # type: ignore[arg-type]
    lines = (await rights_section(client, None, ())).lines
    assert {line.result for line in lines} == {CheckResult.NO_ANSWER}


async def test_each_right_is_asked_about_as_rbac_knows_it(api: APIStub, client: ClusterClient) -> None:
    """Namespace, name, subresource and the path that is no resource's."""
    api.on("POST", MAY, says({"status": {"allowed": True}}))
    await rights_section(client, ("ns", "probe"), ())
    asked = [seen.body["spec"] for seen in api.seen if seen.path == MAY]
    assert {"nonResourceAttributes": {"path": "/openid/v1/jwks", "verb": "get"}} in asked
    token = {
        "verb": "create",
        "resource": "serviceaccounts",
        "subresource": "token",
        "namespace": "ns",
        "name": "probe",
    }
    assert {"resourceAttributes": token} in asked


@pytest.mark.parametrize("kinds", [["OIDCIssuer"], ["OIDCIssuer", "SigningKeyRing"]])
async def test_the_right_on_the_ring_is_asked_about_where_the_cluster_has_the_kind(
    kinds: list[str], api: APIStub, client: ClusterClient
) -> None:
    """Most clusters have no managed keys."""
    api.on("POST", MAY, says({"status": {"allowed": True}}))
    schemas = {f"io.oidc-publisher.v1alpha1.{kind}": {"type": "object"} for kind in kinds}
    api.on("GET", OPENAPI, says({"components": {"schemas": schemas}}))
    lines = (await rights_section(client, None, ())).lines
    asked = "get signingkeyrings.oidc-publisher.io default" in {line.check for line in lines}
    assert asked is ("SigningKeyRing" in kinds)


async def test_without_the_probes_account_a_warning_says_what_is_not_known(client: ClusterClient) -> None:
    """A command on an admin's machine has none; before the installation none is expected."""
    lines = (await servers_section(client, None, (), pre=False)).lines
    found = "not checked: no --probe-service-account was given"
    advice = "Give it as the operator has it."
    assert Line(CheckResult.WARNING, "ServiceAccount of the probe", found, advice) in lines
    assert all(
        line.check != "ServiceAccount of the probe"
        for line in (await servers_section(client, None, (), pre=True)).lines
    )
