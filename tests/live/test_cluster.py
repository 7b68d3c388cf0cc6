"""The cluster package against real API servers."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import pytest_asyncio

from oidc_publisher.cluster import (
    ClusterClient,
    ConflictError,
    CredentialsError,
    api_server_endpoints,
    get_issuer,
    kube_system_uid,
    load_credentials,
    mint_token,
    patch_status,
    review_token,
)
from oidc_publisher.errors import AnswerError, CertificateError, UnreachableError
from oidc_publisher.findings import Reason
from tests.support.apiserver import ServerConfig
from tests.support.pki import PKI
from tests.support.processes import wait_for
from tests.support.signingkeys import signing_key

if TYPE_CHECKING:
    from tests.support.controlplane import ControlPlane

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]  # whichever comes first starts the servers

CRD_FILE = Path(__file__).parents[2] / "crds" / "oidc-publisher.io_oidcissuers.yaml"
API_VERSION, KIND = "oidc-publisher.io/v1alpha1", "OIDCIssuer"
AUDIENCE = "sts.amazonaws.com"


@asynccontextmanager
async def client_with(kubeconfig: Path) -> AsyncIterator[ClusterClient]:
    """A client with the credentials of a kubeconfig."""
    async with ClusterClient(load_credentials(str(kubeconfig))) as client:
        yield client


@pytest_asyncio.fixture
async def admin(control_plane: ControlPlane) -> AsyncIterator[ClusterClient]:
    """A client of the admin."""
    async with client_with(control_plane.admin_kubeconfig()) as client:
        yield client


@pytest.fixture
def stranger(control_plane: ControlPlane, pki: PKI, tmp_path: Path) -> Path:
    """A kubeconfig of a user whom the cluster knows and who has no rights, not those of a ServiceAccount either."""
    certificate = pki.client("stranger")
    files = {"client-certificate": str(certificate.chain_file), "client-key": str(certificate.key_file)}
    return as_user(control_plane, tmp_path / "stranger", files)


def as_user(control_plane: ControlPlane, path: Path, user: dict[str, Any], *, ca: Path | None = None) -> Path:
    """The admin's kubeconfig with another user entry, and perhaps another CA."""
    content = json.loads(control_plane.admin_kubeconfig().read_text())
    content["users"][0]["user"] = user
    if ca is not None:
        content["clusters"][0]["cluster"]["certificate-authority"] = str(ca)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="class")
def differing(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Two servers that sign with different keys and do not know each other's: half way through a rotation."""
    control_plane.create_service_account("probe", "oidc-publisher-probe")
    with control_plane.restored():
        control_plane.restart(1, ServerConfig(signing_key("P-256", "second")))
        yield control_plane


@pytest.fixture(scope="class")
def served(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """A cluster that serves OIDCIssuers and has none."""
    control_plane.apply(CRD_FILE)
    collection = f"/apis/{API_VERSION}/oidcissuers"
    wait_for(lambda: control_plane.request("GET", collection).status == 200, timeout_s=20, what="they are served")
    yield control_plane
    control_plane.request("DELETE", collection)


class TestCredentials:
    """How the operator says who it is, to a server that checks it."""

    async def test_a_plugin_that_rotates_its_token(self, control_plane: ControlPlane, tmp_path: Path) -> None:
        """A token without a date that the server refuses makes the plugin run again, within the same request."""
        good, answers = tmp_path / "good", tmp_path / "plugin"
        good.write_text("expired")
        answers.write_text(
            f'#!/bin/sh\nprintf \'{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",'
            f' "status": {{"token": "%s"}}}}\' $(cat {good})\n'
        )
        answers.chmod(answers.stat().st_mode | stat.S_IXUSR)
        plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(answers), "interactiveMode": "Never"}
        async with client_with(as_user(control_plane, tmp_path / "config", {"exec": plugin})) as client:
            good.write_text(control_plane.admin_token)
            assert await kube_system_uid(client)

    async def test_a_missing_plugin_is_refused(self, control_plane: ControlPlane, tmp_path: Path) -> None:
        """The library would go on as system:anonymous."""
        plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}
        with pytest.raises(CredentialsError, match="The credential plugin no-such-plugin of user testbed"):
            load_credentials(str(as_user(control_plane, tmp_path / "config", {"exec": plugin})))

    async def test_a_token_file_that_is_renewed(self, control_plane: ControlPlane, tmp_path: Path) -> None:
        """The next request has the new token."""
        token = tmp_path / "token"
        token.write_text("expired")
        async with client_with(as_user(control_plane, tmp_path / "config", {"tokenFile": "token"})) as client:
            with pytest.raises(AnswerError) as caught:
                await kube_system_uid(client)
            assert caught.value.status == 401
            token.write_text(control_plane.admin_token + "\n")
            assert await kube_system_uid(client)

    async def test_a_client_certificate(self, stranger: Path) -> None:
        """The cluster knows who asks: forbidden, not unauthorized."""
        async with client_with(stranger) as client:
            with pytest.raises(AnswerError) as caught:
                await kube_system_uid(client)
        assert caught.value.status == 403
        assert "get the namespace kube-system" in caught.value.hint

    async def test_another_ca(self, control_plane: ControlPlane, tmp_path: Path) -> None:
        """A server that the CA does not vouch for is not shown the token."""
        other = PKI(tmp_path / "other").ca_file
        path = as_user(control_plane, tmp_path / "config", {"token": control_plane.admin_token}, ca=other)
        async with client_with(path) as client:
            with pytest.raises(CertificateError) as caught:
                await kube_system_uid(client)
        assert caught.value.reason is Reason.APIServerCertificateInvalid
        assert caught.value.subject == "10.201.0.11:6443"


