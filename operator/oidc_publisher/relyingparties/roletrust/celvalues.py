"""Reckon with values as CEL does in attribute conditions and mappings of Google Cloud. Pure.

Source: the CEL specification, and Google Cloud, "Workload Identity Federation: attribute conditions". What means another
thing to CEL than to Python raises an error, so that nothing is judged wrongly. Python runs the pattern of `matches` where
it means the same to RE2 and cannot take long.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: What RE2 refuses, or reads in another way: other groups, references, escapes, classes by name, possessive repeats.
_NOT_RE2 = re.compile(r"\\(?![dDwWsSbB]|[^0-9A-Za-z])|\(\?(?!:)|\[\^?\[|[*+?}]\+|\{,|--|&&|\|\||~~")
#: A repeated group costs Python exponential time, and each repeat multiplies it by the length of the text.
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_REPEAT = re.compile(r"[*+]|\{\d+,")
_MOST_REPEATS = 3
_LONGEST_TEXT = 1024


class OutsideError(Exception):
    """The expression uses more of CEL than this module knows."""


class NoValueError(Exception):
    """The expression asks for a claim or an attribute that is not there, which CEL calls an error."""


class UnmappedError(Exception):
    """The expression asks for an attribute, and it is not known what the provider maps to it."""


class PartlyKnown(dict[str, Any]):
    """Attributes of which some cannot be told here: those of `unknown`; with None no mapping is known, nor any of them."""

    def __init__(self, unknown: set[str] | None) -> None:
        super().__init__()
        self.unknown = unknown

    def __missing__(self, name: str) -> Any:
        """Tell a name that is not known from one that is not there."""
        if self.unknown is None:
            raise UnmappedError
        if name in self.unknown:
            raise OutsideError
        raise KeyError(name)


Names = Mapping[str, Any]
Evaluate = Callable[[Names], Any]


def all_of(values: Sequence[Evaluate]) -> Evaluate:
    """Join operands by &&."""
    return lambda names: _joined(values, names, decisive=False)


def any_of(values: Sequence[Evaluate]) -> Evaluate:
    """Join operands by ||."""
    return lambda names: _joined(values, names, decisive=True)


def _joined(values: Sequence[Evaluate], names: Names, *, decisive: bool) -> bool:
    """Join as CEL does: an operand that decides outweighs another one's error, whatever their order."""
    error: Exception | None = None
    for value in values:
        try:
            if truth(value(names)) is decisive:
                return decisive
        except (NoValueError, OutsideError, UnmappedError) as problem:
            error = problem
    if error is not None:
        raise error
    return not decisive


def truth(value: Any) -> bool:
    """Return a truth; CEL takes no other value for one."""
    if not isinstance(value, bool):
        raise NoValueError
    return value


def _equal(left: Any, right: Any) -> bool:
    """Compare two values; to Python, and not to CEL, true is 1."""
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


def _among(value: Any, values: Any) -> bool:
    if isinstance(values, dict):
        return has(values, value)
    if not isinstance(values, list):  # Python would look for a part of a text
        raise NoValueError
    return any(_equal(value, one) for one in values)


def has(names: Any, name: Any) -> bool:
    """Return whether a map has a key, as `has` and `in` ask."""
    if not isinstance(names, dict) or not isinstance(name, str):
        raise NoValueError
    try:
        names[name]
    except KeyError:
        return False
    return True


def _alike(left: Any, right: Any, *kinds: type | tuple[type, ...]) -> bool:
    """Return whether both are of one of the kinds; a truth is of none."""
    both = (left, right)
    return any(all(isinstance(one, kind) and not isinstance(one, bool) for one in both) for kind in kinds)


def _ordered(of: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compared(left: Any, right: Any) -> Any:
        if not _alike(left, right, str, (int, float)):
            raise NoValueError
        return of(left, right)

    return compared


def _sum_of(left: Any, right: Any) -> Any:
    if not _alike(left, right, str, list, (int, float)):
        raise NoValueError
    return left + right


OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": _among,
    "+": _sum_of,
}


def _matches(text: str, pattern: str) -> bool:
    repeats = len(_REPEAT.findall(pattern))
    if _NOT_RE2.search(pattern) or "\n" in text:
        raise OutsideError
    if _REPEATED_GROUP.search(pattern) or repeats > _MOST_REPEATS or (repeats and len(text) > _LONGEST_TEXT):
        raise OutsideError
    try:
        return re.search(pattern, text, re.ASCII) is not None
    except re.error:
        raise OutsideError from None


_METHODS: Mapping[str, Callable[[Any, Any], Any]] = {
    "startsWith": lambda text, begin: text.startswith(begin),
    "endsWith": lambda text, end: text.endswith(end),
    "contains": lambda text, part: part in text,
    "matches": _matches,
}


def binary(mark: str, left: Evaluate, right: Evaluate) -> Evaluate:
    """Apply one of OPERATORS to two operands."""
    return lambda names: OPERATORS[mark](left(names), right(names))


def constant(value: Any) -> Evaluate:
    """Return what always has this value."""
    return lambda _: value


def named(name: str) -> Evaluate:
    """Look a name up."""
    return item(lambda names: names, lambda _: name)


def item(of: Evaluate, key: Evaluate) -> Evaluate:
    """Look up a member of a map or of a list."""

    def value(names: Names) -> Any:
        values, place = of(names), key(names)
        if not isinstance(values, dict if isinstance(place, str) else list) or isinstance(place, bool):
            raise NoValueError
        try:
            return values[place]
        except (KeyError, IndexError, TypeError):
            raise NoValueError from None

    return value


def called(name: str, of: Evaluate, argument: Evaluate) -> Evaluate:
    """Call a method of texts."""
    if name not in _METHODS:
        raise OutsideError

    def value(names: Names) -> Any:
        text, other = of(names), argument(names)
        if not isinstance(text, str) or not isinstance(other, str):
            raise NoValueError
        return _METHODS[name](text, other)

    return value


def function(name: str, argument: Evaluate) -> Evaluate:
    """Call a function of CEL."""
    if name == "size":
        return lambda names: _size(argument(names))
    if name == "string":
        return lambda names: _string(argument(names))
    raise OutsideError


def _size(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise NoValueError
    return len(value)


def _string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        raise OutsideError
    if not isinstance(value, str | int):
        raise NoValueError
    return str(value)
