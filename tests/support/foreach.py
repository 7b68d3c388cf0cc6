"""Run a quick test for every entry of a table as one item, where pytest's own cost of an item is many times the test's."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

Test = Callable[..., None]


def for_each(names: str, values: Iterable[Any]) -> Callable[[Test], Test]:
    """Give the test each of `values` in turn, as pytest.mark.parametrize does, but within one item.

    `names` are the parameters, "page" or "kind, way"; fixtures are made once for all values. Every value is tried, and
    the group of failures names each that failed.
    """
    parameters, table = [name.strip() for name in names.split(",")], tuple(values)
    if not table:
        raise ValueError(f"there is no {names} to test")

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def over_all(*arguments: Any, **fixtures: Any) -> None:
            failures = []
            for value in table:
                given = dict(zip(parameters, value if len(parameters) > 1 else (value,), strict=True))
                try:
                    test(*arguments, **fixtures, **given)
                except Exception as error:  # noqa: BLE001 - raised again below, with those of the other values
                    error.add_note(f"with {given}"[:500])
                    failures.append(error)
            if failures:
                raise ExceptionGroup(f"{len(failures)} of {len(table)} failed", failures)

        asked = inspect.signature(test)
        left = [parameter for name, parameter in asked.parameters.items() if name not in parameters]
        del over_all.__wrapped__  # else pytest would take the parameters for fixtures
        over_all.__signature__ = asked.replace(parameters=left)  # type: ignore[attr-defined]
        return over_all

    return decorate
