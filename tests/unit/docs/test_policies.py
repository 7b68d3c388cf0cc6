"""Every IAM policy on a page allows what the contract tests have seen called, and nothing besides.

tests/contract/stores/test_documented_rights.py holds the pages on publishing against the calls; here every other page is
held against those.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.support.docpages import DOCS, PAGES, blocks
from tests.support.foreach import for_each

HOW_TO = DOCS / "how-to"
#: One policy, also where a shell puts it together.
_POLICY = re.compile(r"\{\s*\"Version\": \"2012-10-17\".*?\}\s*\]\s*\}", re.DOTALL)


def own_statements(page: Path) -> list[dict[str, Any]]:
    """The statements for the operator on a page, those inside of shell commands included."""
    texts = [text for block in blocks(page, "json", "sh", "bash") for text in _POLICY.findall(block.text)]
    policies = [json.loads(text.replace("'", "")) for text in texts]
    return [s for policy in policies for s in policy["Statement"] if "Principal" not in s and s["Effect"] == "Allow"]


def actions(page: Path) -> set[str]:
    """What the statements of a page allow."""
    said = [s["Action"] for s in own_statements(page)]
    return {action for one in said for action in ([one] if isinstance(one, str) else one)}


S3 = actions(HOW_TO / "publish-to-s3.md") | {"s3:DeleteObject"}  # deletionPolicy: Delete, named in the page's prose
KNOWN = S3 | actions(HOW_TO / "publish-behind-cloudfront.md")


@for_each("page", PAGES)
def test_no_page_asks_for_a_right_that_nothing_calls(page: Path) -> None:
    """A policy that is copied from page to page gathers rights."""
    assert actions(page) <= KNOWN


@for_each("page", PAGES)
def test_a_policy_for_a_bucket_has_all_that_publishing_calls(page: Path) -> None:
    """Two documents are read, written and told from absent ones, wherever a page starts."""
    given = {action for action in actions(page) if action.startswith("s3:")}
    assert not given or given >= S3 - {"s3:DeleteObject"}


def test_the_policies_are_read() -> None:
    """The tests above see the policies that there are."""
    with_policies = {page.name for page in PAGES if own_statements(page)}
    assert {"publish-to-s3.md", "publish-behind-cloudfront.md", "ccoctl.md", "first-issuer.md"} <= with_policies
    assert "s3:PutObject" in S3
