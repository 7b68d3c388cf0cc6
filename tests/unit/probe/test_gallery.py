"""The gallery of broken issuers: the probe names each fault by its reason, and none where it is gone."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from oidc_publisher.findings import CATALOGUE, ConditionType, Finding, Reason, Severity
from tests.gallery.case import Case, Verdict
from tests.gallery.cases import CASES, CHAPTERS
from tests.gallery.judges import recorded
from tests.gallery.material import Certificates
from tests.gallery.nameserver import NameServer, resolving
from tests.gallery.served import judged, serving, told
from tests.support.loopback import has_ipv6

RECORDS = recorded.read()
#: What takes the probe until its time is over.
_SLOW = {"slow", "trickle", "first-byte-late", "resolver-silent", "handshake-hangs", "connection-hangs"}
_EACH = [pytest.param(case, marks=[pytest.mark.slow] * (name in _SLOW), id=name) for name, case in CASES.items()]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return the certificates of every case."""
    return Certificates(tmp_path_factory.mktemp("gallery"))


@pytest.fixture
def nameserver(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """Answer for the names of the gallery, in place of this machine's resolver."""
    with NameServer() as running:
        monkeypatch.setattr(socket, "getaddrinfo", resolving(running.port))
        for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        yield running


def test_the_gallery_is_complete() -> None:
    """Every reason for which an issuer is not served well has a case, and no two cases have one name.

    That a proxy is in the way says nothing of the issuer: test_proxies.py has those.
    """
    served = {reason for reason, entry in CATALOGUE.items() if entry.condition is ConditionType.SERVED}
    assert served - {Reason.ProxyBreaksTLS, Reason.ProxyNotAllowed} == {case.reason for case in CASES.values()}
    assert len(CASES) == sum(map(len, CHAPTERS.values())) >= 60


@pytest.mark.parametrize("case", _EACH)
async def test_a_fault_is_named_and_heals(case: Case, certificates: Certificates, nameserver: NameServer) -> None:
    """Exactly its reasons, the first one first; nothing when the fault is taken away."""
    if case.needs_ipv6 and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with serving(case, certificates, nameserver) as place:
        case.fault(place)
        findings = (await judged(case, place)).findings
        assert {finding.reason for finding in findings} == case.reasons, [finding.message for finding in findings]
        assert findings[0].reason is case.reason
        assert verdict(findings) is case.verdict
        assert told(case, recorded.messages(findings, place.issuer)) == told(case, RECORDS.cases[case.name].probe)
        place.heal()
        assert (await judged(case, place)).findings == ()


def verdict(findings: tuple[Finding, ...]) -> Verdict:
    """What the findings make of Served."""
    if any(finding.severity is Severity.CRITICAL for finding in findings):
        return Verdict.REFUSED
    return Verdict.UNKNOWN if any(finding.unknown for finding in findings) else Verdict.WARNED
