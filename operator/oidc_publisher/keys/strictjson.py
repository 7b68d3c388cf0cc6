"""Parse JSON as the strictest relying party does, and refuse what any of them would refuse.

The module is part of this package because it reads key sets on both sides: the cluster's and the published ones.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from oidc_publisher.errors import DocumentInvalidError
from oidc_publisher.findings import Reason
from oidc_publisher.wording import quoted_to

#: The probe's limit for one document (design.md, proving).
MAX_DOCUMENT_BYTES = 64 * 1024
#: A key set is three levels deep. Go refuses more than 10,000 levels, other parsers overflow their stack.
MAX_DEPTH = 32

# Possessive quantifiers make this one pass over the text, whatever it holds.
_TOKENS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_ERROR_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")


def parse_object(data: bytes, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> dict[str, Any]:
    """Return the JSON object in `data`.

    Raises DocumentInvalidError, whose message continues after the document's name: "is an HTML page", "has the member
    "keys" twice". Refused are a BOM, other encodings than UTF-8, members with the same name or names that differ by
    case only (encoding/json of Go takes the last), NaN and Infinity, lone surrogates, deep nesting and more than
    `max_bytes`.
    """
    if len(data) > max_bytes:
        _refuse(f"is larger than {max_bytes // 1024} KiB")
    text = _text(data)
    if _depth(text) > MAX_DEPTH:
        _refuse(f"is nested more than {MAX_DEPTH} levels deep")
    value = _value(text)
    if not isinstance(value, dict):
        _refuse("is JSON but not an object")
    return value


def _text(data: bytes) -> str:
    if not data.strip():
        _refuse("is empty")
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        _refuse("begins with a BOM, which Go and Rust parsers refuse")  # relying-parties.md
    if data.startswith(b"\x1f\x8b"):
        _refuse("is compressed with gzip")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("is not UTF-8")
    if text.lstrip().startswith("<"):
        _refuse(_markup(text))
    return text


def _markup(text: str) -> str:
    """Name the page that was served in place of the document, usually the error page of a store or a CDN."""
    head = text.lstrip()[:512].lower()
    if head.startswith("<!doctype html") or "<html" in head:
        return "is an HTML page"
    code = _ERROR_CODE.search(text)
    return f"is an XML error page with the code {code[1]}" if code else "is an XML page"


def _depth(text: str) -> int:
    depth = deepest = 0
    for mark in _TOKENS.findall(text):
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _value(text: str) -> Any:
    try:
        value = _DECODER.decode(text)
        if "\\u" in text:  # UTF-8 holds no half of a pair, so that only an escape can
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        _refuse("holds half of a surrogate pair")
    except json.JSONDecodeError as error:
        _refuse(f"is not JSON ({_place(error)})")
    except ValueError:  # an integer longer than Python converts
        _refuse("holds a number that is too long")
    return value


def _place(error: json.JSONDecodeError) -> str:
    """Name the place of an error: of a comma too many the comma, which older Pythons than 3.13 do not name."""
    before = error.doc[: error.pos].rstrip()
    if before.endswith(",") and error.doc.startswith(("}", "]"), error.pos):
        error = json.JSONDecodeError(error.msg, error.doc, len(before) - 1)
    return f"line {error.lineno}, column {error.colno}"


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, str] = {}
    for name, _ in pairs:
        former = seen.setdefault(name.casefold(), name)
        if former != name:
            _refuse(f"has the members {quoted(former)} and {quoted(name)}, which Go parsers take for one")
    if len(seen) < len(pairs):
        names = [name for name, _ in pairs]
        _refuse(f"has the member {quoted(next(name for name in names if names.count(name) > 1))} twice")
    return dict(pairs)


def _constant(name: str) -> NoReturn:
    _refuse(f"holds {name}, which is not JSON")


def quoted(value: object) -> str:
    """Quote a foreign value for a message as printable ASCII, cut after 64 characters."""
    text = value if isinstance(value, str) else json.dumps(value)
    return quoted_to(64, text)


def _refuse(message: str) -> NoReturn:
    raise DocumentInvalidError(Reason.DocumentInvalid, message)


#: One for all texts, because json.loads would make a decoder and its scanner for each.
_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant)
