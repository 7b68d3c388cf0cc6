"""Faults of the JSON of the discovery document, which is right in all else."""

from __future__ import annotations

import json
from collections.abc import Callable

from oidc_publisher.findings import Reason
from tests.gallery.answers import body
from tests.gallery.case import Case


def _case(name: str, broken: str, change: Callable[[bytes], bytes]) -> Case:
    return Case(name, broken, lambda place: place.change(body(change)), Reason.DocumentInvalid)


def _first(member: bytes) -> Callable[[bytes], bytes]:
    return lambda content: b"{" + member + b", " + content.lstrip()[1:]


CASES = (
    _case("empty", "the document has no byte", lambda _: b""),
    _case("cut-in-the-middle", "the document ends in the middle", lambda content: content[: len(content) // 2]),
    _case("array", "the document is a list with the object in it", lambda content: b"[" + content + b"]"),
    _case("bom", "the document begins with a byte order mark", lambda content: b"\xef\xbb\xbf" + content),
    _case("utf-16", "the document is in UTF-16", lambda content: content.decode().encode("utf-16")),
    _case("latin-1", "the document holds a byte that is not UTF-8", _first(b'"service_documentation": "Schl\xfcssel"')),
    _case("member-twice", "the member issuer stands there twice", _first(b'"issuer": "https://other.test"')),
    _case("member-in-capitals", "a second member is called ISSUER", _first(b'"ISSUER": "https://other.test"')),
    _case("trailing-data", "a second document follows the first", lambda content: content + content),
    _case("nan", "a member has the value NaN", _first(b'"version": NaN')),
    _case(
        "trailing-comma",
        "a comma stands behind the last member",
        lambda content: content.rstrip()[:-1].rstrip() + b",}",
    ),
    _case("comment", "a comment stands in the document", lambda content: b"// written by hand\n" + content),
    _case("lone-surrogate", "a member holds half of a surrogate pair", _first(rb'"service_documentation": "\ud800"')),
    _case("deep", "a member is nested 20,000 levels deep", _first(b'"deep": ' + b"[" * 20_000 + b"]" * 20_000)),
    _case("quoted", "the document is a string that holds JSON", lambda content: json.dumps(content.decode()).encode()),
)
