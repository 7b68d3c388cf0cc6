"""The catalogue of error texts: each is found by a real-looking sample, none is ambiguous, each has its source."""

from __future__ import annotations

import re

import pytest

from oidc_publisher.relyingparties.texts import KnownText, RefusalCause, SettlingCheck, explained
from oidc_publisher.relyingparties.texts.known import KNOWN
from oidc_publisher.relyingparties.texts.wrappers import WRAPPERS, WrapperText
from tests.support.foreach import for_each
from tests.support.textsamples import SAMPLES

_SENTENCES = re.compile(r"[A-Z`'\"0-9].*[.]", re.DOTALL)


@for_each("known", KNOWN)
def test_a_sample_is_explained_by_its_own_text_alone(known: KnownText) -> None:
    """Nothing is ambiguous: of all texts exactly one explains what a person pastes."""
    assert [found.name for found in explained(SAMPLES[known.name]).found] == [known.name]


def test_every_text_has_a_sample_and_every_sample_a_text() -> None:
    """None is missing and none is left over."""
    assert set(SAMPLES) == {known.name for known in KNOWN}
    assert len(KNOWN) > 150, "this test reads what it means to read"


def test_no_name_and_no_text_stands_twice() -> None:
    """A wrapper is no known text either."""
    names = [known.name for known in KNOWN] + [wrapper.name for wrapper in WRAPPERS]
    texts = [known.text.lower() for known in KNOWN] + [wrapper.text.lower() for wrapper in WRAPPERS]
    assert len(names) == len(set(names))
    assert len(texts) == len(set(texts))


def test_a_text_within_another_is_the_less_precise_one() -> None:
    """Where one text holds another, the longer one is said alone; any other overlap would be ambiguous."""
    overlapping = {
        (inner.name, outer.name)
        for outer in KNOWN
        for inner in KNOWN
        if inner is not outer and inner.text.lower() in outer.text.lower()
    }
    assert overlapping == {
        ("go-json-html", "vault-kubernetes-html"),
        ("sts-idp-communication", "iam-idp-communication"),
    }


@for_each("known", KNOWN)
def test_an_entry_is_whole(known: KnownText) -> None:
    """It names its party, its causes, the checks, and a public address; what it says are sentences."""
    assert known.party
    assert known.causes
    assert known.checks
    assert len(set(known.causes)) == len(known.causes)
    assert _SENTENCES.fullmatch(known.meaning)
    assert _SENTENCES.fullmatch(known.advice)
    assert known.sources
    assert all(re.fullmatch(r"https://[\w.-]+/[^\s]+", source) for source in known.sources)
    assert known.verify_for in {"", "aws", "gcp", "azure", "kubernetes", "vault"}


def test_every_cause_and_every_check_is_in_use() -> None:
    """None stays in the enumerations that no text names."""
    assert {cause for known in KNOWN for cause in known.causes} == set(RefusalCause)
    assert {check for known in KNOWN for check in known.checks} == set(SettlingCheck)


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda wrapper: wrapper.name)
def test_a_wrapper_alone_explains_nothing(wrapper: WrapperText) -> None:
    """It is named as a wrapper, and no text is found in it."""
    found = explained(f"2026-11-26T03:38:26Z {wrapper.text}")
    assert found.found == ()
    assert wrapper in found.wrappers
