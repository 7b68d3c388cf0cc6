"""The manifest of `plan`, read and refused as kubectl and the API server do. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterator, Mapping
from itertools import islice
from typing import Any, NoReturn, get_args, get_origin

import yaml
from pydantic import TypeAdapter, ValidationError

from oidc_publisher.api import KIND, OIDCIssuer, read_issuer
from oidc_publisher.api.common import APIModel, ObjectName, plain_type
from oidc_publisher.errors import InvalidObjectError
from oidc_publisher.findings import Reason
from oidc_publisher.wording import listed

#: The members of metadata that the API server knows (ObjectMeta of meta/v1).
_METADATA = (
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
_TOP = ("apiVersion", "kind", "metadata", "spec", "status")
#: A file may hold other objects as well, but PyYAML takes ten seconds and 150 MB to parse this much.
MAX_MANIFEST_BYTES = 2**20
#: A message names at most so many unknown fields, names or kinds.
_NAMED = 6
_APPLY = "Give one OIDCIssuer, as `kubectl apply -f` takes it."


def read_manifest(text: str | bytes, name: str) -> OIDCIssuer:
    """Read the one OIDCIssuer from the YAML or JSON of a file called `name`, without its status.

    Objects of other kinds are skipped. Each object of a List counts as a document of its own.

    Raises:
        InvalidObjectError: the file has no OIDCIssuer or several, is no YAML, is longer than MAX_MANIFEST_BYTES, has
            fields that do not exist, or breaks a rule of the CRD (SpecUnsupported). The message repeats no value.
    """
    if len(text) > MAX_MANIFEST_BYTES:
        _refuse(f"{name} is larger than 1 MiB, and an OIDCIssuer never is", _APPLY)
    objects = _objects(text, name)
    found = [obj for obj in objects if obj.get("kind") == KIND]
    if len(found) > 1:
        names = listed((_name(obj) or "one without a name" for obj in found), most=_NAMED)
        _refuse(f"{name} holds {len(found)} OIDCIssuers ({names}), and a plan is about one", _APPLY)
    if not found:
        kinds = listed(
            dict.fromkeys(_shown(obj.get("kind") or "an object without a kind") for obj in objects), most=_NAMED
        )
        _refuse(f"{name} holds no OIDCIssuer ({f'but {kinds}' if kinds else 'it is empty'})", _APPLY)
    return _checked(found[0], name)


def _checked(obj: Mapping[str, Any], name: str) -> OIDCIssuer:
    if obj.get("apiVersion") is None:
        _refuse(f"{name}: apiVersion is required")
    unknown = tuple(islice(unknown_fields(obj), _NAMED + 1))
    if unknown:
        more = " and more" if len(unknown) > _NAMED else ""
        _refuse(f"{name}: {', '.join(unknown[:_NAMED])}{more}", "kubectl explain oidcissuer.spec lists the fields.")
    issuer = read_issuer({member: value for member, value in obj.items() if member != "status"})
    try:
        TypeAdapter(ObjectName).validate_python(issuer.metadata.name)
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"]
        _refuse(f"{name}: metadata.name: {reason}")
    return issuer


def unknown_fields(obj: Mapping[str, Any]) -> Iterator[str]:
    """Yield each field that does not exist as kubectl names it, with the name that was probably meant."""
    yield from _strangers(obj, _TOP, "")
    metadata = obj.get("metadata")
    if isinstance(metadata, Mapping):
        yield from _strangers(metadata, _METADATA, "metadata.")
    yield from _unknown(OIDCIssuer.model_fields["spec"].annotation, obj.get("spec"), "spec")


def _unknown(kind: Any, value: Any, path: str) -> Iterator[str]:
    """Yield the fields of `value` that `kind` does not have; the schema refuses a value of another type."""
    kind = plain_type(kind)
    if get_origin(kind) is tuple and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown(get_args(kind)[0], item, f"{path}[{number}]")
    elif isinstance(kind, type) and issubclass(kind, APIModel) and isinstance(value, Mapping):
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        yield from _strangers(value, tuple(fields), f"{path}.")
        for member, field in fields.items():
            yield from _unknown(field.annotation, value.get(member), f"{path}.{member}")


def _strangers(value: Mapping[Any, Any], known: tuple[str, ...], path: str) -> Iterator[str]:
    for member in value:
        if member in known:
            continue
        meant = _meant(str(member), known)
        hint = f" (is {path}{meant} meant?)" if meant else ""
        yield f'unknown field "{path}{_shown(member)}"{hint}'


def _meant(member: str, known: tuple[str, ...]) -> str | None:
    """Find the known name that differs in a letter or in case (`issuerUrl`)."""
    lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(member.lower(), lower, n=1, cutoff=0.8)
    return lower[close[0]] if close else None


def _shown(member: object) -> str:
    text = "".join(c if c.isprintable() else "?" for c in str(member))
    return text if len(text) <= 63 else f"{text[:63]}..."  # noqa: PLR2004 - longer than any name; a key may be pasted


def _objects(text: str | bytes, name: str) -> list[Mapping[str, Any]]:
    try:
        documents = [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        _refuse(f"{name} is not YAML: {_where(error)}")
    except ValueError:  # PyYAML's own types: a number of too many digits
        _refuse(f"{name} is not YAML: a number in it is too long")
    return [obj for document in _all_objects(documents, "document", name) for obj in _unlisted(document, name)]


def _unlisted(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the objects of a List as `kubectl get` prints it, or the object itself."""
    if document.get("kind") not in ("List", f"{KIND}List"):
        return [document]
    items = document.get("items")
    if not isinstance(items, list):
        _refuse(f"{name}: a {document['kind']} without items", _APPLY)
    return _all_objects(items, "item", name)


def _all_objects(values: list[Any], noun: str, name: str) -> list[Mapping[str, Any]]:
    for number, value in enumerate(values, start=1):
        if not isinstance(value, Mapping):
            alone = len(values) == 1 and noun == "document"
            _refuse(f"{name if alone else f'{noun} {number} of {name}'} is no Kubernetes object", _APPLY)
    return values


def _where(error: Exception) -> str:
    """Say what the parser did not understand and where, without the line: it may hold a key."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return "it is nested too deeply" if isinstance(error, RecursionError) else "it holds what is no text"
    mark = error.problem_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}{error.problem}"


def _name(obj: Mapping[str, Any]) -> str:
    metadata = obj.get("metadata")
    return _shown(metadata.get("name") or "") if isinstance(metadata, Mapping) else ""


def _refuse(message: str, hint: str = "") -> NoReturn:
    raise InvalidObjectError(Reason.SpecUnsupported, message, hint=hint)


class _Loader(yaml.SafeLoader):
    """A YAML loader as kubectl's: a field that is given twice is an error, and a date stays a string."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - its signature
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'field "{_shown(key)}" is there twice', key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