class TestEndpoints:
    """The single API servers."""

    async def test_they_are_listed_and_asked_one_by_one(self, admin: ClusterClient) -> None:
        """HOST:PORT of each, which answers for itself and tells its time."""
        began = time.monotonic()
        endpoints = await api_server_endpoints(admin)
        assert endpoints == ("10.201.0.11:6443", "10.201.0.12:6443")
        for endpoint in endpoints:
            assert (await admin.request("GET", "/readyz", endpoint=endpoint)).asked == endpoint
        offsets = admin.clock_offsets(began)
        assert set(offsets) == set(endpoints)
        assert all(abs(offset) < timedelta(seconds=2) for offset in offsets.values())

    async def test_the_right_to_list_them(self, control_plane: ControlPlane) -> None:
        """A ServiceAccount does not have it by itself."""
        async with client_with(control_plane.kubeconfig_for_service_account("bare", "bare")) as client:
            with pytest.raises(AnswerError) as caught:
                await api_server_endpoints(client)
        assert caught.value.reason is Reason.SourceForbidden


class TestTokens:
    """Tokens minted by each server, and reviewed by it."""

    async def mint(self, client: ClusterClient, endpoint: str, name: str = "oidc-publisher-probe") -> str:
        """A token of the probe's ServiceAccount."""
        return await mint_token(client, endpoint, namespace="probe", name=name, audience=AUDIENCE)

    async def test_each_endpoint_mints_with_its_own_key(self, differing: ControlPlane, admin: ClusterClient) -> None:
        """The kid tells which server signed; audience and life are as asked."""
        kids = []
        for endpoint in differing.addresses:
            token = await self.mint(admin, endpoint)
            claims = jwt.decode(token, options={"verify_signature": False})
            assert claims["aud"] == [AUDIENCE]
            assert claims["exp"] - claims["iat"] == 600
            kids.append(jwt.get_unverified_header(token)["kid"])
        assert kids == [differing.configs[0].signing_key.kid, signing_key("P-256", "second").kid]

    async def test_each_endpoint_reviews_by_its_own_keys(self, differing: ControlPlane, admin: ClusterClient) -> None:
        """A token is accepted where it was minted, for its audience, and nowhere else."""
        first, second = differing.addresses
        token = await self.mint(admin, second)
        assert (await review_token(admin, second, token, [AUDIENCE])).authenticated
        for endpoint, audience in ((first, AUDIENCE), (second, "another")):
            review = await review_token(admin, endpoint, token, [audience])
            assert not review.authenticated
            assert review.error

    async def test_refusals(self, differing: ControlPlane, admin: ClusterClient, stranger: Path) -> None:
        """A ServiceAccount that is missing, and a right that is missing."""
        endpoint = differing.addresses[0]
        with pytest.raises(AnswerError) as caught:
            await self.mint(admin, endpoint, name="nobody")
        assert caught.value.reason is Reason.TokenRequestFailed
        assert caught.value.message == "ServiceAccount probe/nobody does not exist"
        async with client_with(stranger) as client:
            with pytest.raises(AnswerError) as caught:
                await self.mint(client, endpoint)
            assert caught.value.reason is Reason.TokenRequestForbidden
            with pytest.raises(AnswerError) as caught:
                await review_token(client, endpoint, "x", [AUDIENCE])
            assert caught.value.reason is Reason.TokenRequestForbidden

    async def test_an_endpoint_that_is_down(self, differing: ControlPlane, admin: ClusterClient) -> None:
        """It is unreachable; the other one mints on."""
        differing.kill(1)
        with pytest.raises(
            UnreachableError, match=r"10\.201\.0\.12:6443 cannot be connected to \(connection refused\)"
        ):
            await self.mint(admin, differing.addresses[1])
        assert await self.mint(admin, differing.addresses[0])
        differing.start_server(1)


class TestIssuers:
    """OIDCIssuer objects, and the cluster's identity."""

    async def test_read_and_written(self, served: ControlPlane, admin: ClusterClient) -> None:
        """A status is merged; the same patch again changes nothing; a stale one is a conflict."""
        assert await get_issuer(admin, "prod") is None
        spec = {"issuerURL": "https://oidc.example.test/prod", "store": {"gcs": {"bucket": "example-oidc"}}}
        served.apply({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "prod"}, "spec": spec})
        found = await get_issuer(admin, "prod")
        assert found is not None

        version = found["metadata"]["resourceVersion"]
        patched = await patch_status(admin, "prod", {"jwksURI": "https://oidc.example.test/prod/jwks"}, version)
        assert patched["status"]["jwksURI"] == "https://oidc.example.test/prod/jwks"
        assert patched["metadata"]["resourceVersion"] != version
        with pytest.raises(ConflictError):
            await patch_status(admin, "prod", {"jwksURI": None}, version)
        now = patched["metadata"]["resourceVersion"]
        again = await patch_status(admin, "prod", {"jwksURI": "https://oidc.example.test/prod/jwks"}, now)
        assert again["metadata"]["resourceVersion"] == now

    async def test_the_clusters_identity(self, control_plane: ControlPlane, admin: ClusterClient) -> None:
        """The UID of namespace kube-system."""
        assert await kube_system_uid(admin) == control_plane.get("v1", "Namespace", "kube-system")["metadata"]["uid"]
