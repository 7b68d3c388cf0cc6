"""Puts the test run into a network namespace and decides what becomes of live tests where that is impossible."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import examples, namespace
from tests.support.fixtures import control_plane, edge, gcs, moto, pki, s3

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["control_plane", "edge", "gcs", "moto", "pki", "s3"]

LIVE_FOLDER = Path(__file__).parent / "live"
E2E_FOLDER = Path(__file__).parent / "e2e"
KUBEADM_FOLDER = Path(__file__).parent / "kubeadm"
#: A node takes root, an image and gigabytes that no other test needs: hack/e2e asks for these tests.
collect_ignore = [] if os.environ.get("OIDC_PUBLISHER_E2E") else [str(E2E_FOLDER), str(KUBEADM_FOLDER)]
#: What these run of the product in their own process says nothing of what the tests of its parts hold.
_NOT_MEASURED = (f"{LIVE_FOLDER}{os.sep}", f"{Path(__file__).parent / 'testbed'}{os.sep}")
_LIVE = tuple(f"{folder}{os.sep}" for folder in (LIVE_FOLDER, E2E_FOLDER, KUBEADM_FOLDER))
_HANDED_ON = "why_not_live"
_WHY_NOT_LIVE = pytest.StashKey[str]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Enter the namespace before anything is imported, resolved or started; each worker has one of its own."""
    # Thousands of collected tests stay alive, and each collection of garbage would walk over all of them: a fifth of the CPU.
    gc.set_threshold(200_000, 50, 1000)
    namespace.clean_environment()
    if os.environ.get("OIDC_PUBLISHER_E2E") == "existing":
        return  # that cluster is elsewhere
    if why_not := _enter_namespace(config):
        config.stash[_WHY_NOT_LIVE] = why_not
    examples.load_profile()


def pytest_collection_finish() -> None:
    """Keep what was collected out of collections of garbage: pytest's own at the end walk over all objects for a second."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker why it cannot enter a namespace: what it would find out itself has its threads for a cause."""
    node.workerinput[_HANDED_ON] = node.config.stash.get(_WHY_NOT_LIVE, None)


def pytest_report_header(config: pytest.Config) -> str:
    """Say where the run takes place."""
    if reason := config.stash.get(_WHY_NOT_LIVE, None):
        return f"network: {reason}; live tests are {_consequence()}"
    return f"network: a namespace {'for each worker' if _only_hands_out(config) else 'of our own'}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that hands out the tests why this one could not run the live ones."""
    output = getattr(session.config, "workeroutput", None)
    reason = session.config.stash.get(_WHY_NOT_LIVE, None)
    if output is not None:
        output["why_not_live"] = reason
    elif reason:
        _take_the_floor_out(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hold the floor of the coverage only where the contract tests had their servers."""
    if getattr(node, "workeroutput", {}).get("why_not_live"):
        _take_the_floor_out(node.config)


def _take_the_floor_out(config: pytest.Config) -> None:
    measuring = config.pluginmanager.getplugin("_cov")
    if measuring is not None:
        measuring.options.cov_fail_under = 0


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark everything below tests/live, tests/e2e and tests/kubeadm as live, and what does not count for the coverage."""
    path = str(item.path)
    if path.startswith(_LIVE):
        item.add_marker(pytest.mark.live)
    if path.startswith(_NOT_MEASURED):
        item.add_marker(pytest.mark.no_cover)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip live tests where there is no namespace."""
    reason = item.config.stash.get(_WHY_NOT_LIVE, None)
    if reason and _is_live(item):
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped live test into a failure in CI, where nobody reads the list of skips."""
    report = yield
    if report.skipped and _in_ci() and _is_live(item) and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.longrepr = f"a live test may not be skipped in CI: {reason}"
    return report


def _enter_namespace(config: pytest.Config) -> str | None:
    """Enter as far as this process has to; returns why it cannot."""
    worker = getattr(config, "workerinput", None)
    if worker is not None and worker[_HANDED_ON]:
        return str(worker[_HANDED_ON])
    try:
        if worker is None:
            namespace.prepare()
        if not _only_hands_out(config):
            namespace.enter()
    except namespace.NamespaceImpossibleError as error:
        return str(error)
    return None


def _only_hands_out(config: pytest.Config) -> bool:
    """Whether this process runs no test itself: its workers do (pytest -n)."""
    return config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")


def _is_live(item: pytest.Item) -> bool:
    return item.get_closest_marker("live") is not None


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"


def _consequence() -> str:
    return "failed" if _in_ci() else "skipped"
