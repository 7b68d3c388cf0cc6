"""The test run has a network of its own, and skipping live tests does not go unnoticed in CI."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import namespace

REPOSITORY = Path(__file__).parents[2]
LIVE_BUT_SKIPPED = """
import pytest

@pytest.mark.live
def test_live():
    pytest.skip("no kernel")

def test_other():
    pytest.skip("no reason")
"""

SETTINGS = """
[pytest]
markers = live: needs real servers
asyncio_default_fixture_loop_scope = function
"""


@pytest.mark.live
@pytest.mark.parametrize("address", [namespace.NODE_ADDRESS, *namespace.SERVER_ADDRESSES, "127.0.0.1"])
def test_our_addresses_are_there(address: str) -> None:
    """A server can listen on each address, on a well-known port, whoever runs the tests."""
    with (
        socket.create_server((address, 80)) as server,
        socket.create_connection((address, 80), timeout=2) as client,
    ):
        assert client.getpeername() == server.getsockname()


@pytest.mark.live
def test_there_is_no_way_out() -> None:
    """Nothing outside can be reached, not even by accident."""
    with pytest.raises(OSError, match="unreachable"):
        socket.create_connection(("192.0.2.1", 443), timeout=2)


def test_the_environment_is_clean() -> None:
    """Nothing redirects trust, credentials or requests."""
    names = [name for name in os.environ if re.search(r"(?i)^AWS_|_PROXY$|CA_BUNDLE$|^SSL_CERT|^KUBECONFIG$", name)]
    assert names == ["AWS_EC2_METADATA_DISABLED"]


@pytest.mark.parametrize(("in_ci", "outcome"), [("true", "1 failed, 1 skipped"), ("", "2 skipped")])
def test_a_skipped_live_test_fails_in_ci(tmp_path: Path, in_ci: str, outcome: str) -> None:
    """In CI a live test that is skipped is a failure, any other skip is not."""
    case = tmp_path / "test_case.py"
    case.write_text(LIVE_BUT_SKIPPED)
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    argv = [sys.executable, "-m", "pytest", "-p", "tests.conftest", str(case)]
    done = subprocess.run(
        argv, cwd=REPOSITORY, env=os.environ | {"CI": in_ci}, capture_output=True, text=True, check=False, timeout=60
    )
    assert outcome in done.stdout, done.stdout + done.stderr
    assert done.returncode == (1 if in_ci else 0)
