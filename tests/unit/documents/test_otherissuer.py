"""Merge takes over only documents whose discovery names our issuer byte for byte and our jwks_uri (R9)."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import pytest

from oidc_publisher.api import Adoption
from oidc_publisher.documents import (
    StoredDocuments,
    discovery_document,
    jwks_document,
)
from oidc_publisher.documents.otherissuer import mismatch
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.ownership import (
    Place,
    Standing,
    Stored,
    refusal,
    stored_reading,
)
from oidc_publisher.rotation import StoreState
from tests.support.builders import public_key, stored_document

ISSUER, PATH = "https://oidc.example.com/prod", "openid/v1/jwks"
OURS = f"{ISSUER}/{PATH}"
KEY = public_key()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def theirs(issuer: str = ISSUER, uri: str = OURS) -> StoredDocuments:
    """Documents of somebody else; the key set at our path is there."""
    return StoredDocuments(
        stored_document(discovery_document(issuer, uri, ["RS256"])), stored_document(jwks_document([KEY]))
    )


def at(adoption: Adoption) -> Place:
    """Our place, where we have never written."""
    return Place("s3://abc", "uid/prod", known=False, adoption=adoption, issuer_url=ISSUER, jwks_path=PATH)


def refused(adoption: Adoption, documents: StoredDocuments) -> Finding:
    """The finding for which nothing is written."""
    found = refusal(Stored(at(adoption), documents))
    assert found is not None
    return found


SLASH = theirs(f"{ISSUER}/")
CCOCTL = theirs(uri=f"{ISSUER}/keys.json")


@pytest.mark.parametrize("documents", [SLASH, CCOCTL, theirs(ISSUER.upper()), theirs(uri="https://other.example/jwks")])
def test_merge_writes_nothing_over_another_issuer_or_another_key_set_path(documents: StoredDocuments) -> None:
    """Every live token would be refused from then on: `iss` and the keys would be others'."""
    assert Stored(at(Adoption.MERGE), documents).standing is Standing.ANOTHER_ISSUER
    assert stored_reading(Stored(at(Adoption.MERGE), documents)).state is StoreState.FOREIGN
    assert refused(Adoption.MERGE, documents).reason is Reason.DocumentsOfAnotherIssuer


def test_the_finding_shows_both_strings_and_the_field_of_a_new_object() -> None:
    """A slash at the end is seen only where both stand side by side."""
    said = refused(Adoption.MERGE, SLASH).sentence
    assert f'their issuer is "{ISSUER}/" and spec.issuerURL is "{ISSUER}"' in said
    assert f"create it again with spec.issuerURL: {ISSUER}/ and spec.adoption: Merge" in said
    assert "jwks_uri" not in said, "the key set's URL is the same with a slash and without"
    said = refused(Adoption.MERGE, CCOCTL).sentence
    assert f'their jwks_uri is "{ISSUER}/keys.json" and this issuer\'s is "{OURS}"' in said
    assert "create it again with spec.jwksPath: keys.json and spec.adoption: Merge" in said


def test_both_fields_are_named_where_both_differ() -> None:
    """An issuer of another name whose documents lie in this bucket."""
    other = "https://old.example.com"
    said = refused(Adoption.MERGE, theirs(other, f"{other}/keys.json")).advice
    assert f"spec.issuerURL: {other} and spec.jwksPath: keys.json and spec.adoption" in said


@pytest.mark.parametrize(
    "uri", ["https://other.example/jwks", f"{ISSUER}/a b", f"{ISSUER}/.well-known/openid-configuration"]
)
def test_no_field_is_named_where_none_would_fit(uri: str) -> None:
    """A key set elsewhere, or at a path that the field does not take."""
    said = refused(Adoption.MERGE, theirs(uri=uri)).sentence
    assert "create it again" not in said
    assert "Replace" in said


def test_refuse_says_the_field_too() -> None:
    """Else one would choose Merge first, and be refused again."""
    found = refused(Adoption.REFUSE, CCOCTL)
    assert found.reason is Reason.DocumentsNotOurs
    assert "spec.jwksPath: keys.json" in found.advice
    assert "spec.jwksPath" not in refused(Adoption.REFUSE, theirs()).sentence


def test_replace_may_and_merge_may_where_everything_fits() -> None:
    """Whoever says Replace says that nobody uses them; and a key set alone was never used by anybody."""
    assert Stored(at(Adoption.REPLACE), SLASH).standing is Standing.REPLACE
    assert Stored(at(Adoption.MERGE), theirs()).standing is Standing.MERGE
    alone = StoredDocuments(None, stored_document(jwks_document([KEY])))
    assert Stored(at(Adoption.MERGE), alone).standing is Standing.MERGE


def test_a_discovery_document_that_nobody_can_read_is_not_merged() -> None:
    """An error page in its place names no issuer at all."""
    page = StoredDocuments(stored_document(b"<html></html>"), stored_document(jwks_document([KEY])))
    assert "their discovery document is an HTML page" in refused(Adoption.MERGE, page).message


def test_what_is_ours_is_not_asked_for_its_issuer() -> None:
    """Our own documents with drift in the discovery document: they are repaired."""
    drifted = StoredDocuments(
        stored_document(discovery_document(f"{ISSUER}/", OURS, []), "uid/prod"),
        stored_document(jwks_document([KEY]), "uid/prod"),
    )
    assert Stored(at(Adoption.MERGE), drifted).standing is Standing.OURS


def test_a_slash_at_the_end_of_ours_is_no_difference_of_the_key_sets_path() -> None:
    """jwks_uri is the same for both."""
    found = mismatch(f"{ISSUER}/", PATH, theirs())
    assert found is not None
    assert found.fields == (f"spec.issuerURL: {ISSUER}",)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (gzip.compress(jwks_document([KEY])), "is compressed with gzip"),
        (b"\xef\xbb\xbf" + jwks_document([KEY]), "begins with a BOM"),
        (jwks_document([KEY]).replace(b'"use":"sig"', b'"use":"sig","use":"sig"'), 'has the member "use" twice'),
        (jwks_document([KEY]) + b" " * 65536, "is larger than 64 KiB"),
    ],
    ids=["gzip", "BOM", "twice", "large"],
)
def test_merge_writes_nothing_over_a_key_set_that_it_cannot_read(body: bytes, why: str) -> None:
    """Some relying parties read it: "0 of their keys stay published" would refuse every live token."""
    documents = StoredDocuments(theirs().discovery, stored_document(body))
    found = refused(Adoption.MERGE, documents)
    assert found.reason is Reason.DocumentsOfAnotherIssuer
    assert f"their key set {why}" in found.sentence
    assert "Replace" in found.advice
    assert Stored(at(Adoption.REPLACE), documents).standing is Standing.REPLACE
    assert refusal(Stored(at(Adoption.MERGE), StoredDocuments(None, documents.jwks))) is None
