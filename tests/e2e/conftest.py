"""The one world of a run: a node of our own, or the cluster that E2E_KUBECONFIG names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.ownworld import own_world
from tests.e2e.world import World
from tests.support.node.node import why_not

_IMAGE = "OIDC_PUBLISHER_IMAGE_ARCHIVE"


def pytest_itemcollected(item: pytest.Item) -> None:
    """A pod takes its time, and a failure waits for several of them."""
    item.add_marker(pytest.mark.timeout(420))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The cluster, the store and its public face."""
    if reason := why_not():
        pytest.skip(reason)
    archive = Path(os.environ.get(_IMAGE, ""))
    if not archive.is_file():
        pytest.skip(f"{_IMAGE} names no archive of the image (make e2e)")
    with own_world(tmp_path_factory.mktemp("e2e"), archive) as world:
        yield world
