"""The probe behind a real CONNECT proxy: what is the host's, what is the proxy's, and what nobody can see."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from typing import Any

import pytest

from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason
from oidc_publisher.probe import Deadline, Fetched, HTTPSWire
from oidc_publisher.probe.proxies import ProbeProxies, Proxy, environment_proxy
from tests.support.connectproxy import ConnectProxy
from tests.support.hosts import Connection, Host
from tests.support.pki import PKI
from tests.support.processes import free_port

SHORT, LONG = dt.timedelta(seconds=0.5), dt.timedelta(seconds=10)
NAME = "kubernetes.default.svc"  # of the certificates of the tests, and in no DNS


@pytest.fixture(autouse=True)
def no_proxy_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may be behind one."""
    for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def host(pki: PKI) -> Iterator[Host]:
    """A host that only the proxy knows by its name."""
    with Host(pki.serving().server_context()) as one:
        yield one


def known(host: Host) -> tuple[str, dict[str, tuple[str, int]]]:
    """The URL of the host under a name that no resolver has, and the way that the proxy knows."""
    port = int(host.url.rpartition(":")[2].partition("/")[0])
    return f"https://{NAME}:{port}/document", {f"{NAME}:{port}": ("127.0.0.1", port)}


async def fetch(url: str, *, limit: dt.timedelta = LONG, number: int = 0, **settings: Any) -> Fetched:
    async with HTTPSWire(**settings).visit(number) as visit:
        return await visit.get(url, Deadline.after(limit))


