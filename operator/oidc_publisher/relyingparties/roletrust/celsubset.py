"""Parse the part of CEL that attribute conditions and mappings of Google Cloud are written in. Pure.

Source: Google Cloud, "Workload Identity Federation: attribute conditions", and the CEL specification. What is not part
of it (macros, extract(), split()) raises OutsideError, so that nothing is judged wrongly. Evaluation costs as much as
the text is long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from oidc_publisher.relyingparties.roletrust.celvalues import (
    OPERATORS,
    Evaluate,
    OutsideError,
    all_of,
    any_of,
    binary,
    called,
    constant,
    function,
    has,
    item,
    named,
    truth,
)

_TOKENS = re.compile(
    r"\s*(?:(?P<text>r?'(?:[^'\\]|\\.)*'|r?\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<mark>&&|\|\||==|!=|<=|>=|[!<>?:+.,()\[\]]))"
)
_DEEPEST = 40
_MOST_DIGITS = 18
_WORDS = {"true": True, "false": False, "null": None}


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
        return Expression(asked.start, no.end, lambda names: (yes if truth(asked.value(names)) else no).value(names))

    def _alternatives(self) -> Expression:
        parts = [self._conjunction()]
        while self.peek() == "||":
            self._take("||")
            parts.append(self._conjunction())
        if len(parts) == 1:
            return parts[0]
        return Expression(parts[0].start, parts[-1].end, any_of([part.value for part in parts]))

    def _conjunction(self) -> Expression:
        parts = [self._relation()]
        while self.peek() == "&&":
            self._take("&&")
            parts.append(self._relation())
        if len(parts) == 1:
            return parts[0]
        return Expression(parts[0].start, parts[-1].end, all_of([part.value for part in parts]), tuple(parts))

    def _relation(self) -> Expression:
        left = self._sum()
        mark = self.peek()
        if mark is not None and mark in OPERATORS and mark != "+":
            self._take(mark)
            right = self._sum()
            left = Expression(left.start, right.end, binary(mark, left.value, right.value))
        return left

    def _sum(self) -> Expression:
        left = self._unary()
        while self.peek() == "+":
            self._take("+")
            right = self._unary()
            left = Expression(left.start, right.end, binary("+", left.value, right.value))
        return left

    def _unary(self) -> Expression:
        if self.peek() == "!":
            start = self._take("!")[2]
            of = self._unary()
            return Expression(start, of.end, lambda names: not truth(of.value(names)))
        return self._member(self._primary())

    def _member(self, of: Expression) -> Expression:
        while self.peek() in (".", "["):
            if self._take()[1] == "[":
                index = self.ternary()
                of = Expression(of.start, self._take("]")[3], item(of.value, index.value))
                continue
            kind, name, _, end = self._take()
            if kind != "name":
                raise OutsideError
            if self.peek() == "(":
                (argument,), end = self._arguments(1)
                of = Expression(of.start, end, called(name, of.value, argument))
            else:
                of = Expression(of.start, end, item(of.value, constant(name)), selects=(of.value, name))
        return of

    def _primary(self) -> Expression:
        kind, text, start, end = self._take()
        if kind == "text":
            return Expression(start, end, constant(_literal(text)))
        if kind == "number" and len(text) <= _MOST_DIGITS:
            return Expression(start, end, constant(int(text)))
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
        return Expression(start, end, constant(_WORDS[text]) if text in _WORDS else named(text))

    def _call(self, start: int, name: str) -> Expression:
        (argument,), end = self._arguments(1)
        return Expression(start, end, function(name, argument))

    def _presence(self, start: int) -> Expression:
        """Parse what stands behind `has`, which takes a selection: what is selected from has to be there."""
        self._take("(")
        argument = self.ternary()
        end = self._take(")")[3]
        if argument.selects is None:
            raise OutsideError
        of, name = argument.selects
        return Expression(start, end, lambda names: has(of(names), name))

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
