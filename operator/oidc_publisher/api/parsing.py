"""Read objects from the API server or a file: the spec strictly, the status without its malformed parts."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from oidc_publisher.api.common import APIModel, plain_type
from oidc_publisher.api.specerrors import invalid_object, no_object
from oidc_publisher.api.status import OIDCIssuerStatus, StatusPublication
from oidc_publisher.api.v1alpha1 import OIDCIssuer

#: The members of status that hold the ledger of the rotation.
_LEDGER = ("keys", "ledger", "publication")

_Model = TypeVar("_Model", bound=APIModel)


class StatusReading(NamedTuple):
    """A StatusReading holds a status, and the paths below `status` of the dropped parts (`keys[2].retireTime`)."""

    status: OIDCIssuerStatus
    dropped: tuple[str, ...]


def read_issuer(obj: Mapping[str, Any]) -> OIDCIssuer:
    """Read the OIDCIssuer in `obj`, with the API's defaults where a member is absent.

    Raises `InvalidObjectError` (SpecUnsupported), which names every faulty field and repeats no value. Members that
    this version does not know are ignored. The status is read as by `read_status`, which also returns what was dropped.
    """
    if not isinstance(obj, Mapping):
        raise no_object()
    try:
        issuer = OIDCIssuer.model_validate({k: v for k, v in obj.items() if k != "status"})
    except ValidationError as error:
        raise invalid_object(error, name=_name(obj)) from None  # the cause would repeat the values
    if obj.get("status") is None:
        return issuer
    return issuer.model_copy(update={"status": read_status(obj).status})


def read_status(obj: Mapping[str, Any]) -> StatusReading:
    """Read the status in `obj` without its malformed parts. The function never raises.

    As little as possible is dropped. A malformed optional member is dropped alone. An entry of a list is dropped when a
    required member of the entry is malformed (a key without keyID); the other entries stay. The serial of the
    publication stands for the ledger as a whole: where a part of the ledger is dropped, the serial is dropped too, and
    the rotation rebuilds the ledger from the store (R9).
    """
    raw = obj.get("status") if isinstance(obj, Mapping) else None
    if raw is None:
        return StatusReading(OIDCIssuerStatus(), ())
    dropped: list[str] = []
    status = _read_model(OIDCIssuerStatus, raw, "", dropped) or OIDCIssuerStatus()
    if any(path.startswith(_LEDGER) for path in dropped):
        publication = status.publication or StatusPublication()
        status = status.model_copy(update={"publication": publication.model_copy(update={"serial": None})})
    return StatusReading(status, tuple(name or "status" for name in dropped))


def _name(obj: Mapping[str, Any]) -> str:
    metadata = obj.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) and len(name) <= 63 and name.isprintable() else ""  # noqa: PLR2004 - as the CRD says


def _read_model(model: type[_Model], raw: Any, path: str, dropped: list[str]) -> _Model | None:
    if not isinstance(raw, Mapping):
        dropped.append(path)
        return None
    members = dict(raw)
    for mend in (_mended, _removed):
        try:
            return model.model_validate(members)
        except ValidationError as error:
            faulty = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        for name, field in ((wire, field) for wire, field in _fields(model) if wire in faulty and wire in members):
            member = mend(field, members.pop(name), f"{path}.{name}".removeprefix("."), dropped)
            if member is not None:
                members[name] = member
    try:
        return model.model_validate(members)
    except ValidationError:
        dropped.append(path)
        return None


def _fields(model: type[APIModel]) -> list[tuple[str, FieldInfo]]:
    return [(field.alias or name, field) for name, field in model.model_fields.items()]


def _removed(field: FieldInfo, raw: Any, path: str, dropped: list[str]) -> None:  # noqa: ARG001 - as _mended
    dropped.append(path)


def _mended(field: FieldInfo, raw: Any, path: str, dropped: list[str]) -> Any:
    """Return the valid part of a faulty member, None when there is none."""
    kind = plain_type(field.annotation)
    if get_origin(kind) is tuple and isinstance(raw, list):
        items = [_mended_item(get_args(kind)[0], item, f"{path}[{i}]", dropped) for i, item in enumerate(raw)]
        return [item for item in items if item is not None]
    if _is_model(kind):
        return _read_model(kind, raw, path, dropped)
    return _removed(field, raw, path, dropped)


def _mended_item(kind: Any, raw: Any, path: str, dropped: list[str]) -> Any:
    if _is_model(kind):
        return _read_model(kind, raw, path, dropped)
    try:
        return TypeAdapter(kind).validate_python(raw)
    except ValidationError:
        dropped.append(path)
        return None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, APIModel)
