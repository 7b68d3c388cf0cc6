"""The signer's server and a real kube-apiserver (KEP-740): what it mints, lists, verifies and survives."""

from __future__ import annotations

import concurrent.futures
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from tests.support.apiserver import ServerConfig
from tests.support.controlplane import ControlPlane
from tests.support.processes import wait_for
from tests.support.signerthread import SignerThread, new_key
from tests.support.signingkeys import signing_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidc_publisher.signer.ring import RingKey
    from tests.support.pki import PKI

#: Kubernetes 1.33 has the service under its former name, v1alpha1, behind a gate that is closed.
_FORMER = os.environ.get("K8S_VERSION", "").startswith("1.33.")
_GATE = ("--feature-gates=ExternalServiceAccountTokenSigner=true",) if _FORMER else ()
#: There an API server whose keys come from a signer publishes none of them: "no public key getter provided".
needs_key_set = pytest.mark.skipif(_FORMER, reason="Kubernetes 1.33 answers 404 for the key set of a signer")


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignerThread]:
    """The signer of the API server."""
    with SignerThread(socket_in(tmp_path_factory), KEYS[1]) as running:
        yield running


#: A version for each test, so that no API server has a former test's token in its cache.
KEYS: dict[int, RingKey] = {number: new_key(number) for number in range(1, 12)}


def socket_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The socket, in a folder that the API server finds again."""
    return tmp_path_factory.getbasetemp() / "signer.sock"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, pki: PKI, signer: SignerThread) -> Iterator[ControlPlane]:
    """An API server without any key file, which starts because the signer is there."""
    assert signer is not None
    config = ServerConfig(signing_key("P-256"), signing_endpoint=socket_in(tmp_path_factory), extra_flags=_GATE)
    with ControlPlane(tmp_path_factory.mktemp("external"), pki, [config], loopback=True) as running:
        running.create_service_account("ns", "sa")
        yield running


def mint(cluster: ControlPlane) -> str:
    return cluster.mint_token(0, "ns", "sa", None)


def authenticated(cluster: ControlPlane, token: str) -> bool:
    """Whether the API server takes a token."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer: dict[str, Any] = cluster.json("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)
    return bool(answer["status"].get("authenticated"))


def listed(cluster: ControlPlane) -> list[str]:
    """The key IDs of the API server's key set, in its order."""
    return [key["kid"] for key in cluster.json("GET", "/openid/v1/jwks")["keys"]]


def listed_soon(cluster: ControlPlane, *keys: RingKey) -> None:
    """Wait until the API server lists exactly these: it asks each second."""
    wanted = [key.key_id for key in keys]
    wait_for(lambda: listed(cluster) == wanted, timeout_s=30, what=f"the key set is {wanted}")


def excluded(key: RingKey) -> RingKey:
    """The version when it only verifies."""
    return replace(key, private=None, verify_only_time=datetime.now(UTC))


@needs_key_set
def test_an_api_server_mints_by_the_signer(cluster: ControlPlane) -> None:
    """The token verifies with the published key, here and with another library, and has no member too many."""
    token = mint(cluster)
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": KEYS[1].key_id, "typ": "JWT"}
    (published,) = cluster.json("GET", "/openid/v1/jwks")["keys"]
    claims = jwt.decode(token, jwt.PyJWK(published), algorithms=["ES256"], options={"verify_aud": False})
    assert claims["sub"] == "system:serviceaccount:ns:sa"
    assert authenticated(cluster, token)


@needs_key_set
@pytest.mark.parametrize("number", [2, 3, 4])
def test_every_kind_of_key_signs(cluster: ControlPlane, signer: SignerThread, number: int) -> None:
    """RS256, ES384 and ES512 too; the switch needs no restart and loses no token."""
    before = mint(cluster)
    former = KEYS[number - 1]
    KEYS[number] = new_key(number, {2: "RS256", 3: "ES384", 4: "ES512"}[number])
    signer.offer(KEYS[number], former)
    token = mint(cluster)
    assert jwt.get_unverified_header(token)["kid"] == KEYS[number].key_id
    assert authenticated(cluster, token)
    assert authenticated(cluster, before)
    listed_soon(cluster, KEYS[number], former)


@needs_key_set
def test_a_version_that_only_verifies_is_delisted_and_verifies(cluster: ControlPlane, signer: SignerThread) -> None:
    """The operator sees it go from the key set, while tokens that were signed with it live on in the cluster."""
    signer.offer(KEYS[5])
    old = mint(cluster)
    signer.offer(KEYS[6], excluded(KEYS[5]))
    listed_soon(cluster, KEYS[6])
    assert authenticated(cluster, old)
    assert jwt.get_unverified_header(mint(cluster))["kid"] == KEYS[6].key_id


@needs_key_set
def test_a_version_that_is_dropped_is_refused(cluster: ControlPlane, signer: SignerThread) -> None:
    """As a withdrawn one is. No API server has seen this token before: it remembers a success for ten seconds."""
    signer.offer(KEYS[7])
    unseen = mint(cluster)
    signer.offer(KEYS[8])
    listed_soon(cluster, KEYS[8])
    assert not authenticated(cluster, unseen)


def test_metadata_caps_every_token(cluster: ControlPlane) -> None:
    """48 hours are asked for and 24 granted: the declared maximum is the lifetime that rotation reckons with."""
    token = cluster.mint_token(0, "ns", "sa", None, 48 * 3600)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 24 * 3600


@pytest.mark.parametrize("how", ["restart", "hand_over"])
def test_no_token_request_fails_when_the_signer_is_replaced(
    cluster: ControlPlane, signer: SignerThread, how: str
) -> None:
    """Four streams of requests go on, while it is replaced three times."""
    signer.offer(KEYS[9])
    enough = threading.Event()

    def stream() -> list[str]:
        tokens = []
        while not enough.is_set():
            tokens.append(mint(cluster))
        return tokens

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        streams = [pool.submit(stream) for _ in range(4)]
        for _ in range(3):
            mint(cluster)
            getattr(signer, how)()
            mint(cluster)
        enough.set()
        tokens = [token for each in streams for token in each.result()]
    assert len(tokens) >= 4
    assert {jwt.get_unverified_header(token)["kid"] for token in tokens} == {KEYS[9].key_id}


def test_an_api_server_that_starts_waits_for_the_signer(
    cluster: ControlPlane, signer: SignerThread, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No socket is waited for, an answer that it is unavailable would end it: so there is none before all can be answered."""
    path = socket_in(tmp_path_factory)
    away = path.with_name("away.sock")
    signer.offer(KEYS[10])
    path.rename(away)
    cluster.kill(0)
    former = len((cluster.servers[0].folder / "log").read_bytes())
    process = cluster.servers[0].start(cluster.configs[0])
    wait_for(
        lambda: b"failed to connect" in process.log_file.read_bytes()[former:],
        timeout_s=30,
        what="the API server looks for the signer",
    )
    assert process.running
    away.rename(path)
    wait_for(lambda: _answers(cluster), timeout_s=60, what="the API server is ready")
    assert jwt.get_unverified_header(mint(cluster))["kid"] == KEYS[10].key_id


def _answers(cluster: ControlPlane) -> bool:
    try:
        return cluster.request("GET", "/readyz").status == 200
    except OSError:
        return False
