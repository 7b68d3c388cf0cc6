"""The owner mark in an object's metadata."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.documents import OwnerMark, owner_of
from oidc_publisher.documents.ownermark import says_the_same

OWNER = owner_of("11111111-2222-3333-4444-555555555555", "prod")
MARK = OwnerMark(OWNER, 7, timedelta(hours=24), timedelta(minutes=5))


def test_the_mark_is_metadata_that_every_store_keeps() -> None:
    """Lower-case names, ASCII values, seconds."""
    assert MARK.to_metadata() == {
        "oidc-publisher-owner": "11111111-2222-3333-4444-555555555555/prod",
        "oidc-publisher-serial": "7",
        "oidc-publisher-token-lifetime": "86400",
        "oidc-publisher-stale-age": "300",
    }


@given(st.integers(0, 10**9), st.integers(0, 8784 * 3600), st.integers(0, 10**9))
def test_the_mark_goes_round(serial: int, lifetime_s: int, stale_s: int) -> None:
    """Whatever the numbers, beside other people's metadata."""
    mark = OwnerMark(OWNER, serial, timedelta(seconds=lifetime_s), timedelta(seconds=stale_s))
    assert OwnerMark.read({"someone": "else", **mark.to_metadata()}) == mark


def test_durations_are_rounded_up() -> None:
    """A lifetime is never stated shorter than it is."""
    mark = OwnerMark(OWNER, 0, timedelta(seconds=1, microseconds=1), timedelta(microseconds=1))
    assert OwnerMark.read(mark.to_metadata()) == OwnerMark(OWNER, 0, timedelta(seconds=2), timedelta(seconds=1))


@pytest.mark.parametrize("metadata", [{}, {"oidc-publisher-owner": ""}, {"oidc-publisher-serial": "7"}, {"owner": "x"}])
def test_without_an_owner_there_is_no_mark(metadata: dict[str, str]) -> None:
    """An object that nobody signed is nobody's."""
    assert OwnerMark.read(metadata) is None


@pytest.mark.parametrize("damage", ["", "x", "-1", "1.5", "\u0661", "9" * 11, "9" * 5000, None])
def test_a_damaged_number_does_not_make_it_anothers(damage: str | None) -> None:
    """The serial reads as 0 and durations as 24 h: late, never early."""
    metadata = {name: damage for name in MARK.to_metadata() if name != "oidc-publisher-owner" and damage is not None}
    read = OwnerMark.read({"oidc-publisher-owner": OWNER, **metadata})
    assert read == OwnerMark(OWNER, 0, timedelta(hours=24), timedelta(hours=24))


def test_a_token_lifetime_beyond_what_the_api_takes_is_damaged() -> None:
    """One rewritten mark would else keep every key for centuries: it is ignored, and what it said is kept to be named."""
    mark = OwnerMark.read(MARK.to_metadata() | {"oidc-publisher-token-lifetime": "9999999999"})
    assert mark is not None
    assert mark.token_lifetime == timedelta(hours=24)
    assert mark.damaged_lifetime == timedelta(seconds=9999999999)
    longest = OwnerMark.read(MARK.to_metadata() | {"oidc-publisher-token-lifetime": str(8784 * 3600)})
    assert longest is not None
    assert (longest.token_lifetime, longest.damaged_lifetime) == (timedelta(hours=8784), None)


def test_a_mark_names_the_place_to_which_the_public_url_led() -> None:
    """Whose name that is, who reads the mark decides; a stranger's is cut. An earlier version's mark names none."""
    shown = replace(MARK, shown="0123456789abcdef")
    assert OwnerMark.read(shown.to_metadata()) == shown
    assert OwnerMark.read(shown.to_metadata() | {"oidc-publisher-shown": ""}) == MARK
    assert OwnerMark.read(MARK.to_metadata() | {"oidc-publisher-shown": "x" * 65}) == replace(MARK, shown="x" * 64)


def test_a_mark_that_lacks_the_word_alone_is_not_written_for_it() -> None:
    """One that has it wrongly is; and so is one that differs in anything else."""
    bare, shown = MARK.to_metadata(), replace(MARK, shown="here").to_metadata()
    assert says_the_same(bare, shown)
    assert says_the_same({"someone": "else", **shown}, shown)
    assert not says_the_same(shown, bare)
    assert not says_the_same(replace(MARK, shown="elsewhere").to_metadata(), shown)
    assert not says_the_same(bare, replace(MARK, serial=8, shown="here").to_metadata())
