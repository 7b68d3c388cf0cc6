"""Numbers, lists and text of others in a sentence."""

from __future__ import annotations

import pytest

from oidc_publisher.wording import counted, listed, quoted_to


@pytest.mark.parametrize(("number", "said"), [(0, "0 keys"), (1, "1 key"), (2, "2 keys")])
def test_a_number_agrees_with_its_noun(number: int, said: str) -> None:
    """Zero counts as many."""
    assert counted(number, "key") == said


@pytest.mark.parametrize(
    ("words", "said"), [("", ""), ("a", "a"), ("abc", "a, b, c"), ("abcd", "a, b, c and 1 more")], ids=repr
)
def test_a_long_list_ends_with_how_many_more_there_are(words: str, said: str) -> None:
    """One that just fits is whole."""
    assert listed(words, most=3) == said
    assert listed(words, most=3, separator="; ") == said.replace(",", ";")


@pytest.mark.parametrize(
    ("text", "said"), [("abc", '"abc"'), ("abcd", '"abc..."'), ('"', '"\\""'), ("\x1b", '"\\u001b"')], ids=repr
)
def test_text_of_others_is_cut_and_cannot_steer(text: str, said: str) -> None:
    """The quotes say where it ends."""
    assert quoted_to(3, text) == said
