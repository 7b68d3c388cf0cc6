"""Evaluate the part of CEL that attribute conditions and mappings of Google Cloud are written in. Pure.

Source: Google Cloud, "Workload Identity Federation: attribute conditions", and the CEL specification. What is not part
of it (macros, extract(), split()) raises OutsideError, so that nothing is judged wrongly. Evaluation costs as much as
the text is long. Python runs the pattern of `matches` where it means the same to RE2 and cannot take long.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TOKENS = re.compile(
    r"\s*(?:(?P<text>r?'(?:[^'\\]|\\.)*'|r?\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<mark>&&|\|\||==|!=|<=|>=|[!<>?:+.,()\[\]]))"
)
_DEEPEST = 40
_MOST_DIGITS = 18
#: What RE2 refuses, or reads in another way: other groups, references, escapes, classes by name, possessive repeats.
_NOT_RE2 = re.compile(r"\\(?![dDwWsSbB]|[^0-9A-Za-z])|\(\?(?!:)|\[\^?\[|[*+?}]\+|\{,|--|&&|\|\||~~")
#: A repeated group costs Python exponential time, and each repeat multiplies it by the length of the text.
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_REPEAT = re.compile(r"[*+]|\{\d+,")
_MOST_REPEATS = 3
_LONGEST_TEXT = 1024
_WORDS = {"true": True, "false": False, "null": None}


class OutsideError(Exception):
    """The expression uses more of CEL than this module knows."""


class NoValueError(Exception):
    """The expression asks for a claim or an attribute that is not there, which CEL calls an error."""


class PartlyKnown(dict[str, Any]):
    """Names of which some are not known here: those of `unknown`, with None all that are not there."""

    def __init__(self, unknown: set[str] | None) -> None:
        super().__init__()
        self.unknown = unknown

    def __missing__(self, name: str) -> Any:
        """Tell a name that is not known from one that is not there."""
        if self.unknown is None or name in self.unknown:
            raise OutsideError
        raise KeyError(name)


Names = Mapping[str, Any]
Evaluate = Callable[[Names], Any]


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression and its place in the text; `parts` are the operands of && at its top.

    `selects` is what a selection (`of.field`) selects from, and the field.
    """

    start: int
    end: int
    value: Evaluate
    parts: tuple[Expression, ...] = ()
    selects: tuple[Evaluate, str] | None = None


def parsed(text: str) -> Expression:
    """Parse an expression.

    Raises:
        OutsideError: the text is no expression of this part of CEL.
    """
    parser = _Parser(text)
    expression = parser.ternary()
    if parser.peek() is not None:
        raise OutsideError
    return expression


def _and(values: Sequence[Evaluate]) -> Evaluate:
    return lambda names: _joined(values, names, decisive=False)


def _or(values: Sequence[Evaluate]) -> Evaluate:
    return lambda names: _joined(values, names, decisive=True)


def _joined(values: Sequence[Evaluate], names: Names, *, decisive: bool) -> bool:
    """Join as CEL does: an operand that decides outweighs another one's error, whatever their order."""
    error: Exception | None = None
    for value in values:
        try:
            if _truth(value(names)) is decisive:
                return decisive
        except (NoValueError, OutsideError) as problem:
            error = problem
    if error is not None:
        raise error
    return not decisive


def _truth(value: Any) -> bool:
    """Return a truth; CEL takes no other value for one."""
    if not isinstance(value, bool):
        raise NoValueError
    return value


def _equal(left: Any, right: Any) -> bool:
    """Compare two values; to Python, and not to CEL, true is 1."""
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


def _among(value: Any, values: Any) -> bool:
    if isinstance(values, dict):
        return _has(values, value)
    if not isinstance(values, list):  # Python would look for a part of a text
        raise NoValueError
    return any(_equal(value, one) for one in values)


def _has(names: Any, name: Any) -> bool:
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


