"""The change of a document as a unified diff: headers and owner mark first, then the indented JSON. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from oidc_publisher.documents import Document, StoredDocument, WriteReason
from oidc_publisher.documents.ownermark import own_metadata
from oidc_publisher.errors import DocumentInvalidError
from oidc_publisher.keys.strictjson import parse_object
from oidc_publisher.stores.storable import MAX_BODY_BYTES

_CONTEXT = 3
#: An object in a list that is a member of the document, as json.dumps indents it: a key of a key set.
_OPENS, _CLOSES = "    {", "    }"
#: How much is shown of a body that is no JSON, such as an error page.
_FOREIGN_LINES, _FOREIGN_COLUMNS = 20, 200


_Opcode = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """A document in lines: its headers with the owner mark, and its body with the JSON indented."""

    headers: tuple[str, ...]
    body: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """Headers and body with an empty line between them."""
        return (*self.headers, "", *self.body)


def as_shown(document: Document, *, content_encoding: str = "") -> Shown:
    """Write a document in lines that people can compare."""
    headers = {"Content-Type": document.content_type, "Cache-Control": document.cache_control}
    headers |= {"Content-Encoding": content_encoding} if content_encoding else {}
    headers |= dict(sorted(own_metadata(document.metadata).items()))
    return Shown(tuple(f"{name}: {value or '(none)'}" for name, value in headers.items()), tuple(_body(document.body)))


def unified_diff(path: str, stored: StoredDocument | None, planned: Document) -> tuple[str, ...]:
    """Return the lines of a unified diff from the stored document at `path` to the planned one.

    A key of a key set counts as one unit, which enters, leaves or stays as a whole. A comma behind a key is no change.
    """
    before = () if stored is None else _shown_stored(stored).lines
    after = as_shown(planned).lines
    hunks = tuple(_hunks(before, after))
    if not hunks:
        return ()
    return (f"--- {f'{path} (stored)' if stored else '/dev/null'}", f"+++ {path} (planned)", *hunks)


def what_changes(stored: StoredDocument | None, planned: Document, reason: WriteReason) -> str:
    """Say why a document is written, and which part of it does not change."""
    if stored is None:
        return reason.value
    if reason is WriteReason.HEADERS_CHANGED:
        return f"{reason.value}; its content stays"
    if reason is WriteReason.SERIAL_RAISED:
        return reason.value
    if reason is WriteReason.MARK_CHANGED:
        return f"{reason.value}; its content and headers stay"
    if _shown_stored(stored).body == as_shown(planned).body:
        return f"{reason.value}: the same JSON in other bytes"
    return reason.value


def _shown_stored(stored: StoredDocument) -> Shown:
    return as_shown(stored.document, content_encoding=stored.content_encoding)


def _body(body: bytes) -> Iterator[str]:
    try:
        members = parse_object(body, max_bytes=MAX_BODY_BYTES)
    except DocumentInvalidError:
        yield from _foreign(body)
        return
    yield from json.dumps(members, indent=2).splitlines()


def _foreign(body: bytes) -> Iterator[str]:
    """Yield the first lines of a body that is no JSON object."""
    lines = body.decode(errors="replace").splitlines()
    for line in lines[:_FOREIGN_LINES]:
        printable = "".join(c if c.isprintable() else "?" for c in line)
        more = len(printable) > _FOREIGN_COLUMNS
        yield f"{printable[:_FOREIGN_COLUMNS]}..." if more else printable
    if len(lines) > _FOREIGN_LINES:
        yield f"... and {len(lines) - _FOREIGN_LINES} more lines ({len(body)} bytes)"


def _hunks(before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[str]:
    for group in _Matcher(before, after).get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@"
        for tag, i, j, k, m in group:
            if tag == "equal":
                yield from (f" {line}" for line in after[k:m])
                continue
            yield from (f"-{line}" for line in before[i:j])
            yield from (f"+{line}" for line in after[k:m])


class _Matcher(difflib.SequenceMatcher[tuple[str, ...]]):
    """A matcher that compares units, and reports the steps in lines."""

    def __init__(self, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        old, new = _units(before), _units(after)
        super().__init__(None, [_alike(unit) for unit in old], [_alike(unit) for unit in new], autojunk=False)
        self._old_at, self._new_at = _offsets(old), _offsets(new)

    def get_opcodes(self) -> list[_Opcode]:
        """Return the steps in lines; `get_grouped_opcodes` takes them from here."""
        old, new = self._old_at, self._new_at
        return [(tag, old[i], old[j], new[k], new[m]) for tag, i, j, k, m in super().get_opcodes()]


def _units(lines: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Group lines into units: each object in a list of the document is one unit, each other line another."""
    units: list[list[str]] = []
    inside = False
    for line in lines:
        units[-1].append(line) if inside else units.append([line])
        inside = (inside or line == _OPENS) and not line.startswith(_CLOSES)
    return [tuple(unit) for unit in units]


def _alike(unit: tuple[str, ...]) -> tuple[str, ...]:
    return (*unit[:-1], unit[-1].removesuffix(","))


def _offsets(units: list[tuple[str, ...]]) -> tuple[int, ...]:
    """Return the line at which each unit begins, and the line behind the last one."""
    return tuple(accumulate((len(unit) for unit in units), initial=0))


def _range(begin: int, end: int) -> str:
    """Write a range of lines as a unified diff does."""
    count = end - begin
    return str(begin + 1) if count == 1 else f"{begin + 1 if count else begin},{count}"
