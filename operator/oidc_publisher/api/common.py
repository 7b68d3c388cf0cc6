"""Define what the models of the API share: JSON names, times, durations, flags and names of Kubernetes objects."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Annotated, Any, ClassVar, Self, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, Strict, model_validator

from oidc_publisher.api.celrules import Keyword, Rule, matches
from oidc_publisher.api.durations import format_duration, parse_duration

_ACRONYMS = {"url": "URL", "uri": "URI", "id": "ID", "ids": "IDs"}


def wire_name(attribute: str) -> str:
    """Return an attribute's name in JSON: `issuer_url` is `issuerURL`, `withdrawn_key_ids` is `withdrawnKeyIDs`."""
    first, *rest = attribute.split("_")
    return first + "".join(_ACRONYMS.get(word, word.capitalize()) for word in rest)


def plain_type(annotation: Any) -> Any:
    """Return `annotation` without Annotated and without None."""
    if get_origin(annotation) is Annotated:
        return plain_type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        (member,) = (arg for arg in get_args(annotation) if arg is not type(None))
        return plain_type(member)
    return annotation


class APIModel(BaseModel):
    """An APIModel is a frozen part of an OIDCIssuer. Reading one ignores members that this version does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=wire_name,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,  # validators are built at first use, because a start of the operator uses few
    )

    #: The rules about the object as a whole.
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        # The API server drops a null member before it sets defaults, so that null means absent.
        if not isinstance(data, Mapping):
            return data
        return {name: value for name, value in data.items() if value is not None}

    @model_validator(mode="after")
    def _keeps_rules(self) -> Self:
        for rule in self.rules:
            rule.check(self)
        return self


def _read_duration(value: Any) -> timedelta:
    return _duration_of(value, digits=5)


def _read_long_duration(value: Any) -> timedelta:
    return _duration_of(value, digits=11)


def _duration_of(value: Any, *, digits: int) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004 - pydantic collects ValueError, not TypeError
    return parse_duration(value, digits=digits)


def round_up(time: datetime) -> datetime:
    """Convert `time` to UTC and round it up to a whole second, because every base time errs late (rotation rules).

    Raises ValueError for a time without a zone and for one that the calendar cannot hold.
    """
    if time.tzinfo is UTC and not time.microsecond:  # most times have been rounded before
        return time
    if time.tzinfo is None:
        raise ValueError("must have a time zone")
    try:
        return (time.astimezone(UTC) + timedelta(microseconds=-time.microsecond % 1_000_000)).replace(microsecond=0)
    except OverflowError:
        raise ValueError("must be a time between the years 1 and 9999") from None


def format_time(time: datetime) -> str:
    """Format `time` as the API writes it: RFC 3339 in UTC, whole seconds, with Z."""
    return round_up(time).replace(tzinfo=None).isoformat() + "Z"


def _read_time(value: Any) -> datetime:
    if isinstance(value, str) and "T" in value:
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a time such as 2026-01-31T12:00:00Z") from None
    if not isinstance(value, datetime):
        raise ValueError("must be a time such as 2026-01-31T12:00:00Z")  # noqa: TRY004 - as above
    return round_up(value)


#: A duration of the spec, with at most five digits per unit; each field has bounds of its own.
Duration = Annotated[timedelta, BeforeValidator(_read_duration), PlainSerializer(format_duration, return_type=str)]
#: A duration of the status, of any length.
LongDuration = Annotated[
    timedelta, BeforeValidator(_read_long_duration), PlainSerializer(format_duration, return_type=str)
]
#: An aware UTC time in whole seconds.
Time = Annotated[datetime, BeforeValidator(_read_time), PlainSerializer(format_time, return_type=str)]

_UTC_TIME = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


#: A time of the spec. It has rules and no `format`, because a refusal for a wrong format repeats the whole value.
UTCTime = Annotated[
    str,
    Field(max_length=40),
    Rule(
        f"self.matches('{_UTC_TIME}')",
        "must be a time in UTC such as 2026-01-31T12:00:00Z",
        lambda v: re.fullmatch(_UTC_TIME, v) is not None,
    ),
    Rule(
        f"!self.matches('{_UTC_TIME}') || timestamp(self) >= timestamp('0001-01-01T00:00:00Z')",
        "must be a day of the calendar",
        lambda v: re.fullmatch(_UTC_TIME, v) is None or _is_time(v),
    ),
]

Flag = Annotated[bool, Strict()]
Int32 = Annotated[int, Strict(), Keyword("format", "int32")]
Int64 = Annotated[int, Strict(), Keyword("format", "int64")]

#: A port as a regular expression: 1 to 65535, no leading zero.
PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

#: A name of one label: of namespaces and of key sources.
Label = Annotated[
    str,
    Field(min_length=1, max_length=63),
    matches(
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "must be lower-case letters, digits and -, with a letter or digit at each end",
    ),
]
#: A name of a Kubernetes object.
ObjectName = Annotated[
    str,
    Field(min_length=1, max_length=253),
    matches(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "must be lower-case letters, digits, - and ., with a letter or digit at each end of every part",
    ),
]

#: The rule of fields that would otherwise accept a pasted private key.
NO_PRIVATE_KEY = Rule("!self.contains('PRIVATE KEY')", "must hold no private key", lambda v: "PRIVATE KEY" not in v)

#: PEM certificates to trust beside the system's roots; each field states for which connections.
CertificateAuthority = Annotated[
    str,
    Field(min_length=1, max_length=32768),
    Rule(
        "self.contains('-----BEGIN CERTIFICATE-----') && !self.contains('PRIVATE KEY-----')",
        "must be PEM certificates (-----BEGIN CERTIFICATE-----) and hold no private key",
        lambda v: "-----BEGIN CERTIFICATE-----" in v and "PRIVATE KEY-----" not in v,
    ),
]


def has_dot_segment(path: str) -> bool:
    """Return whether a segment of `path` is `.` or `..`."""
    return not {".", ".."}.isdisjoint(path.split("/"))


#: The rules of a path below a prefix or a URL; each field has a maximum length of its own.
NO_OUTER_SLASH = Rule(
    "!self.startsWith('/') && !self.endsWith('/')",
    "must not begin or end with a slash",
    lambda v: not v.startswith("/") and not v.endswith("/"),
)
PATH_CHARACTERS = Rule(
    "self.matches(r'^[A-Za-z0-9._~/-]*$') && !self.contains('//') && !self.matches(r'(^|/)[.]{1,2}(/|$)')",
    "may hold letters, digits and . _ ~ - between single slashes, and no . or .. segment",
    lambda v: re.fullmatch("[A-Za-z0-9._~/-]*", v) is not None and "//" not in v and not has_dot_segment(v),
)