_COMPARED: Mapping[str, Callable[[Any, Any], Any]] = {
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


def _binary(mark: str, left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda names: _COMPARED[mark](left(names), right(names))


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, int, int]] = []
        at = 0
        while text[at:].strip():
            found = _TOKENS.match(text, at)
            if found is None or found.lastgroup is None:
                raise OutsideError
            self._tokens.append((found.lastgroup, found[found.lastgroup], found.start(found.lastgroup), found.end()))
            at = found.end()
        self._next = 0
        self._depth = 0

    def peek(self) -> str | None:
        """Return the next token's text, None at the end."""
        return self._tokens[self._next][1] if self._next < len(self._tokens) else None

    def ternary(self) -> Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise OutsideError
        expression = self._alternatives()
        if self.peek() == "?":
            expression = self._choice(expression)
        self._depth -= 1
        return expression

    def _choice(self, asked: Expression) -> Expression:
        self._take("?")
        yes = self.ternary()
        self._take(":")
        no = self.ternary()
        return Expression(asked.start, no.end, lambda names: (yes if _truth(asked.value(names)) else no).value(names))

    def _alternatives(self) -> Expression:
        parts = [self._conjunction()]
        while self.peek() == "||":
            self._take("||")
            parts.append(self._conjunction())
        if len(parts) == 1:
            return parts[0]
        return Expression(parts[0].start, parts[-1].end, _or([part.value for part in parts]))

    def _conjunction(self) -> Expression:
        parts = [self._relation()]
        while self.peek() == "&&":
            self._take("&&")
            parts.append(self._relation())
        if len(parts) == 1:
            return parts[0]
        return Expression(parts[0].start, parts[-1].end, _and([part.value for part in parts]), tuple(parts))

    def _relation(self) -> Expression:
        left = self._sum()
        mark = self.peek()
        if mark is not None and mark in _COMPARED and mark != "+":
            self._take(mark)
            right = self._sum()
            left = Expression(left.start, right.end, _binary(mark, left.value, right.value))
        return left

    def _sum(self) -> Expression:
        left = self._unary()
        while self.peek() == "+":
            self._take("+")
            right = self._unary()
            left = Expression(left.start, right.end, _binary("+", left.value, right.value))
        return left

    def _unary(self) -> Expression:
        if self.peek() == "!":
            start = self._take("!")[2]
            of = self._unary()
            return Expression(start, of.end, lambda names: not _truth(of.value(names)))
        return self._member(self._primary())

    def _member(self, of: Expression) -> Expression:
        while self.peek() in (".", "["):
            if self._take()[1] == "[":
                index = self.ternary()
                of = Expression(of.start, self._take("]")[3], _item(of.value, index.value))
                continue
            kind, name, _, end = self._take()
            if kind != "name":
                raise OutsideError
            if self.peek() == "(":
                (argument,), end = self._arguments(1)
                of = Expression(of.start, end, _called(name, of.value, argument))
            else:
                of = Expression(of.start, end, _item(of.value, _constant(name)), selects=(of.value, name))
        return of

    def _primary(self) -> Expression:
        kind, text, start, end = self._take()
        if kind == "text":
            return Expression(start, end, _constant(_literal(text)))
        if kind == "number" and len(text) <= _MOST_DIGITS:
            return Expression(start, end, _constant(int(text)))
        if text == "(":
            inner = self.ternary()
            return Expression(start, self._take(")")[3], inner.value, inner.parts)
        if text == "[":
            items, end = self._items("]")
            return Expression(start, end, lambda names: [item(names) for item in items])
        if kind != "name":
            raise OutsideError
        if self.peek() == "(":
            return self._presence(start) if text == "has" else self._call(start, text)
        return Expression(start, end, _constant(_WORDS[text]) if text in _WORDS else _named(text))

    def _call(self, start: int, name: str) -> Expression:
        (argument,), end = self._arguments(1)
        return Expression(start, end, _function(name, argument))

    def _presence(self, start: int) -> Expression:
        """Parse what stands behind `has`, which takes a selection: what is selected from has to be there."""
        self._take("(")
        argument = self.ternary()
        end = self._take(")")[3]
        if argument.selects is None:
            raise OutsideError
        of, name = argument.selects
        return Expression(start, end, lambda names: _has(of(names), name))

    def _arguments(self, count: int) -> tuple[list[Evaluate], int]:
        self._take("(")
        found, end = self._items(")")
        if len(found) != count:
            raise OutsideError
        return found, end

    def _items(self, closing: str) -> tuple[list[Evaluate], int]:
        found: list[Evaluate] = []
        while self.peek() != closing:
            if found:
                self._take(",")
            found.append(self.ternary().value)
        return found, self._take(closing)[3]

    def _take(self, wanted: str | None = None) -> tuple[str, str, int, int]:
        if self._next >= len(self._tokens) or (wanted is not None and self._tokens[self._next][1] != wanted):
            raise OutsideError
        self._next += 1
        return self._tokens[self._next - 1]


def _literal(text: str) -> str:
    if text.startswith("r"):
        return text[2:-1]
    inner = text[1:-1]
    if re.search(r"\\[^'\"\\]", inner):
        raise OutsideError
    return re.sub(r"\\(.)", r"\1", inner)


def _constant(value: Any) -> Evaluate:
    return lambda _: value


def _named(name: str) -> Evaluate:
    return _item(lambda names: names, lambda _: name)


def _item(of: Evaluate, key: Evaluate) -> Evaluate:
    def value(names: Names) -> Any:
        values, place = of(names), key(names)
        if not isinstance(values, dict if isinstance(place, str) else list) or isinstance(place, bool):
            raise NoValueError
        try:
            return values[place]
        except (KeyError, IndexError, TypeError):
            raise NoValueError from None

    return value


def _called(name: str, of: Evaluate, argument: Evaluate) -> Evaluate:
    if name not in _METHODS:
        raise OutsideError

    def value(names: Names) -> Any:
        text, other = of(names), argument(names)
        if not isinstance(text, str) or not isinstance(other, str):
            raise NoValueError
        return _METHODS[name](text, other)

    return value


def _function(name: str, argument: Evaluate) -> Evaluate:
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
