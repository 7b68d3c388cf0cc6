"""Whose turn it is among the keys that wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.controller.waitingline import MOST_IN_A_ROW, WaitingLine
from tests.support.examples import about


def line_of(*keys: str) -> WaitingLine:
    """Keys that begin with c have changed."""
    line = WaitingLine()
    for key in keys:
        line.put(key, changed=key.startswith("c"))
    return line


def drained(line: WaitingLine) -> list[str]:
    return [line.take() for _ in range(len(line))]


def test_changed_keys_come_first_and_each_kind_in_its_order() -> None:
    """First come, first served, within each of the two."""
    assert drained(line_of("r1", "c1", "r2", "c2")) == ["c1", "c2", "r1", "r2"]


def test_after_a_few_changed_keys_a_resting_one_has_its_turn() -> None:
    """A thousand changes at once delay the proofs of the others, and stop none."""
    keys = drained(line_of("r1", "r2", *(f"c{number}" for number in range(8))))
    assert keys == ["c0", "c1", "c2", "r1", "c3", "c4", "c5", "r2", "c6", "c7"]


def test_changed_keys_that_overtook_nobody_are_not_counted() -> None:
    """Only a row in which somebody was overtaken ends with that key's turn."""
    line = line_of("c1", "c2", "c3")
    assert [line.take(), line.take()] == ["c1", "c2"]
    line.put("r1", changed=False)
    line.put("c4", changed=True)
    assert drained(line) == ["c3", "c4", "r1"]


def test_a_resting_key_that_changes_moves_and_is_there_once() -> None:
    """The change is what counts, and a later deadline takes nothing from it."""
    line = line_of("r1", "r2")
    line.put("r2", changed=True)
    line.put("r2", changed=False)
    assert len(line) == 2
    assert drained(line) == ["r2", "r1"]


def test_an_empty_line_has_no_turn() -> None:
    """Nobody asks it without a key."""
    with pytest.raises(KeyError):
        WaitingLine().take()


@given(st.lists(st.one_of(st.none(), st.tuples(st.sampled_from("abcdef"), st.booleans())), max_size=60))
@about(200)
def test_no_key_is_lost_or_doubled_and_no_resting_key_is_overtaken_for_ever(
    steps: list[tuple[str, bool] | None],
) -> None:
    """Whatever comes in whatever order: None takes a key, everything else puts one."""
    line, waiting, row = WaitingLine(), set[str](), 0
    for step in steps:
        if step is not None:
            line.put(step[0], changed=step[1])
            waiting.add(step[0])
        elif waiting:
            resting = len(line._resting)
            waiting.remove(line.take())
            row = row + 1 if resting and len(line._resting) == resting else 0
            assert row <= MOST_IN_A_ROW
        assert len(line) == len(waiting)
    assert set(drained(line)) == waiting


def test_while_no_resting_key_may_begin_the_changed_ones_go_on() -> None:
    """The pause of those that rest is none for the others, and the row that overtook them is counted on."""
    line = line_of("r1", *(f"c{number}" for number in range(5)))
    assert [line.take(resting=False) for _ in range(4)] == ["c0", "c1", "c2", "c3"]
    assert line.rests_next()
    assert drained(line) == ["r1", "c4"]
