"""Evaluate the part of CEL that attribute conditions and mappings of Google Cloud are written in. Pure.

Source: Google Cloud, "Workload Identity Federation: attribute conditions", and the CEL specification. What is not part
of it (macros, extract(), split()) raises OutsideError, so that nothing is judged wrongly. Evaluation costs as much as
the text is long; the pattern of `matches` is run by Python, whose syntax contains what RE2 allows here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TOKENS = re.compile(
    r"\s*(?:(?P<text>r?'(?:[^'\\]|\\.)*'|r?\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<mark>&&|\|\||==|!=|<=|>=|[!<>?:+.,()\[\]]))"
)
_DEEPEST = 40
_WORDS = {"true": True, "false": False, "null": None}


class OutsideError(Exception):
    """The expression uses more of CEL than this module knows."""


class NoValueError(Exception):
    """The expression asks for a claim or an attribute that is not there, which CEL calls an error."""


Names = Mapping[str, Any]
Evaluate = Callable[[Names], Any]


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression and its place in the text; `parts` are the operands of && at its top."""

    start: int
    end: int
    value: Evaluate
    parts: tuple[Expression, ...] = ()


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
            if bool(value(names)) is decisive:
                return decisive
        except (NoValueError, OutsideError) as problem:
            error = problem
    if error is not None:
        raise error
    return not decisive


_COMPARED: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "in": lambda left, right: left in right,
    "+": lambda left, right: left + right,
}
_METHODS: Mapping[str, Callable[[Any, Any], Any]] = {
    "startsWith": lambda text, begin: text.startswith(begin),
    "endsWith": lambda text, end: text.endswith(end),
    "contains": lambda text, part: part in text,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
}


def _binary(mark: str, left: Evaluate, right: Evaluate) -> Evaluate:
    def value(names: Names) -> Any:
        try:
            return _COMPARED[mark](left(names), right(names))
        except TypeError:
            raise NoValueError from None  # CEL has no such overload

    return value


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
        return Expression(asked.start, no.end, lambda names: (yes if asked.value(names) else no).value(names))

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
            return Expression(start, of.end, lambda names: not of.value(names))
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
                of = Expression(of.start, end, _item(of.value, _constant(name)))
        return of

    def _primary(self) -> Expression:
        kind, text, start, end = self._take()
        if kind == "text":
            return Expression(start, end, _constant(_literal(text)))
        if kind == "number":
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
            (argument,), end = self._arguments(1)
            return Expression(start, end, _function(text, argument))
        return Expression(start, end, _constant(_WORDS[text]) if text in _WORDS else _named(text))

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
        try:
            return of(names)[key(names)]
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
        try:
            return _METHODS[name](text, other)
        except re.error:
            raise OutsideError from None

    return value


def _function(name: str, argument: Evaluate) -> Evaluate:
    if name == "size":
        return lambda names: len(argument(names))
    if name == "string":
        return lambda names: str(argument(names))
    if name != "has":
        raise OutsideError

    def value(names: Names) -> bool:
        try:
            argument(names)
        except NoValueError:
            return False
        return True

    return value
