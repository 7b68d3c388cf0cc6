"""`verify oidci/NAME` reads with the settings of the object, and options are above them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.apistub import APIStub, says
from tests.support.commands import PATH, call
from tests.support.connectproxy import ConnectProxy
from tests.support.issuerhost import IssuerHost
from tests.support.pki import PKI
from tests.support.statuses import issuer_object

Verify = Callable[..., tuple[int, Any]]


@pytest.fixture
def issuer(pki: PKI) -> Iterator[IssuerHost]:
    """A healthy issuer."""
    with IssuerHost(pki) as host:
        yield host


@pytest.fixture
def verify(issuer: IssuerHost, pki: PKI, api: APIStub, kubeconfig: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    """Run verify for an object with these settings of its probe; its exit code and its JSON."""
    del kubeconfig

    def run(*arguments: str, **probe: Any) -> tuple[int, Any]:
        known = issuer_object(keys=[])
        known["spec"] |= {
            "issuerURL": issuer.url,
            "probe": {
                "relyingParties": ["Kubernetes"],
                "allowPrivateAddress": True,
                "certificateAuthority": pki.ca_pem.decode(),
                **probe,
            },
        }
        api.on("GET", PATH, says(known))
        code = call("verify", "oidci/prod", "-o", "json", *arguments)
        return code, json.loads(capsys.readouterr().out)

    return run


def test_the_proxy_of_the_object_is_used(verify: Verify, issuer: IssuerHost) -> None:
    """It may be the only way; whoever stands elsewhere goes past it with --resolve."""
    with ConnectProxy() as proxy:
        code, page = verify(proxyURL=proxy.url)
        assert (code, page["hosts"][0]["proxy"]) == (0, f"{proxy.url} (spec.probe.proxyURL)")
        assert set(proxy.tunnels) == {f"localhost:{issuer.host.port}"}
        proxy.tunnels.clear()
        code, page = verify("--resolve", "localhost=127.0.0.1", proxyURL=proxy.url)
        assert (code, page["hosts"][0].get("proxy"), proxy.tunnels) == (0, None, [])


@pytest.mark.slow
def test_a_timeout_that_is_given_is_the_one_that_counts(verify: Verify, issuer: IssuerHost) -> None:
    """That of the object is for who gives none."""
    issuer.delay = lambda: 1.2
    code, page = verify(timeout="1s")
    assert (code, page["findings"][0]["reason"]) == (1, "TooSlow")
    code, page = verify("--timeout=30s", timeout="1s")
    assert (code, [finding["severity"] for finding in page["findings"]]) == (0, ["Warning"])
