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

LIVE = """
import pathlib, socket
import pytest

@pytest.mark.live
@pytest.mark.parametrize("port", [443, 6443])
def test_live(port):
    socket.create_server(("10.201.0.11", port)).close()
    if pathlib.Path("/proc/self/status").read_text().split("Uid:")[1].split()[0] != "0":
        assert "CapEff:\\t0000000000000000" in pathlib.Path("/proc/self/status").read_text()
"""
PLAIN = "import sys, pytest; sys.exit(pytest.main())"
# PR_CAPBSET_DROP of CAP_SYS_ADMIN: root may make a network namespace no more; from anybody else it takes nothing.
WITHOUT_RIGHTS = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(24, 21, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "pytest", *sys.argv[1:]])
"""
NO_IPV6 = """
import socket
import pytest

@pytest.mark.live
def test_live():
    with pytest.raises(OSError):
        socket.create_server(("::1", 0), family=socket.AF_INET6)
"""
WITHOUT_IPV6 = """
import os, sys
from tests.support import namespace
namespace.prepare()
namespace._open_network()
if namespace._DISABLE_IPV6.exists():
    namespace._DISABLE_IPV6.write_text("1")
os.execv(sys.executable, [sys.executable, "-m", "pytest", *sys.argv[1:]])
"""
FORBIDDING = """
from tests.support import namespace

def forbidden(flags):
    raise PermissionError(1, "Operation not permitted")

namespace._unshare = forbidden
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


@pytest.mark.live
def test_a_machine_without_ipv6_has_a_namespace_without(tmp_path: Path) -> None:
    """What `localhost` means in the namespace is what it means outside."""
    done = run_case(tmp_path, NO_IPV6, launcher=WITHOUT_IPV6)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.live
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_an_ordinary_user_runs_live_tests(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """unshare(2) refuses a user namespace to a process with threads, as the workers of `make test` are."""
    done = run_case(tmp_path, LIVE, workers=workers, launcher=WITHOUT_RIGHTS)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert "network: a namespace" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_machine_that_forbids_namespaces_is_named(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Each skipped test says what the kernel said to the process that had no threads."""
    (tmp_path / "forbidding.py").write_text(FORBIDDING)
    done = run_case(tmp_path, LIVE, workers=("-p", "forbidding", *workers))
    assert "network: no network namespace: Operation not permitted; live tests are skipped" in done.stdout
    assert re.search(r"SKIPPED \[2\].*: no network namespace: Operation not permitted$", done.stdout, re.MULTILINE)
    assert done.returncode == 0, done.stdout + done.stderr


def run_case(
    folder: Path, case: str, *, workers: tuple[str, ...] = (), launcher: str = PLAIN, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run pytest on one file as it runs on this checkout, outside of this run's namespace's bookkeeping."""
    (folder / "test_case.py").write_text(case)
    (folder / "pytest.ini").write_text(SETTINGS)
    argv = [sys.executable, "-c", launcher, "-rs", "-p", "tests.conftest", *workers, str(folder / "test_case.py")]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OIDC_PUBLISHER_TEST", "PYTEST"))}
    env |= {"CI": "", "PYTHONPATH": str(folder), **environment}
    return subprocess.run(argv, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("in_ci", "outcome"), [("true", "1 failed, 1 skipped"), ("", "2 skipped")])
def test_a_skipped_live_test_fails_in_ci(tmp_path: Path, in_ci: str, outcome: str) -> None:
    """In CI a live test that is skipped is a failure, any other skip is not."""
    done = run_case(tmp_path, LIVE_BUT_SKIPPED, CI=in_ci)
    assert outcome in done.stdout, done.stdout + done.stderr
    assert done.returncode == (1 if in_ci else 0)
