"""Rules that stand beside a field and hold twice: as CEL in the API server, as Python when an object is read.

The CustomResourceDefinition is made from them, so that there is one place to change. `schema.py` decides on which
level of the schema a rule lands, because a failing rule of a string repeats the whole string in the refusal.
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
    """A rule about one value, called `self` in `cel`.

    `holds` is the same rule in Python; None where only the API server can decide (it has the old value).
    `reason` is the API server's kind of refusal; `FieldValueForbidden` repeats no value. `field_path` names the member
    that a rule about an object blames. `silent` is for a rule whose failure never repeats the value by itself.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None
    reason: Literal["FieldValueForbidden"] | None = None
    field_path: str | None = None
    silent: bool = False

    def check(self, value: Any) -> None:
        """Raise pydantic's error with this rule's message unless `value` keeps it."""
        if self.holds is not None and not self.holds(value):
            raise PydanticCustomError(
                BROKEN_RULE, "{message}", {"message": self.message, "field_path": self.field_path or ""}
            )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _checked(self.check, handler(source))


def matches(pattern: str, message: str) -> Rule:
    """The rule that a string looks like `pattern`, which must mean the same in RE2 and in Python.

    It takes the place of the schema's own `pattern`, whose refusal repeats the whole string and has no message.
    """
    compiled = re.compile(pattern, re.ASCII)
    # fullmatch, since Python's `$` also matches before a trailing newline and RE2's does not.
    return Rule(f"self.matches(r'{pattern}')", message, lambda value: compiled.fullmatch(value) is not None)


@dataclass(frozen=True, slots=True)
class Between:
    """Bounds of a duration, both included, as the API writes durations."""

    minimum: str
    maximum: str

    @property
    def message(self) -> str:
        """What is said of a duration outside the bounds."""
        return f"must be between {self.minimum} and {self.maximum}"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Both rules about the string; the second is silent about what the first refuses."""
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
    """How the API server merges a list: as one value, as a set, or by `keys` of its entries."""

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
    """A keyword that only the schema knows, such as the `format` of a number."""

    name: str
    value: str | int


def _checked(check: Callable[[Any], None], schema: CoreSchema) -> CoreSchema:
    def validate(value: Any) -> Any:
        check(value)
        return value

    return core_schema.no_info_after_validator_function(validate, schema)
