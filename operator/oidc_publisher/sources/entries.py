"""Read the matching entries of a ConfigMap, a Secret or a folder, with keys and versions, as one reading. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

import re2

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.harmless import harmless
from oidc_publisher.keys import KeyDefect, parse_version, read_entry
from oidc_publisher.rotation import Listing, SourceReading
from oidc_publisher.sources.port import SourceResult


@dataclass(frozen=True, slots=True)
class EntryContent:
    """An entry holds its content, which is never printed, or in `problem` why it has none (an unreadable file)."""

    content: bytes = field(default=b"", repr=False)
    problem: str = ""


class EntryPattern:
    """An EntryPattern matches whole names of entries by spec.keySources[].*.entryPattern, as it was admitted.

    It uses RE2, whose time is linear in the length of the name, whatever the pattern.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = re2.compile(pattern)

    def match(self, name: str) -> tuple[bool, str | None]:
        """Return whether the name matches, and the text of the group `version` where that group took part."""
        try:
            found = self._pattern.fullmatch(name)
        except UnicodeEncodeError:  # a file's name may be no valid text; RE2 matches UTF-8
            return False, None
        if found is None:
            return False, None
        return True, found.groupdict().get("version") or None


@dataclass(frozen=True, slots=True)
class _Counted:
    """A matching entry has a name, the version in the name, and the error where that version is no number."""

    name: str
    version: int | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class _EntrySaid:
    """The result of reading one entry."""

    entry: _Counted
    listings: tuple[Listing, ...] = ()
    defects: tuple[KeyDefect, ...] = ()

    @property
    def unreadable(self) -> bool:
        """Whether the entry may hold keys that were not read. A known key that is left out does not count."""
        return any(defect.reason is not Reason.KeyUnsupported for defect in self.defects)


def read_entries(
    name: str,
    where: str,
    names: Collection[str],
    content: Callable[[str], EntryContent],
    pattern: EntryPattern,
    *,
    empty_is_normal: bool,
) -> SourceResult:
    """Return the reading of source `name` from the entries of `where` (`ConfigMap ns/name`) that match the pattern.

    `content` is called for matching entries only, one after the other. No other entry is read, and the content of one
    entry is released before the next. `empty_is_normal`: OpenShift keeps zero-byte entries in ConfigMaps and Secrets,
    whereas a zero-byte file is half written.
    """
    said = [_read(entry, content(entry.name), empty_is_normal=empty_is_normal) for entry in _counted(names, pattern)]
    listings = tuple(listing for one in said for listing in one.listings)
    findings = [*_findings(where, said)]
    if not listings:
        findings.append(_empty(name, where, matched=len(said), total=len(names)))
    reading = SourceReading(
        name,
        complete=bool(listings),
        listings=listings,
        unreadable=frozenset(one.entry.name for one in said if one.unreadable),
        missing=() if listings else (f"a usable key in {where}",),
    )
    return SourceResult(reading, tuple(findings))


def _counted(names: Iterable[str], pattern: EntryPattern) -> list[_Counted]:
    """Return the matching entries, the highest version first, because the first version of a key counts."""
    found = []
    for name in names:
        matched, text = pattern.match(name)
        if matched:
            found.append(_numbered(name, text))
    return sorted(found, key=lambda entry: (entry.version is None, -(entry.version or 0), entry.name))


def _numbered(name: str, text: str | None) -> _Counted:
    """Parse the version of an entry. Without a valid version the keys still count, because it only orders them."""
    try:
        return _Counted(name, None if text is None else parse_version(text))
    except KeyRefusedError as error:
        return _Counted(name, refused=error.message)


def _read(entry: _Counted, got: EntryContent, *, empty_is_normal: bool) -> _EntrySaid:
    if got.problem:
        return _EntrySaid(entry, defects=(KeyDefect(Reason.EntryUnreadable, got.problem),))
    read = read_entry(got.content)
    if read.empty and not empty_is_normal:
        return _EntrySaid(
            entry, defects=(KeyDefect(Reason.EntryUnreadable, "is empty, as a file is while it is written"),)
        )
    return _EntrySaid(entry, tuple(Listing(key, entry.name, entry.version) for key in read.keys), read.defects)


def _findings(where: str, said: Iterable[_EntrySaid]) -> Iterator[Finding]:
    for one in said:
        shown = harmless(one.entry.name)
        place, subject = f"Entry {shown} of {where}", f"{where}/{shown}"
        for defect in one.defects:
            yield Finding.of(defect.reason, f"{place}: {defect.detail}", subject=subject)
        if one.entry.refused and one.listings:
            hint = "Its keys are published without it; rename the entry, or correct the group version of entryPattern."
            yield Finding.of(Reason.EntryUnreadable, f"{place}: {one.entry.refused}", subject=subject, hint=hint)


def _empty(source: str, where: str, *, matched: int, total: int) -> Finding:
    if total and not matched:
        message = f"No entry of {where} matches the entryPattern of source {source}"
        return Finding.of(
            Reason.SourceEmpty,
            message,
            subject=where,
            hint="Correct entryPattern, or restore the entries; nothing is delisted because of it.",
        )
    return Finding.of(Reason.SourceEmpty, f"{where} names no usable key", subject=where)
