"""Entries of a ConfigMap, a Secret or a folder as one reading: which count, their keys, their versions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import re2

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys import KeyDefect, parse_version, read_entry
from oidc_publisher.rotation import Listing, SourceReading
from oidc_publisher.sources.port import SourceResult


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry by its name; `problem` is why it has no content (a file that cannot be read)."""

    content: bytes = b""
    problem: str = ""


class EntryPattern:
    """spec.keySources[].*.entryPattern: RE2, as the API server admitted it, for the whole name of an entry.

    RE2 needs time linear in the name, whatever the pattern.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = re2.compile(pattern)

    def match(self, name: str) -> tuple[bool, str | None]:
        """Whether the entry counts, and the text of its group `version` where the pattern has one that took part."""
        found = self._pattern.fullmatch(name)
        if found is None:
            return False, None
        return True, found.groupdict().get("version")


@dataclass(frozen=True, slots=True)
class _Said:
    """What one entry said."""

    name: str
    listings: tuple[Listing, ...] = ()
    defects: tuple[KeyDefect, ...] = ()

    @property
    def unreadable(self) -> bool:
        """Whether it may hold keys that were not seen; a key that is known and left out does not count."""
        return any(defect.reason is not Reason.KeyUnsupported for defect in self.defects)


def read_entries(
    name: str, identity: str, where: str, entries: Mapping[str, Entry], pattern: EntryPattern, *, empty_is_normal: bool
) -> SourceResult:
    """The reading of source `name` from the entries of `where` (`ConfigMap ns/name`), in the order of their names.

    `empty_is_normal`: OpenShift keeps zero-byte entries in ConfigMaps and Secrets; a zero-byte file is half written.
    """
    said = [
        _read(entry_name, entries[entry_name], version, empty_is_normal=empty_is_normal)
        for entry_name in sorted(entries)
        for matched, version in (pattern.match(entry_name),)
        if matched
    ]
    listings = tuple(listing for one in said for listing in one.listings)
    findings = [*_defects(where, said)]
    if not listings:
        findings.append(_empty(name, where, matched=len(said), total=len(entries)))
    reading = SourceReading(
        name,
        identity,
        complete=bool(listings),
        listings=listings,
        unreadable=frozenset(one.name for one in said if one.unreadable),
        missing=() if listings else (f"a usable key in {where}",),
    )
    return SourceResult(reading, tuple(findings))


def _read(name: str, entry: Entry, version: str | None, *, empty_is_normal: bool) -> _Said:
    if entry.problem:
        return _Said(name, defects=(KeyDefect(Reason.EntryUnreadable, entry.problem),))
    try:
        number = None if version is None else parse_version(version)
    except KeyRefusedError as error:
        return _Said(name, defects=(KeyDefect(error.reason, error.message),))
    read = read_entry(entry.content)
    if read.empty and not empty_is_normal:
        return _Said(name, defects=(KeyDefect(Reason.EntryUnreadable, "is empty, as a file is while it is written"),))
    return _Said(name, tuple(Listing(key, name, number) for key in read.keys), read.defects)


def _defects(where: str, said: list[_Said]) -> Iterator[Finding]:
    for one in said:
        for defect in one.defects:
            message = f"Entry {one.name} of {where}: {defect.detail}"
            yield Finding.of(defect.reason, message, subject=f"{where}/{one.name}")


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
