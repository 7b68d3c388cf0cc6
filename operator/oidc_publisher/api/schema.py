"""Make the structural schema (OpenAPI v3) of a CustomResourceDefinition from the models.

The models define rules beside their fields. This module decides where a rule is placed in the schema, for one reason:
people paste private keys into wrong fields, and a refusal is shown in terminals, CI logs and audit logs.

- The API server repeats the whole string when a `pattern` or a rule of that string fails, but nothing of an object or
  a list whose rule fails. So no string of the spec has a `pattern`, and a rule of a string that may be longer than a
  line of a PEM file moves to the object or list around the string, with a `fieldPath`.
- The API server does not repeat a string that exceeds `maxLength`, and evaluates none of its rules then.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum
from inspect import cleandoc, getsource
from itertools import pairwise
from textwrap import dedent
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from oidc_publisher.api import durations
from oidc_publisher.api.celrules import Between, Keyword, ListType, Rule
from oidc_publisher.api.common import APIModel, plain_type

#: Shorter than a line of a PEM file (64 characters): repeating such a value helps, and reveals no key.
ECHO_LIMIT = 63

_SCALARS = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    datetime: {"type": "string", "format": "date-time"},
    timedelta: {"type": "string"},
}


def object_schema(model: type[APIModel], *, opaque: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """Return the schema of `model`; `opaque` holds the types of members that get no other schema."""
    schema: dict[str, Any] = {"type": "object", "description": _one_line(model.__doc__ or ""), "properties": {}}
    required: list[str] = []
    rules = list(model.rules)
    sentences = _attribute_docstrings(model)
    for attribute, field in model.model_fields.items():
        name = field.alias or attribute
        if name in opaque:
            schema["properties"][name] = {"type": opaque[name]}
            continue
        schema["properties"][name] = _member_schema(field, sentences.get(attribute))
        rules += (_about_member(rule, name, field) for rule in _moved_rules(field.annotation, field.metadata))
        if field.is_required():
            required.append(name)
    if required:
        schema["required"] = required
    return schema | _validations(rules)


def _attribute_docstrings(model: type[APIModel]) -> dict[str, str]:
    """Return the string below each attribute. pydantic would read these at each import; only this module needs them."""
    body = ast.parse(dedent(getsource(model))).body[0]
    members = body.body if isinstance(body, ast.ClassDef) else []
    found: dict[str, str] = {}
    for member, after in pairwise(members):
        match member, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = text
    return found


def _member_schema(field: FieldInfo, description: str | None) -> dict[str, Any]:
    value = _value_schema(field.annotation, field.metadata)
    schema = {"type": value["type"], "description": value.get("description", "")}
    if field.default not in (None, PydanticUndefined, ()):
        schema["default"] = _plain(field.default)
    schema |= value
    if description:
        schema["description"] = _one_line(description)
    return schema


def _value_schema(annotation: Any, outer: Iterable[Any] = ()) -> dict[str, Any]:
    kind, metadata = plain_type(annotation), [*_metadata(annotation), *outer]
    schema = _type_schema(kind)
    for mark in metadata:
        schema |= _keywords(mark, schema["type"])
    rules = [rule for rule in _rules(metadata) if not _moves(rule, kind, schema)]
    if schema["type"] == "array":
        (item, _) = get_args(kind)
        schema["items"] = _value_schema(item)
        rules += (_about_items(rule) for rule in _moved_rules(item))
    return schema | _validations(rules)


def _type_schema(kind: Any) -> dict[str, Any]:
    if kind in _SCALARS:
        return dict(_SCALARS[kind])
    if get_origin(kind) is Literal:
        return {"type": "string", "enum": list(get_args(kind))}
    if get_origin(kind) is tuple:
        return {"type": "array"}
    if issubclass(kind, Enum):
        return {"type": "string", "enum": [member.value for member in kind]}
    if issubclass(kind, APIModel):
        return object_schema(kind)
    raise TypeError(f"{kind} has no place in a structural schema")


def _keywords(mark: Any, kind: str) -> dict[str, Any]:
    unit = "Items" if kind == "array" else "Length"
    found: dict[str, Any] = {}
    match mark:
        case MinLen():
            found[f"min{unit}"] = mark.min_length
        case MaxLen():
            found[f"max{unit}"] = mark.max_length
        case Ge():
            found["minimum"] = mark.ge
        case Between():
            found["maxLength"] = durations.MAX_LENGTH
        case Keyword():
            found[mark.name] = mark.value
        case ListType():
            found["x-kubernetes-list-type"] = mark.kind
            if mark.keys:
                found["x-kubernetes-list-map-keys"] = list(mark.keys)
        case _ if getattr(mark, "pattern", None):  # pydantic's own mark has no public class
            found["pattern"] = mark.pattern
    return found


def _metadata(annotation: Any) -> list[Any]:
    """Return the marks of Annotated at every level of `annotation`, the innermost first."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        return _metadata(inner) + [part for mark in marks for part in _parts(mark)]
    if get_origin(annotation) is not tuple and type(None) in get_args(annotation):
        return [mark for arg in get_args(annotation) for mark in _metadata(arg)]
    return []


def _parts(mark: Any) -> list[Any]:
    return list(mark.metadata) if isinstance(mark, FieldInfo) else [mark]


def _rules(metadata: Iterable[Any]) -> list[Rule]:
    rules: list[Rule] = []
    for mark in metadata:
        if isinstance(mark, Rule):
            rules.append(mark)
        elif isinstance(mark, Between):
            rules += mark.rules
    return rules


def _moves(rule: Rule, kind: Any, schema: dict[str, Any]) -> bool:
    """Return whether `rule` has to be placed outside of its value, because its refusal would repeat the value."""
    repeats = kind is str and not rule.silent and rule.reason != "FieldValueForbidden"
    return repeats and int(schema["maxLength"]) > ECHO_LIMIT


def _moved_rules(annotation: Any, outer: Iterable[Any] = ()) -> list[Rule]:
    """Return the rules of a value that have to be placed outside of the value."""
    kind, metadata = plain_type(annotation), [*_metadata(annotation), *outer]
    if kind is not str or not _rules(metadata):
        return []
    schema = _value_schema(annotation, outer)
    return [rule for rule in _rules(metadata) if _moves(rule, kind, schema)]


def _about_member(rule: Rule, name: str, field: FieldInfo) -> Rule:
    cel = _renamed(rule.cel, f"self.{name}")
    if not field.is_required():
        cel = f"!has(self.{name}) || ({cel})"
    return replace(rule, cel=cel, field_path=f".{name}")


def _about_items(rule: Rule) -> Rule:
    return replace(rule, cel=f"self.all(x, {_renamed(rule.cel, 'x')})")


def _renamed(cel: str, name: str) -> str:
    """Return the rule with `name` in place of `self`."""
    return re.sub(r"\bself\b", name, cel)


def _validations(rules: Iterable[Rule]) -> dict[str, Any]:
    """Return the rules in the form of the schema."""
    validations = []
    for rule in rules:
        entry = {"rule": rule.cel, "message": rule.message, "reason": rule.reason, "fieldPath": rule.field_path}
        validations.append({name: value for name, value in entry.items() if value is not None})
    return {"x-kubernetes-validations": validations} if validations else {}


def _plain(value: Any) -> Any:
    """Return a default as JSON; of a model only the given members, because the API server adds the others."""
    match value:
        case BaseModel():
            return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
        case tuple():
            return [_plain(item) for item in value]
        case timedelta():
            return durations.format_duration(value)
        case Enum():
            return value.value
    return value


def _one_line(text: str) -> str:
    return " ".join(cleandoc(text).split())
