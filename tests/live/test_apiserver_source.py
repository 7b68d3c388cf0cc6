"""The apiServer key source against real API servers that differ, fall silent and come back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oidc_publisher.cluster import ClusterClient, load_credentials
from oidc_publisher.findings import Reason
from oidc_publisher.sources import APIServerSource, SourceResult
from oidc_publisher.sources.apiserver import ENDPOINT_SLICE
from tests.support.apiserver import ServerConfig
from tests.support.controlplane import with_keys
from tests.support.pki import PKI
from tests.support.signingkeys import KINDS, signing_key

if TYPE_CHECKING:
    from tests.support.controlplane import ControlPlane

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]  # whichever comes first starts the servers

FIRST, SECOND = "10.201.0.11:6443", "10.201.0.12:6443"
A, B = signing_key("P-256", "source-a"), signing_key("RSA-2048", "source-b")


@pytest.fixture(scope="module")
def differing(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Two servers with a key each that the other does not list."""
    with control_plane.restored():
        control_plane.restart(0, ServerConfig(A))
        control_plane.restart(1, ServerConfig(B))
        yield control_plane


@asynccontextmanager
async def source_with(kubeconfig: Path, *addresses: str) -> AsyncIterator[APIServerSource]:
    """A source that reads with the credentials of a kubeconfig."""
    async with ClusterClient(load_credentials(str(kubeconfig))) as client:
        yield APIServerSource(client, "api", addresses)


async def read(kubeconfig: Path, *addresses: str) -> SourceResult:
    """One reading."""
    async with source_with(kubeconfig, *addresses) as source:
        return await source.read()


def kids(result: SourceResult) -> set[str]:
    """The kids listed."""
    return {listing.key.key_id for listing in result.reading.listings}


def reasons(result: SourceResult) -> dict[str, Reason]:
    """Reason by subject."""
    return {finding.subject: finding.reason for finding in result.findings}


async def test_different_keys_are_one_set(differing: ControlPlane) -> None:
    """The union of both, complete; by the EndpointSlice and by addresses alike."""
    for addresses in ((), (FIRST, SECOND)):
        result = await read(differing.admin_kubeconfig(), *addresses)
        assert kids(result) == {A.kid, B.kid}
        assert (result.reading.complete, result.findings) == (True, ())
        assert result.endpoints == (FIRST, SECOND)


async def test_one_server_falls_silent_and_comes_back(differing: ControlPlane) -> None:
    """Through the same client: incomplete with its name as long as it is away, complete without a restart of ours."""
    async with source_with(differing.admin_kubeconfig()) as source:
        assert (await source.read()).reading.complete
        differing.kill(1)
        alone = await source.read()
        assert (alone.reading.complete, alone.reading.missing, kids(alone)) == (
            False,
            (f"API server {SECOND}",),
            {A.kid},
        )
        assert reasons(alone) == {SECOND: Reason.APIServerUnreachable}
        assert (await source.read()).findings == alone.findings  # stable: each new text would be a PATCH
        assert alone.endpoints == (FIRST, SECOND)
        differing.start_server(1)
        healed = await source.read()
        assert (healed.reading.complete, kids(healed), healed.findings) == (True, {A.kid, B.kid}, ())


async def test_the_server_of_the_credentials_is_away(differing: ControlPlane) -> None:
    """Then nobody says which servers there are: nothing is known, in one finding."""
    async with source_with(differing.admin_kubeconfig(index=1)) as source:
        differing.kill(1)
        result = await source.read()
        differing.start_server(1)
    assert (result.reading.complete, result.reading.missing, result.endpoints) == (False, (ENDPOINT_SLICE,), None)
    assert reasons(result) == {SECOND: Reason.APIServerUnreachable}


