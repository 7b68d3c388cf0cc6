"""hack/mutate.py: the tables of mutants speak of the rules and tests as they are now."""

from __future__ import annotations

from dataclasses import replace

from hack.mutate import ROOT, Mutant, read_tables

SOUND = Mutant(
    "R6",
    "the last key leaves",
    "rotation/retiring.py",
    "return replace(ledger, keys=_never_all_leave(keys))",
    "return replace(ledger, keys=keys)",
    ("unit/rotation/test_r06_never_empty.py::test_r6_the_set_never_becomes_empty",),
)


def test_every_mutant_can_be_made_and_names_tests_that_are_there() -> None:
    """One whose text was moved by an edit would guard nothing until somebody next has the minutes for `make mutate`."""
    assert [fault for mutant in read_tables() for fault in mutant.faults(ROOT)] == []


def test_what_keeps_a_mutant_from_being_made_is_named() -> None:
    """A text that is not there or stands twice, a test that was renamed, a file that is gone."""
    assert SOUND.faults(ROOT) == ()
    told = "R6, the last key leaves: "
    assert replace(SOUND, old="nobody wrote this").faults(ROOT) == (
        f"{told}rotation/retiring.py has the text 0 times, not once",
    )
    assert replace(SOUND, old="return").faults(ROOT)[0].startswith(f"{told}rotation/retiring.py has the text ")
    for test in ("unit/rotation/test_r06_never_empty.py::test_r6_the_set", "unit/gone.py::test_r6"):
        assert replace(SOUND, tests=(test,)).faults(ROOT) == (f"{told}there is no test {test}",)
