"""What the probe and the judges said of each case when they were asked last, as data: `recorded.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from oidc_publisher.findings import Finding
from tests.gallery.judges.party import Opinion
from tests.gallery.material import keys

FILE = Path(__file__).with_name("recorded.json")
_LONGEST = 220
#: What differs from run to run, and the word that stands for it.
_CHANGING = (
    (re.compile(r"\b(?:127\.0\.0\.\d+|\[::1\]):\d+(?:->(?:127\.0\.0\.\d+|\[::1\]):\d+)?"), "ADDRESS"),
    (re.compile(r"\b127\.0\.0\.1\b|(?<!\[)::1\b"), "ADDRESS"),
    (re.compile(r"\d{4}-\d\d-\d\d(?:T[\d:.]+Z?)?"), "DATE"),
    (re.compile(r"#[\w-]{16}"), "#NUMBER"),
)
#: Their order is that of random thumbprints.
_SEVERAL_KIDS = re.compile(r'"KID\d?"(?:, "KID\d?")+')


@dataclass(frozen=True, slots=True)
class Record:
    """What was said of one case: the messages of the probe, root cause first, and each judge's opinion by its name."""

    probe: tuple[str, ...]
    judges: Mapping[str, Opinion]


@dataclass(frozen=True, slots=True)
class Records:
    """A whole run: the versions of the judges by name, and the records by the names of the cases."""

    versions: Mapping[str, str]
    cases: Mapping[str, Record]


def without_chance(text: str, issuer: str) -> str:
    """Return a sentence without what differs from run to run: ports, key IDs, dates."""
    host = urlsplit(issuer).netloc
    for found, word in ((issuer, "ISSUER"), (host, "HOST"), (urlsplit(issuer).hostname or host, "HOST")):
        text = re.sub(re.escape(found), word, text, flags=re.IGNORECASE)
    for number, key in enumerate(keys(), start=1):
        text = text.replace(key.kid, f"KID{number}")
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    text = re.sub(r'"[A-Za-z0-9_-]{43}"', '"KID"', " ".join(text.split()))
    text = _SEVERAL_KIDS.sub(lambda found: ", ".join(sorted(found[0].split(", "))), text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def messages(findings: Sequence[Finding], issuer: str) -> tuple[str, ...]:
    """Return what findings say, without their advice and without chance, each once."""
    return tuple(dict.fromkeys(without_chance(finding.message, issuer) for finding in findings))


def read() -> Records:
    """Return the run that is committed."""
    data = json.loads(FILE.read_text())
    cases = {
        name: Record(tuple(case["probe"]), {judge: Opinion(**said) for judge, said in case["judges"].items()})
        for name, case in data["cases"].items()
    }
    return Records(data["versions"], cases)


def write(records: Records) -> None:
    """Keep a run."""
    cases: dict[str, Any] = {
        name: {
            "probe": list(record.probe),
            "judges": {
                judge: {"accepts": said.accepts, "says": said.says} for judge, said in sorted(record.judges.items())
            },
        }
        for name, record in records.cases.items()
    }
    data = {"versions": dict(sorted(records.versions.items())), "cases": cases}
    FILE.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
