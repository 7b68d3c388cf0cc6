"""OIDCIssuers as they are read: defaults, names, rules, and refusals that give nothing away."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import ValidationError

from oidc_publisher.api import (
    AddressingStyle,
    Adoption,
    APIServerSourceSpec,
    ConfigMapSourceSpec,
    DeletionPolicy,
    GCSStoreSpec,
    InvalidObjectError,
    KeySourceSpec,
    RelyingParty,
    S3StoreSpec,
    read_issuer,
)
from oidc_publisher.api.common import wire_name
from tests.api_objects import BadObject, bad_objects, good_objects

GOOD, BAD = good_objects(), bad_objects()


def _smallest(**members: Any) -> dict[str, Any]:
    document = copy.deepcopy(GOOD["smallest"])
    document["spec"] |= members
    return document


def _refusal(document: Any) -> InvalidObjectError:
    with pytest.raises(InvalidObjectError) as caught:
        read_issuer(document)
    return caught.value


@pytest.mark.parametrize("name", GOOD)
def test_a_good_object_is_read(name: str) -> None:
    """What the API server accepts is understood here as well."""
    assert read_issuer(GOOD[name]).metadata.name == name


@pytest.mark.parametrize("bad", [b for b in BAD.values() if not b.accepted_offline], ids=lambda b: b.name)
def test_a_bad_object_is_refused(bad: BadObject) -> None:
    """What the API server refuses is refused here too, and no line of a pasted key is repeated."""
    error = _refusal(bad.document)
    assert error.reason == "SpecUnsupported"
    assert not error.retryable
    assert "kubectl explain" in error.hint
    assert "dGhpcyBpcyBub3Qg" not in f"{error!r} {error} {error.__cause__}"


@pytest.mark.parametrize("bad", [b for b in BAD.values() if b.expect.startswith("must ")], ids=lambda b: b.name)
def test_a_broken_rule_is_told_in_the_same_words(bad: BadObject) -> None:
    """The rules are written once, so that offline and online say the same sentence."""
    if not bad.expect.startswith("must be of type"):
        assert bad.expect in str(_refusal(bad.document))


def test_the_smallest_object_has_every_default() -> None:
    """The defaults are those of the design."""
    spec = read_issuer(GOOD["smallest"]).spec
    assert spec.jwks_path == "openid/v1/jwks"
    assert spec.key_sources == (KeySourceSpec(name="default", api_server=APIServerSourceSpec()),)
    assert spec.interval == timedelta(minutes=1)
    assert spec.cache_max_age == timedelta(minutes=5)
    assert spec.rotation.pre_publish_period == spec.rotation.max_token_lifetime == timedelta(hours=24)
    assert spec.rotation.clock_skew == timedelta(minutes=5)
    assert spec.rotation.withdrawn_key_ids == ()
    assert spec.probe.timeout == timedelta(seconds=5)
    assert spec.probe.audiences == ("sts.amazonaws.com",)
    assert spec.probe.relying_parties == (RelyingParty.AWS,)
    assert not spec.probe.allow_private_address
    assert spec.adoption is Adoption.REFUSE
    assert spec.deletion_policy is DeletionPolicy.RETAIN
    assert not spec.suspend
    assert isinstance(spec.store.selected, S3StoreSpec)
    assert spec.store.selected.addressing_style is AddressingStyle.AUTO


def test_everything_that_is_set_is_read() -> None:
    """Every member arrives, under its Python name and type."""
    issuer = read_issuer(GOOD["everything-s3"])
    store, spec = issuer.spec.store.selected, issuer.spec
    assert isinstance(store, S3StoreSpec)
    assert store.cloud_front is not None
    assert store.cloud_front.distribution_id == "E1ABCDEF"
    assert store.endpoint_url == "https://s3.example.com:9000/base"
    assert store.expected_bucket_owner == "123456789012"
    assert store.addressing_style is AddressingStyle.PATH
    assert store.certificate_authority is not None
    assert [type(source.selected).__name__ for source in spec.key_sources] == [
        "APIServerSourceSpec",
        "ConfigMapSourceSpec",
        "SecretSourceSpec",
        "FilesSourceSpec",
    ]
    assert spec.cache_max_age == timedelta(minutes=90)
    assert spec.probe.relying_parties == tuple(RelyingParty)
    assert issuer.reconcile_requested_at == "2026-01-31T12:00:00Z"


def test_the_other_store_is_selected() -> None:
    """`selected` is the member that is set."""
    assert isinstance(read_issuer(GOOD["gcs"]).spec.store.selected, GCSStoreSpec)


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("issuer_url", "issuerURL"),
        ("jwks_uri", "jwksURI"),
        ("jwks_path", "jwksPath"),
        ("key_id", "keyID"),
        ("signing_key_ids", "signingKeyIDs"),
        ("withdrawn_key_ids", "withdrawnKeyIDs"),
        ("distribution_id", "distributionID"),
        ("api_server", "apiServer"),
        ("s3", "s3"),
        ("uid", "uid"),
        ("last_handled_reconcile_at", "lastHandledReconcileAt"),
    ],
)
def test_names_on_the_wire(attribute: str, name: str) -> None:
    """Acronyms are in capitals, as Kubernetes writes them."""
    assert wire_name(attribute) == name


def test_what_a_newer_version_added_is_ignored() -> None:
    """An unknown member does no harm to an operator of this version."""
    document = _smallest(canaries=[{"audience": "x"}])
    document["spec"]["store"]["s3"]["acl"] = "none"
    assert read_issuer(document).spec == read_issuer(GOOD["smallest"]).spec


def test_any_mapping_is_read() -> None:
    """Frameworks hand out views of objects, not dicts."""
    document = GOOD["smallest"]
    view = MappingProxyType(document | {"spec": MappingProxyType(document["spec"])})
    assert read_issuer(view) == read_issuer(document)


def test_an_issuer_is_frozen_and_its_sources_are_values() -> None:
    """A source equals another one by its whole entry, so that an edit is seen."""
    one, other = read_issuer(GOOD["several-sources"]), read_issuer(GOOD["several-sources"])
    assert set(one.spec.key_sources) == set(other.spec.key_sources)
    with pytest.raises(ValidationError):
        one.spec.suspend = True  # type: ignore[misc]


def test_all_problems_are_named_at_once() -> None:
    """Each with its path as the API server writes it."""
    document = _smallest(interval="1d", keySources=[{"name": "a", "configMap": {"namespace": "x"}}], suspend="yes")
    document["spec"]["issuerURL"] = "http://a.example"
    text = str(_refusal(document))
    assert "spec.issuerURL: must start with https:// (lower case)" in text
    assert "spec.keySources[0].configMap.name: is required" in text
    assert "spec.interval: must be a duration" in text
    assert "spec.suspend: must be true or false" in text
    assert "entries" not in text


def test_a_rule_about_an_object_blames_the_member() -> None:
    """As the API server's fieldPath does."""
    document = _smallest()
    document["spec"]["store"]["s3"]["certificateAuthority"] = "-----BEGIN CERTIFICATE-----"
    assert "spec.store.s3.certificateAuthority: certificateAuthority needs endpointURL" in str(_refusal(document))


