"""The stage that several files of live tests share in kind; each file has one of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.live.places import emptied
from tests.support.secretscan import leaks
from tests.support.stage import Stage

#: `make image-test` names an image. Elsewhere there is none to test, and a live test that is skipped fails in CI.
collect_ignore = [] if os.environ.get("OIDC_PUBLISHER_IMAGE") else ["test_image.py"]


@pytest.fixture(scope="session", autouse=True)
def no_secret_in_any_log() -> Iterator[None]:
    """Search the log of every operator of the session for private keys, tokens and the secrets that it was given."""
    yield
    found = leaks()
    assert not found, f"secrets in logs: {found}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One API server, S3 and the operator."""
    with Stage(tmp_path_factory.mktemp("stage"), servers=1) as stage:
        stage.apply_crd()
        stage.operator.start()
        yield stage


@pytest.fixture
def stage(running: Stage) -> Iterator[Stage]:
    """The stage, empty before and after."""
    with emptied(running) as stage:
        yield stage
        if not stage.operator.process.running:
            stage.operator.start()
