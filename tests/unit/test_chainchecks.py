"""Chains that break RFC 5280, as many clusters and S3 servers have them: accepted under every Python, as kubectl does."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from botocore.awsrequest import AWSRequest

import oidc_publisher
from oidc_publisher.cluster.credentials.clientcontext import client_context
from oidc_publisher.stores.gcs.session import new_session
from oidc_publisher.stores.s3.transport import S3Transport, tls_context
from tests.support.hosts import Host
from tests.support.pki import LaxAuthority
from tests.support.strictpython import be_strict

PACKAGE = Path(oidc_publisher.__file__).parent
_MAKES_A_CONTEXT = re.compile(r"create_default_context\(|create_urllib3_context\(|_create_unverified_context\(")


@pytest.fixture(autouse=True)
def strict_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests fail under Python 3.11 too where a context keeps the default of Python 3.13."""
    be_strict(monkeypatch)


@pytest.fixture(params=["key usage", "critical basic constraints"])
def authority(request: pytest.FixtureRequest, tmp_path: Path) -> LaxAuthority:
    """A CA without what RFC 5280 demands."""
    return LaxAuthority(tmp_path, request.param)


@pytest.fixture
def host(authority: LaxAuthority) -> Iterator[Host]:
    """A host with a certificate of that CA."""
    with Host(authority.serving().server_context()) as running:
        yield running


async def status_of(host: Host, context: ssl.SSLContext) -> int:
    connector = aiohttp.TCPConnector(ssl=context, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session, session.get(host.url) as answer:
        return answer.status


async def test_the_default_of_python_3_13_refuses_it(authority: LaxAuthority, host: Host) -> None:
    """Else the other tests here hold nothing."""
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await status_of(host, context)


def test_every_module_that_makes_a_context_decides_how_strict_it_is() -> None:
    """Whoever adds another one decides too."""
    makers = [path for path in PACKAGE.rglob("*.py") if _MAKES_A_CONTEXT.search(path.read_text())]
    assert len(makers) >= 4
    assert [path.name for path in makers if "import check_as_" not in path.read_text()] == ["chainchecks.py"]


async def test_of_a_cluster(authority: LaxAuthority, host: Host) -> None:
    """certificate-authority of a kubeconfig, and ca.crt of a pod."""
    assert await status_of(host, client_context(str(authority.ca_file))) == 200


async def test_of_a_cluster_among_the_system_s_roots(
    authority: LaxAuthority, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kubeconfig without a CA relies on the machine's, where companies add their own; kubectl accepts those too."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    assert await status_of(host, client_context(None)) == 200


CONTEXTS: dict[str, Callable[[LaxAuthority], ssl.SSLContext]] = {
    "certificateAuthority": lambda authority: tls_context(None, authority.ca_pem.decode()),
    "AWS_CA_BUNDLE": lambda authority: tls_context(str(authority.ca_file), None),
}


@pytest.mark.parametrize("source", CONTEXTS)
def test_of_an_s3_server(source: str, authority: LaxAuthority, host: Host) -> None:
    """The store's own CA in the object, and in the operator's environment."""
    transport = S3Transport(CONTEXTS[source](authority), host.url, (2.0, 5.0), 1)
    assert transport.send(AWSRequest("GET", host.url).prepare()).status_code == 200


@pytest.fixture
def google(authority: LaxAuthority, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The session to Cloud Storage of an operator whose environment names the CA."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "https://localhost")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_file))
    return new_session()


def test_of_a_network_that_decrypts_the_traffic_to_google(google: Any, host: Host) -> None:
    """REQUESTS_CA_BUNDLE names the CA, for objects and for tokens."""
    with google, google._auth_request.session:  # the host would wait for open connections
        assert google.get(host.url).status_code == 200
        assert google._auth_request(host.url).status == 200


def test_of_a_proxy_that_decrypts_the_traffic_to_google(google: Any) -> None:
    """Requests makes pools of their own behind a proxy."""
    manager = google.get_adapter("https://storage.googleapis.com").proxy_manager_for("http://proxy.example:3128")
    assert not manager.connection_pool_kw["ssl_context"].verify_flags & ssl.VerifyFlags.VERIFY_X509_STRICT
