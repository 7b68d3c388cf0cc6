"""Describe the errors of an object that cannot be used."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from oidc_publisher.errors import InvalidObjectError
from oidc_publisher.findings.catalogue import Reason

HINT = (
    "Correct the fields named here (kubectl explain {kind}.spec describes them), or run the version of "
    "oidc-publisher that this object was written for."
)
_ISSUER = "OIDCIssuer"

#: The sentences by pydantic's types of errors. Members of the context are limits of the model, never the value.
_SENTENCES = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have at most {max_length} entries",
    "enum": "must be one of {expected}",
    "literal_error": "must be {expected}",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "tuple_type": "must be a list",
}


def invalid_object(error: ValidationError, *, name: str = "", kind: str = _ISSUER) -> InvalidObjectError:
    """Translate `error` into an InvalidObjectError that names each field and its defect, and repeats no value."""
    problems = error.errors(include_url=False, include_input=False)
    at_fault = {problem["loc"] for problem in problems}
    return _invalid([_sentence(p) for p in problems if not _follows(p, at_fault)], name, kind)


def no_object() -> InvalidObjectError:
    """Return the error for a value that is no object at all."""
    return _invalid(["it must be an object"], "", _ISSUER)


def _invalid(problems: Iterable[str], name: str, kind: str) -> InvalidObjectError:
    return InvalidObjectError(
        Reason.SpecUnsupported,
        f"The {kind} cannot be used: {'; '.join(problems)}",
        hint=HINT.format(kind=kind.lower()),
        retryable=False,
        subject=name,
    )


def _follows(problem: Mapping[str, Any], at_fault: Iterable[tuple[int | str, ...]]) -> bool:
    """Return whether a list is only reported as too short because pydantic does not count its faulty entries."""
    place = problem["loc"]
    return problem["type"] == "too_short" and any(len(p) > len(place) and p[: len(place)] == place for p in at_fault)


def _sentence(problem: Mapping[str, Any]) -> str:
    context = problem.get("ctx", {})
    path = field_path(problem["loc"]) + context.get("field_path", "")
    known = _SENTENCES.get(problem["type"])
    text = known.format(**context) if known else problem["msg"].removeprefix("Value error, ")
    return f"{path}: {text}" if path else text


def field_path(location: Iterable[int | str]) -> str:
    """Format a pydantic location as the API server writes a path: `spec.keySources[0].name`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).removeprefix(".")
