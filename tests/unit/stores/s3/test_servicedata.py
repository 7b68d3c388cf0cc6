"""botocore's descriptions of services, read as plain dicts: the same content at a smaller cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader

from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.servicedata import PlainFiles, shared_loader

MODELS = [("s3", "service-2"), ("s3", "endpoint-rule-set-1"), ("sts", "service-2"), ("cloudfront", "service-2")]


@pytest.fixture(autouse=True)
def _no_other_loader() -> None:
    shared_loader.cache_clear()


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in a value."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from mappings(member)
    if isinstance(value, list):
        for item in value:
            yield from mappings(item)


def test_the_session_of_every_client_keeps_plain_dicts() -> None:
    """Ordered ones take 4 MiB more for as long as the process lives."""
    loader = S3Clients().session().core.get_component("data_loader")
    found = [loader.load_service_model(*MODELS[0]), loader.load_data("endpoints")]
    assert {type(each) for each in mappings(found)} == {dict}


def test_sessions_share_what_was_read() -> None:
    """A session that looks for other credentials takes the place of one that may live on for a while."""
    loaders = [S3Clients().session().core.get_component("data_loader") for _ in range(2)]
    assert loaders[0] is loaders[1]


def test_descriptions_of_an_own_folder_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_DATA_PATH is a setting of botocore like any other."""
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    loader = S3Clients().session().core.get_component("data_loader")
    assert loader.search_paths[0] == str(tmp_path)


@pytest.mark.parametrize("model", MODELS, ids="/".join)
def test_a_model_is_what_botocore_reads_in_the_same_order(model: tuple[str, str]) -> None:
    """The order of members is that of requests in XML."""
    ours, theirs = Loader(file_loader=PlainFiles()), Loader()
    assert json.dumps(ours.load_service_model(*model)) == json.dumps(theirs.load_service_model(*model))


def test_data_without_a_service_is_the_same() -> None:
    """The partitions, and the defaults of all clients."""
    for name in ("endpoints", "partitions", "sdk-default-configuration"):
        assert json.dumps(Loader(file_loader=PlainFiles()).load_data(name)) == json.dumps(Loader().load_data(name))


def test_a_file_that_is_not_there_is_nothing(tmp_path: Path) -> None:
    """Then botocore looks in its next folder."""
    assert PlainFiles().load_file(str(tmp_path / "nothing")) is None
