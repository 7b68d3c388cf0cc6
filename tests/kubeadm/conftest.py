"""The one cluster of the run, which goes the whole way from `kubeadm init` on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubeadm.world import Place, made
from tests.support.node.node import why_not
from tests.support.node.sandbox import NodeImpossibleError

#: What hack/e2e hands over: the image's archive, and its name.
_IMAGE = "OIDC_PUBLISHER_E2E_ARCHIVE"
_NAME = "OIDC_PUBLISHER_E2E_IMAGE"


def pytest_itemcollected(item: pytest.Item) -> None:
    """An API server takes half a minute to be replaced by its kubelet, and kubeadm waits for several things."""
    item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A node by `kubeadm init` with key files, the operator, and an issuer that is Ready."""
    if reason := why_not():
        pytest.skip(reason)
    archive = Path(os.environ.get(_IMAGE, ""))
    if not archive.is_file():
        pytest.skip(f"{_IMAGE} names no archive of the image (make e2e-kubeadm)")
    try:
        with made(tmp_path_factory.mktemp("kubeadm"), archive.absolute(), os.environ[_NAME]) as place:
            yield place
    except NodeImpossibleError as error:
        pytest.skip(str(error))
