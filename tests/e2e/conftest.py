"""The one world of a run: a node of our own, or the cluster that E2E_KUBECONFIG names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.anyworld import any_world
from tests.e2e.ownworld import own_world
from tests.e2e.world import World
from tests.support.node.node import why_not
from tests.support.node.sandbox import NodeImpossibleError

#: What hack/e2e hands over: the image's archive, and its name.
_IMAGE = "OIDC_PUBLISHER_E2E_ARCHIVE"
_NAME = "OIDC_PUBLISHER_E2E_IMAGE"
#: The tests are on a cluster that somebody else runs (make e2e-kind).
EXISTING = os.environ.get("OIDC_PUBLISHER_E2E") == "existing"


def pytest_itemcollected(item: pytest.Item) -> None:
    """A pod takes its time, and a failure waits for several of them."""
    item.add_marker(pytest.mark.timeout(420))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, elsewhere than on a node of our own, what is about that node or restarts API servers with other keys."""
    ours = [item for item in items if EXISTING and item.get_closest_marker("own_node")]
    if ours:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The cluster, the store and its public face."""
    folder = tmp_path_factory.mktemp("e2e")
    if EXISTING:
        with any_world(folder, Path(os.environ["E2E_KUBECONFIG"]), os.environ[_NAME]) as world:
            yield world
        return
    if reason := why_not():
        pytest.skip(reason)
    archive = Path(os.environ.get(_IMAGE, ""))
    if not archive.is_file():
        pytest.skip(f"{_IMAGE} names no archive of the image (make e2e)")
    with contextlib.ExitStack() as stack:
        try:
            world = stack.enter_context(own_world(folder, archive, os.environ[_NAME]))
        except NodeImpossibleError as error:
            pytest.skip(str(error))
        yield world