def test_the_subject_is_the_name_if_it_is_one() -> None:
    """A finding about the object names it; something that is no name is not repeated."""
    assert _refusal(_smallest(interval="x")).subject == "smallest"
    assert _refusal(_smallest(interval="x") | {"metadata": {"name": "secret\n" * 9}}).subject == ""


@pytest.mark.parametrize(
    "document",
    [None, [], "text", {}, {"metadata": None}, {"kind": "ConfigMap", "metadata": {"name": "x"}, "spec": {}}],
)
def test_something_else_is_refused(document: Any) -> None:
    """Not an object, or an object of another kind."""
    assert _refusal(document).reason == "SpecUnsupported"


@pytest.mark.parametrize(
    "pattern", [r"(a)\1", "(?=a)", "(?!a)", "(?>a)", "(?P<x>a)(?P=x)", "(?P<x>a)?(?(x)b|c)", "a**", "("]
)
def test_patterns_beyond_re2_are_refused(pattern: str) -> None:
    """What only Python's expressions can do is refused offline as well."""
    source = {"configMap": {"namespace": "n", "name": "c", "entryPattern": pattern}}
    assert "must be a regular expression (RE2 syntax)" in str(_refusal(_smallest(keySources=[source])))


def test_a_default_pattern_is_kept() -> None:
    """A ConfigMap's entries are all read when nothing else is said."""
    (source,) = read_issuer(GOOD["without-api-server"]).spec.key_sources
    assert isinstance(source.selected, ConfigMapSourceSpec)
    assert source.selected.entry_pattern == ".*"


def test_metadata_is_read() -> None:
    """Times are aware UTC."""
    document = _smallest()
    document["metadata"] |= {"uid": "u", "generation": 3, "deletionTimestamp": "2026-01-31T12:00:00Z", "labels": None}
    metadata = read_issuer(document).metadata
    assert (metadata.uid, metadata.generation) == ("u", 3)
    assert metadata.deletion_timestamp == datetime(2026, 1, 31, 12, tzinfo=UTC)
