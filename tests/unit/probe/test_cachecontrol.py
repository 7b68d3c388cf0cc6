"""Cache-Control as hosts and CDNs really write it."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.probe.cachecontrol import directives, is_as_published, is_beyond, longest_age

AGES: dict[str, int | None] = {
    "public, max-age=300": 300,
    "PUBLIC,MAX-AGE=300": 300,
    'max-age="300"': 300,
    "max-age=300, s-maxage=3600": 3600,
    "max-age=300, s-maxage=0": 300,
    "s-maxage=60": 60,
    "max-age=300, max-age=600": 600,
    "max-age=300, stale-while-revalidate=60": 360,
    "max-age=300, stale-while-revalidate=60, stale-if-error=86400": 86700,
    "max-age=0": 0,
    "no-store, max-age=5": 5,
    "max-age=99999999999999999999": 2**31,
    "": None,
    "no-store": None,
    "no-cache": None,
    "max-age": None,
    "max-age=": None,
    "max-age=-1": None,
    "max-age=soon": None,
    "max-age=²": None,
    "max-age=3,0": 3,
    "xmax-age=300": None,
}


@pytest.mark.parametrize("header", AGES)
def test_the_longest_age_counts(header: str) -> None:
    """The rotation waits for the last cache that may still have an older set; what states no age is None."""
    seconds = AGES[header]
    assert longest_age(header) == (None if seconds is None else dt.timedelta(seconds=seconds))


BEYOND = {
    ("public, max-age=300", "300"): False,
    ("public, max-age=300", "360"): False,
    ("public, max-age=300", "361"): True,
    ("public, max-age=300", " 86400 "): True,
    ("max-age=300, s-maxage=900", "901"): False,
    ("max-age=300, stale-if-error=86400", "80000"): False,
    ("no-store", "86400"): False,
    ("", "86400"): False,
    ("max-age=300", "yesterday"): False,
    ("max-age=300", ""): False,
}


@pytest.mark.parametrize(("header", "age"), BEYOND)
def test_a_cache_that_keeps_a_document_too_long_is_told(header: str, age: str) -> None:
    """A minute above is a renewal; without a stated age there is nothing to keep to."""
    assert is_beyond(header, age) is BEYOND[header, age]


PUBLISHED = {
    "public, max-age=300": True,
    "max-age=300,public": True,
    "Public, Max-Age=300": True,
    "public": False,
    "max-age=300": False,
    "public, max-age=301": False,
    "public, max-age=300, s-maxage=60": False,
    "public, max-age=300, immutable": False,
    "private, max-age=300": False,
    "": False,
}


@pytest.mark.parametrize("header", PUBLISHED)
def test_it_is_compared_by_what_it_means(header: str) -> None:
    """Order, case and spaces are nobody's concern; another directive is."""
    assert is_as_published(header, dt.timedelta(minutes=5)) is PUBLISHED[header]


@given(st.text(max_size=200))
def test_no_header_breaks_it(header: str) -> None:
    """An age is never negative."""
    age = longest_age(header)
    assert age is None or age >= dt.timedelta()


@given(st.text(alphabet='a=," \t;', max_size=60))
def test_nonsense_is_read_in_one_pass(header: str) -> None:
    """Names are lower case and not empty."""
    assert all(name and name == name.lower() for name in directives(header))
