"""Define the rules of fields, each as CEL for the API server and as Python for reading an object.

The CustomResourceDefinition is made from these rules, so that each rule has one place. `schema.py` decides on which
level of the schema a rule is placed, because the refusal by a rule of a string repeats the whole string.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from oidc_publisher.api import durations

#: The error type of a broken rule in pydantic's list of errors.
BROKEN_RULE = "broken_rule"


@dataclass(frozen=True, slots=True)
class Rule:
    """A Rule is about one value, which is called `self` in `cel`.

    `holds`: the same rule in Python, None where only the API server can decide, because it has the old value.
    `reason`: the API server's kind of refusal; `FieldValueForbidden` repeats no value.
    `field_path`: the member that a rule about an object reports.
    `silent`: the failure of the rule never repeats the value.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None
    reason: Literal["FieldValueForbidden"] | None = None
    field_path: str | None = None
    silent: bool = False

    def check(self, value: Any) -> None:
        """Raise pydantic's error with this rule's message unless `value` satisfies the rule."""
        if self.holds is not None and not self.holds(value):
            raise PydanticCustomError(
                BROKEN_RULE, "{message}", {"message": self.message, "field_path": self.field_path or ""}
            )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _checked(self.check, handler(source))


def matches(pattern: str, message: str) -> Rule:
    """Return the rule that a string matches `pattern`, which must mean the same in RE2 and in Python.

    The rule replaces the schema's own `pattern`, whose refusal repeats the whole string and has no message.
    """
    compiled = re.compile(pattern, re.ASCII)
    # fullmatch, since Python's `$` also matches before a trailing newline and RE2's does not.
    return Rule(f"self.matches(r'{pattern}')", message, lambda value: compiled.fullmatch(value) is not None)


@dataclass(frozen=True, slots=True)
class Between:
    """Between holds the inclusive bounds of a duration, as the API writes durations."""

    minimum: str
    maximum: str

    @property
    def message(self) -> str:
        """The message about a duration outside the bounds."""
        return f"must be between {self.minimum} and {self.maximum}"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Both rules about the string. The second rule is true for strings that the first one refuses."""
        shape = f"self.matches('{durations.PATTERN}')"
        bounds = f"duration(self) >= duration('{self.minimum}') && duration(self) <= duration('{self.maximum}')"
        return Rule(shape, durations.MESSAGE), Rule(f"!{shape} || ({bounds})", self.message)

    def check(self, value: timedelta) -> None:
        """Raise pydantic's error unless `value` is within the bounds."""
        if not durations.parse_duration(self.minimum) <= value <= durations.parse_duration(self.maximum):
            raise PydanticCustomError(BROKEN_RULE, "{message}", {"message": self.message})

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _checked(self.check, handler(source))


@dataclass(frozen=True, slots=True)
class ListType:
    """A ListType states how the API server merges a list: as one value, as a set, or by `keys` of its entries."""

    kind: Literal["atomic", "set", "map"]
    keys: tuple[str, ...] = ()

    def check(self, value: tuple[Any, ...]) -> None:
        """Raise pydantic's error when a set holds an entry twice."""
        if self.kind == "set" and len(set(value)) != len(value):
            raise PydanticCustomError(BROKEN_RULE, "{message}", {"message": "must hold no entry twice"})

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _checked(self.check, handler(source))


@dataclass(frozen=True, slots=True)
class Keyword:
    """A Keyword is one that only the schema has, such as the `format` of a number."""

    name: str
    value: str | int


def _checked(check: Callable[[Any], None], schema: CoreSchema) -> CoreSchema:
    def validate(value: Any) -> Any:
        check(value)
        return value

    return core_schema.no_info_after_validator_function(validate, schema)
