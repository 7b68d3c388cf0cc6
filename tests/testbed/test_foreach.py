"""A test of a table that is one item fails with every entry that fails, and never without an entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.foreach import for_each


@for_each("number, square", [(2, 4), (3, 9)])
def test_each_entry_is_tried_with_the_fixtures(number: int, square: int, tmp_path: Path) -> None:
    """As parametrize does it."""
    assert tmp_path.is_dir()
    assert number * number == square


def test_every_failure_is_named() -> None:
    """The first one hides no other."""
    tried = []

    @for_each("number", range(4))
    def odd(number: int) -> None:
        tried.append(number)
        assert number % 2

    with pytest.raises(ExceptionGroup, match="2 of 4 failed") as caught:
        odd()
    assert tried == [0, 1, 2, 3]
    assert [error.__notes__ for error in caught.value.exceptions] == [["with {'number': 0}"], ["with {'number': 2}"]]


def test_an_empty_table_is_refused() -> None:
    """It would pass whatever happens."""
    with pytest.raises(ValueError, match="there is no page to test"):
        for_each("page", [])