async def test_every_kind_of_key(differing: ControlPlane) -> None:
    """All that a kube-apiserver can list is read, under its own kids."""
    keys = [signing_key(kind) for kind in KINDS]
    with differing.restored():
        differing.restart(1, with_keys(differing.configs[1], *(key.public_pem for key in keys)))
        result = await read(differing.admin_kubeconfig(), SECOND)
    assert {(one.key.key_id, one.key.algorithm) for one in result.reading.listings} == {
        (key.kid, key.algorithm) for key in keys
    }
    assert result.reading.complete


async def test_an_issuer_that_is_not_https(differing: ControlPlane) -> None:
    """The API server hides its key set: 404, and the sentence says why."""
    with differing.restored():
        differing.restart(1, dataclasses.replace(differing.configs[1], issuers=("http://oidc.example.test",)))
        result = await read(differing.admin_kubeconfig(), FIRST, SECOND)
    assert reasons(result) == {SECOND: Reason.ClusterDiscoveryMissing}
    assert (result.reading.complete, kids(result)) == (False, {A.kid})
    assert "https --service-account-issuer" in result.findings[0].advice


async def test_another_ca(differing: ControlPlane, tmp_path: Path) -> None:
    """No key is taken from a server that the CA does not vouch for."""
    content = json.loads(differing.admin_kubeconfig().read_text())
    content["clusters"][0]["cluster"]["certificate-authority"] = str(PKI(tmp_path / "other").ca_file)
    (tmp_path / "config").write_text(json.dumps(content))
    result = await read(tmp_path / "config", FIRST, SECOND)
    assert reasons(result) == dict.fromkeys((FIRST, SECOND), Reason.APIServerCertificateInvalid)
    assert (result.reading.complete, kids(result)) == (False, set())


async def test_without_a_ca(differing: ControlPlane, tmp_path: Path) -> None:
    """A kubeconfig that verifies nobody: its own server is asked, and no address that an object names gets the token."""
    content = json.loads(differing.admin_kubeconfig().read_text())
    del content["clusters"][0]["cluster"]["certificate-authority"]
    content["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
    (tmp_path / "config").write_text(json.dumps(content))
    by_addresses = await read(tmp_path / "config", FIRST, SECOND)
    assert [finding.reason for finding in by_addresses.findings] == [Reason.SpecUnsupported]
    assert kids(by_addresses) == set()
    by_slice = await read(tmp_path / "config")
    assert [finding.reason for finding in by_slice.findings] == [Reason.APIServerCertificateInvalid]
    assert (kids(by_slice), by_slice.reading.complete) == ({A.kid}, False)


class TestRights:
    """What a ServiceAccount may do by itself, and what it may not."""

    async def test_a_service_account_reads_key_sets_but_lists_no_servers(self, differing: ControlPlane) -> None:
        """system:service-account-issuer-discovery is bound to every ServiceAccount, endpointslices are not."""
        path = differing.kubeconfig_for_service_account("sources", "reader", survives_rotation=True)
        by_addresses = await read(path, FIRST, SECOND)
        assert (by_addresses.reading.complete, by_addresses.findings) == (True, ())
        by_slice = await read(path)
        assert [finding.reason for finding in by_slice.findings] == [Reason.SourceForbidden]
        assert "list endpointslices (discovery.k8s.io) in namespace default" in by_slice.findings[0].advice
        assert (kids(by_slice), by_slice.reading.complete, by_slice.endpoints) == ({A.kid}, False, None)

    async def test_a_user_without_rights(self, differing: ControlPlane, pki: PKI, tmp_path: Path) -> None:
        """The ClusterRole that is missing is named."""
        certificate = pki.client("nobody")
        content = json.loads(differing.admin_kubeconfig().read_text())
        files = {"client-certificate": str(certificate.chain_file), "client-key": str(certificate.key_file)}
        content["users"][0]["user"] = files
        (tmp_path / "config").write_text(json.dumps(content))
        result = await read(tmp_path / "config", FIRST)
        assert reasons(result) == {FIRST: Reason.SourceForbidden}
        assert "system:service-account-issuer-discovery" in result.findings[0].advice
