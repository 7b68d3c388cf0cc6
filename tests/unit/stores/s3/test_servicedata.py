"""botocore's descriptions of services, read as plain dicts: what is needed of them, the same at a smaller cost."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.credentials
import botocore.tokens
import pytest
from botocore.loaders import Loader

from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.servicedata import ASKED, PlainFiles, shared_loader

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
def test_a_model_is_what_botocore_reads_in_the_same_order_without_its_texts(model: tuple[str, str]) -> None:
    """The order of members is that of requests in XML."""
    ours, theirs = Loader(file_loader=PlainFiles()), Loader()
    expected = theirs.load_service_model(*model)
    for each in mappings(expected):
        if isinstance(each.get("documentation"), str):
            each["documentation"] = ""
    assert json.dumps(ours.load_service_model(*model)) == json.dumps(expected)


def test_a_member_of_a_service_may_be_called_documentation(tmp_path: Path) -> None:
    """Only a text is one for people."""
    shape = {"members": {"documentation": {"shape": "Text", "documentation": "What it is."}}}
    (tmp_path / "service-2.json").write_text(json.dumps(shape))
    found = PlainFiles().load_file(str(tmp_path / "service-2"))
    assert found == {"members": {"documentation": {"shape": "Text", "documentation": ""}}}


def test_partitions_are_the_same_but_for_services_that_nobody_asks() -> None:
    """Of what is left, and of everything beside it, nothing differs."""
    expected = Loader().load_data("endpoints")
    for partition in expected["partitions"]:
        partition["services"] = {name: each for name, each in partition["services"].items() if name in ASKED}
    assert json.dumps(Loader(file_loader=PlainFiles()).load_data("endpoints")) == json.dumps(expected)


@pytest.mark.parametrize("service", ["s3", "cloudfront", "sts", "sso", "sso-oidc", "signin"])
def test_every_service_that_may_be_asked_has_its_endpoints(service: str) -> None:
    """A profile of IAM Identity Center asks two of them, one of `aws login` another; their names there differ."""
    assert Loader().load_service_model(service, "service-2")["metadata"]["endpointPrefix"] in ASKED


def test_botocore_searches_credentials_at_no_other_service() -> None:
    """Who takes a newer botocore reads here which service its search asks besides."""
    source = "".join(inspect.getsource(module) for module in (botocore.credentials, botocore.tokens))
    named = re.findall(r"client_creator\(\s*'([^']+)'|create_nested_client\([^,]+,\s*[\"']([^\"']+)", source)
    assert {first or second for first, second in named} == {"signin", "sso", "sso-oidc", "sts"}


def test_data_without_a_service_is_the_same() -> None:
    """Suffixes of host names, and the defaults of all clients."""
    for name in ("partitions", "sdk-default-configuration"):
        assert json.dumps(Loader(file_loader=PlainFiles()).load_data(name)) == json.dumps(Loader().load_data(name))


def test_a_file_that_is_not_there_is_nothing(tmp_path: Path) -> None:
    """Then botocore looks in its next folder."""
    assert PlainFiles().load_file(str(tmp_path / "nothing")) is None
