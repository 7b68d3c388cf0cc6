"""The runbooks that ship in the package: the pages of docs/runbooks in one file, which `make gen` writes."""

from __future__ import annotations

import re
from importlib.resources import files

from oidc_publisher.findings import Reason

_PAGES = "runbooks.md"
#: Before each page stands its name. A heading would not do: in a block of code a comment looks like one.
_BEGIN = re.compile(r"^<!-- page: (\w+) -->\n", re.MULTILINE)


def joined_pages(pages: dict[str, str]) -> str:
    """Join the pages of docs/runbooks, by name, to the file that ships in the package."""
    return "".join(f"<!-- page: {name} -->\n{page}" for name, page in sorted(pages.items()))


def runbook(reason: Reason) -> str:
    """Return the page of a reason as Markdown."""
    parts = _BEGIN.split(files("oidc_publisher.cli.explain").joinpath(_PAGES).read_text("utf-8"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))[reason]