async def failure(url: str, *, limit: dt.timedelta = LONG, **settings: Any) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await fetch(url, limit=limit, **settings)
    return caught.value


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_the_proxy_of_the_environment_leads_to_the_host(
    number: int, host: Host, pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each visit: it resolves the name, and where the host is, is its business: a private address is none of ours."""
    url, leads = known(host)
    with ConnectProxy(leads=leads) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        answer = await fetch(url, number=number, certificate_authority=pki.ca_pem.decode())
    assert (answer.status, answer.private_address, answer.address) == (200, "", "")
    assert answer.proxy == f"{proxy.url} (HTTPS_PROXY)"
    assert answer.certificate is not None
    assert set(proxy.tunnels) == set(leads)


async def test_the_proxy_sees_no_request(host: Host, pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS goes through it, so that it gets the host's name and nothing else."""
    url, leads = known(host)
    with ConnectProxy(leads=leads) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        await fetch(url, certificate_authority=pki.ca_pem.decode())
    assert all(b"/document" not in head for head in proxy.heads)


async def test_no_proxy_is_respected(host: Host, pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host is reached directly, and its private address is seen."""
    with ConnectProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "localhost")
        answer = await fetch(host.url, certificate_authority=pki.ca_pem.decode(), allow_private_address=True)
    assert (answer.proxy, proxy.tunnels) == ("", [])
    assert answer.private_address


BYPASSED = {
    "10.1.2.3": ("10.0.0.0/8", True),
    "11.1.2.3": ("10.0.0.0/8", False),
    "oidc.example.test": (".example.test", True),
    "other.test": (".example.test", False),
    "anything.test": ("*", True),
    "[fd00::1]": ("not/a/network,fd00::/8", True),
}


@pytest.mark.parametrize("name", BYPASSED)
def test_no_proxy_has_names_suffixes_and_networks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Go reads it, whose programs share the variables of a pod."""
    entries, bypassed = BYPASSED[name]
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", entries)
    assert (environment_proxy(name) is None) is bypassed


async def test_credentials_reach_the_proxy_and_no_message(
    host: Host, pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the variable; wrong ones are the operator's defect."""
    url, leads = known(host)
    with ConnectProxy(leads=leads, credentials="me:se cret") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//me:se%20cret@"))
        answer = await fetch(url, certificate_authority=pki.ca_pem.decode())
        assert "cret" not in answer.proxy
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//me:other-cret@"))
        error = await failure(url, certificate_authority=pki.ca_pem.decode())
    assert error.reason is Reason.ProbeUnavailable
    assert "asks for credentials" in error.message
    assert "cret" not in error.sentence.replace("secret", "")
    assert "cret" not in repr(environment_proxy("x.test"))


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (502, Reason.ConnectionFailed),
        (503, Reason.ConnectionFailed),
        (504, Reason.ConnectionFailed),
        (403, Reason.ProbeUnavailable),
        (407, Reason.ProbeUnavailable),
        (500, Reason.ProbeUnavailable),
    ],
)
async def test_what_the_proxy_answers_is_told_apart(
    status: int, reason: Reason, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that the proxy does not reach, and a proxy that does not let the operator through."""
    with ConnectProxy(answer=status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = await failure(known(host)[0])
    assert error.reason is reason
    assert "HTTPS_PROXY" in error.message


async def test_a_host_that_is_down_behind_the_proxy_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """As squid answers."""
    with ConnectProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = await failure(f"https://localhost:{free_port()}/document")
    assert error.reason is Reason.ConnectionFailed


async def test_a_proxy_that_is_not_there_is_the_operator_s_defect(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said about the issuer."""
    for url in (f"http://127.0.0.1:{free_port()}", "http://proxy.example.invalid:3128"):
        monkeypatch.setenv("HTTPS_PROXY", url)
        error = await failure(host.url)
        assert (error.reason, "The" in error.message) == (Reason.ProbeUnavailable, True)


async def test_a_tunnel_that_does_not_come_in_time_is_no_connection(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the proxy, because either may hang."""
    with ConnectProxy(silent=True) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = await failure(host.url, limit=SHORT)
    assert (error.reason, "is not reached by the proxy" in error.message) == (Reason.ConnectionFailed, True)


async def test_a_proxy_that_breaks_tls_has_a_name(
    host: Host, pki: PKI, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own CA stands in the chain, and nobody sees the host's certificate."""
    url, leads = known(host)
    breaker = PKI(tmp_path_factory.mktemp("breaker"))
    opens = breaker.serving().server_context()
    with ConnectProxy(leads=leads, opens=opens, trusts=pki.client_context()) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = await failure(url, certificate_authority=pki.ca_pem.decode())
    assert error.reason is Reason.ProxyBreaksTLS
    assert "is not trusted" in error.message
    assert error.finding().unknown


async def test_a_proxy_whose_ca_the_machine_trusts_is_seen_all_the_same(
    host: Host, pki: PKI, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documents are read, and what they are worth is told: no public CA issued that certificate."""
    url, leads = known(host)
    breaker = PKI(tmp_path_factory.mktemp("breaker"))
    monkeypatch.setenv("SSL_CERT_FILE", str(breaker.ca_file))
    opens = breaker.serving().server_context()
    with ConnectProxy(leads=leads, opens=opens, trusts=pki.client_context()) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        answer = await fetch(url)
    assert (answer.status, answer.body) == (200, b"{}")
    assert "which this machine trusts and the public does not" in answer.opened_tls


async def test_a_ca_that_was_given_is_the_host_s_own(host: Host, pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """So no proxy is suspected."""
    url, leads = known(host)
    with ConnectProxy(leads=leads) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert (await fetch(url, certificate_authority=pki.ca_pem.decode())).opened_tls == ""


def a_page_that_blocks(connection: Connection, _: bytes) -> None:
    """Answer what is a TLS hello, once it is read: closed before that, the connection would be reset."""
    connection.raw.recv(65536)
    connection.send(b"HTTP/1.1 200 OK\r\n\r\nblocked")


async def test_what_answers_in_the_tunnel_without_tls_is_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that blocks, for example."""
    with Host(None, a_page_that_blocks) as page:
        url, leads = known(page)
        with ConnectProxy(leads=leads) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            error = await failure(url)
    assert error.reason is Reason.ProxyBreaksTLS


async def test_a_private_address_in_the_url_is_refused_behind_a_proxy_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to resolve, so the rule holds; the proxy is not asked."""
    with ConnectProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = await failure("https://10.1.2.3/document")
    assert (error.reason, proxy.tunnels) == (Reason.PrivateAddress, [])


@pytest.mark.parametrize("text", ["socks5://proxy:1080", "http://", "https://proxy:3128"])
async def test_a_variable_that_names_no_http_proxy_is_the_operator_s_defect(
    text: str, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never passed over in silence."""
    monkeypatch.setenv("HTTPS_PROXY", text)
    error = await failure(host.url, allow_private_address=True)
    assert (error.reason, error.message) == (Reason.ProbeUnavailable, "HTTPS_PROXY names no HTTP proxy")


# --- a proxy that an object names ---------------------------------------------------------------------------------------


def test_an_object_names_no_proxy_that_the_operator_was_not_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes it would choose where the operator connects to, the metadata service among them."""
    with pytest.raises(FetchError) as caught:
        ProbeProxies().named_in("http://169.254.169.254:80")
    assert caught.value.reason is Reason.ProxyNotAllowed
    assert "--probe-proxy http://169.254.169.254:80" in caught.value.hint
    assert caught.value.finding().stalled
    proxies = ProbeProxies.listed(("http://proxy.example.com:3128",))
    assert proxies.named_in("http://proxy.example.com:3128").url == "http://proxy.example.com:3128"
    with pytest.raises(FetchError):
        proxies.named_in("http://proxy.example.com:3129")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example.net:8080")
    assert ProbeProxies().named_in("http://proxy.example.net:8080").user == ""
    assert os.environ["HTTPS_PROXY"]


async def test_the_proxy_of_the_object_outweighs_the_environment_s(
    host: Host, pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY included: the object is about one host."""
    url, leads = known(host)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", "*")
    with ConnectProxy(leads=leads) as proxy:
        chosen = Proxy.of(proxy.url, "spec.probe.proxyURL")
        answer = await fetch(url, certificate_authority=pki.ca_pem.decode(), proxy=chosen)
    assert answer.proxy == f"{proxy.url} (spec.probe.proxyURL)"
