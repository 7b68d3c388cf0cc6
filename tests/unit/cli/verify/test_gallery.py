"""`oidc-publisher verify` gives the gallery's reasons, and an exit code that says the same."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from oidc_publisher.cli import main
from tests.gallery.case import Case, Verdict
from tests.gallery.cases import CASES
from tests.gallery.material import Certificates
from tests.gallery.nameserver import NameServer, resolving
from tests.gallery.served import serving
from tests.support.loopback import has_ipv6

pytestmark = pytest.mark.slow

EXIT_CODES = {Verdict.REFUSED: 1, Verdict.WARNED: 0, Verdict.UNKNOWN: 2}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return the certificates of every case."""
    return Certificates(tmp_path_factory.mktemp("gallery"))


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Path:
    """Return the file of --ca."""
    path = tmp_path_factory.mktemp("roots") / "roots.pem"
    path.write_text(certificates.trusted_pem)
    return path


@pytest.fixture
def nameserver(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """Answer for the names of the gallery, in place of this machine's resolver."""
    with NameServer() as running:
        monkeypatch.setattr(socket, "getaddrinfo", resolving(running.port))
        for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        yield running


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_verify_gives_the_reason(
    case: Case,
    certificates: Certificates,
    roots: Path,
    nameserver: NameServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exactly those that a reader can know who does not know what was published."""
    if case.needs_ipv6 and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with serving(case, certificates, nameserver) as place:
        case.fault(place)
        settings = {"allowPrivateAddress": True, "relyingParties": ["Kubernetes"], **place.settings}
        arguments = ["--ca", str(roots), f"--timeout={case.timeout_s:g}s", "-o", "json"]
        arguments += [f"--for={','.join(party.lower() for party in settings['relyingParties'])}"]
        arguments += ["--allow-private-address"] * bool(settings["allowPrivateAddress"])
        with pytest.raises(SystemExit) as ended:
            main(["verify", place.issuer, *arguments])
    page = json.loads(capsys.readouterr().out)
    reasons = case.reasons if case.without_plan is None else case.without_plan
    assert {finding["reason"] for finding in page["findings"]} == reasons, page["findings"]
    if case.without_plan is None:
        assert ended.value.code == EXIT_CODES[case.verdict]
