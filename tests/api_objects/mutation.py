"""Good OIDCIssuers with one or two places changed: some are still good, some only to the API server."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]

# Values at which the API server's judgement and ours may part: RE2 in Go and in C++, Unicode, numbers, durations, URLs.
PATTERNS = (
    *(
        r"\pL{1000}",
        r"\pL{999}",
        r"\p{Lu}{500}",
        r"(?:\pL{100}){10}",
        r"(a{1000}){1000}",
        r"(((a{9}){9}){9})",
        r"x{1001}",
    ),
    *(
        r"\pN+",
        r"(?i)k\p{Greek}",
        r"\p{Han}|\p{Cyrillic}",
        r"\p{Garay}",
        r"\p{Any}",
        r"\p{ASCII}",
        r"[^\x00-\x{10FFFF}]",
    ),
    *(r"(?P<version>[0-9]+)", r"(?P<version>a)(?P<version>b)", r"(?P<ü>a)", r"(?P<a-b>a)", r"(?<a>b)", r"(?P<>a)"),
    *(
        r"\C",
        r"\z",
        r"\Z",
        r"\A",
        r"(?U)a*",
        r"[[:word:]]",
        r"\Qa.b\E",
        r"\Qa",
        r"\8",
        r"(?s-i:.)",
        r"a**",
        "a|*",
        "[a",
        "a\\",
    ),
)
DURATIONS = (
    "0s",
    "1s",
    "01m",
    "24h",
    "8784h",
    "99999h",
    "1h1h1h",
    "0h0m1s",
    "60",
    "1.5s",
    "\uff11s",
    "+1s",
    "1H",
    "2h",
)
PLACES = (
    *(
        "https://a",
        "https://A.B",
        "https://a:65535/b",
        "https://a/",
        "https://a//b",
        "https://1.2.3.4",
        "https://a.b/~",
    ),
    *("HTTPS://a", "http://a:99999", "https://[::1]", "https://[", "https://a:b:c", "http://-", "https://a/.b/..c"),
    *(
        "10.0.0.1:6443",
        "[::1]:1",
        "[:]:1",
        "a:0",
        "-:1",
        "169.254.1.1:1",
        "..:1",
        "[fe80::1]:1",
        "[1:2:3:4:5:6:7:8:9]:9",
    ),
)
TEXTS = (
    *(
        "",
        " ",
        "a",
        "0",
        "-",
        ".",
        "..",
        "/",
        "a\n",
        "\n",
        "\x00",
        "\u00e9",
        "\u0130",
        "\uff11",
        "\U0001f600",
        "\u2028",
    ),
    *(
        "a.b",
        "a-b",
        "a--b",
        "abc",
        "ABCDEF",
        "a~b",
        "a/b",
        "keys.json",
        "000000000000",
        "us-east-1",
        "AWS",
        "Merge",
        "Auto",
    ),
    *(
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "a" * 63,
        "a" * 700,
    ),
)
OTHERS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 1.5, 1e300),
    *([], {}, [None], [""], ["a", "a"], {"": ""}, {"a": None}, [{}]),
)


def mutations(document: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The document with some places of its spec replaced, removed, doubled or filled with an odd value."""
    change = st.sampled_from([("spec",), *_places(document["spec"], ("spec",))]).flatmap(
        lambda path: st.tuples(
            st.just(path), st.sampled_from(("replace",) * 4 + ("remove", "double", "add")), _values(document, path)
        )
    )
    return st.lists(change, min_size=1, max_size=2).map(lambda changes: _changed(document, changes))


def _values(document: dict[str, Any], path: Path) -> st.SearchStrategy[Any]:
    """Values that are mostly of the kind that stands there."""
    node: Any = document
    for step in path:
        node = node[step]
    if path[-1] == "entryPattern":
        alike: tuple[Any, ...] = PATTERNS
    elif isinstance(node, bool):
        alike = (True, False)
    elif not isinstance(node, str):
        alike = OTHERS
    elif re.fullmatch("([0-9]+[hms])+", node):
        alike = DURATIONS
    else:
        alike = PLACES if ":" in node else TEXTS
    return st.one_of(st.sampled_from(alike), st.sampled_from(alike), st.sampled_from((*TEXTS, *OTHERS)))


def _places(node: Any, path: Path) -> Iterator[Path]:
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*path, key)
        yield from _places(child, (*path, key))


def _changed(document: dict[str, Any], changes: list[tuple[Path, str, Any]]) -> dict[str, Any]:
    made = copy.deepcopy(document)
    for path, how, value in changes:
        try:
            _change(made, path, how, copy.deepcopy(value))
        except (KeyError, IndexError, TypeError, ValueError):
            continue  # an earlier change took the place away
    return made


def _change(made: Any, path: Path, how: str, value: Any) -> None:
    node = made
    for step in path[:-1]:
        node = node[step]
    if how == "remove":
        del node[path[-1]]
    elif how == "double" and isinstance(node, list):
        node.append(copy.deepcopy(node[int(path[-1])]))
    elif how == "add" and isinstance(node[path[-1]], dict):
        node[path[-1]]["aMemberOfTomorrow"] = value
    else:
        node[path[-1]] = value
