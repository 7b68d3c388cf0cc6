"""Versions and the one order of keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Reason
from oidc_publisher.keys import format_version, newest_first, parse_version
from oidc_publisher.keys.keyversion import MAX_VERSION_DIGITS

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
versions = st.one_of(
    st.integers(0, 10**30),
    st.integers(0, 10**MAX_VERSION_DIGITS - 1),
    st.sampled_from([9, 10, 99, 100, 999, 1000, 10**27, 10**28 - 1]),
)
items = st.tuples(versions, st.datetimes(timezones=st.just(UTC)), st.text(max_size=4))


@pytest.mark.parametrize(
    ("text", "version"),
    [("0", 0), ("7", 7), ("010", 10), ("000", 0), ("6978103219541230946215482147", 6978103219541230946215482147)],
)
def test_a_version_is_a_number(text: str, version: int) -> None:
    """service-account-010.pub is version 10; kOps's ids have 28 digits."""
    assert parse_version(text) == version


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "+1", "-1", "1_0", "1.0", "0x1", "\u0661", "\u00b2", "\uff11", "1\n", "9" * 641]
)
def test_anything_else_is_refused(text: str) -> None:
    """Only ASCII digits, and no more of them than Python converts under any setting."""
    with pytest.raises(KeyRefusedError) as caught:
        parse_version(text)
    assert caught.value.reason is Reason.EntryUnreadable
    assert len(caught.value.message) < 100


@pytest.mark.parametrize("version", [-1, 10**640])
def test_no_version_is_written_that_could_not_be_read(version: int) -> None:
    """The API never shows a number that the next start could not parse."""
    with pytest.raises(KeyRefusedError):
        format_version(version)


@given(versions, st.integers(0, 5))
def test_versions_go_round(version: int, zeros: int) -> None:
    """Whatever the length, and leading zeros count for nothing."""
    text = format_version(version)
    assert parse_version(text) == version
    if len(text) + zeros <= MAX_VERSION_DIGITS:
        assert parse_version("0" * zeros + text) == version


@pytest.mark.parametrize(
    ("older", "newer"), [(9, 10), (99, 100), (999, 1000), (10**27, 10**27 + 1), (2**63 - 1, 2**63)]
)
def test_the_greater_number_is_newer(older: int, newer: int) -> None:
    """The incident: sorted as text, 9 comes after 10."""
    assert newest_first([older, newer], by=lambda version: (version, NOON, "kid")) == (newer, older)


def test_then_the_later_seen_then_the_greater_kid() -> None:
    """OpenShift reuses numbers, and two keys may come in one pass."""
    expected = ((10, NOON, "a"), (9, NOON + timedelta(seconds=1), "a"), (9, NOON, "b"), (9, NOON, "a"))
    for given_order in permutations(expected):
        assert newest_first(given_order, by=lambda item: item) == expected


@given(st.lists(items, unique=True), st.randoms())
def test_the_order_is_total(found: list[tuple[int, datetime, str]], random: object) -> None:
    """Equal sets come out equal however they went in, so that equal keys give equal bytes."""
    shuffled = list(found)
    getattr(random, "shuffle")(shuffled)  # noqa: B009 - hypothesis types its Random loosely
    ordered = newest_first(found, by=lambda item: item)
    assert ordered == newest_first(shuffled, by=lambda item: item)
    assert sorted(ordered) == sorted(found)
    assert all(newer > older for newer, older in pairwise(ordered))
