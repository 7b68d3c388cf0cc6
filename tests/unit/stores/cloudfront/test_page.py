"""What docs/how-to/publish-behind-cloudfront.md shows is what the program takes and needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from oidc_publisher.api import read_issuer
from oidc_publisher.documents import discovery_url, jwks_uri
from oidc_publisher.reconcile.cdn.schedule import viewer_paths
from oidc_publisher.stores.cloudfront.errors import _WITHOUT

PAGE = Path(__file__).resolve().parents[4] / "docs" / "how-to" / "publish-behind-cloudfront.md"


def blocks(language: str) -> list[str]:
    """The page's code of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_policy_allows_what_is_called_and_no_more() -> None:
    """The three operations, on one distribution."""
    policies: list[dict[str, Any]] = [json.loads(block) for block in blocks("json")]
    (own,) = [p["Statement"][0] for p in policies if "Principal" not in p["Statement"][0]]
    assert set(own["Action"]) == {f"cloudfront:{operation}" for operation in _WITHOUT}


def test_the_issuer_is_accepted_and_has_the_paths_of_the_page() -> None:
    """The example is complete, and its paths are those that the text names."""
    (text,) = blocks("yaml")
    spec = read_issuer(yaml.safe_load(text)).spec
    assert spec.store.s3 is not None
    assert spec.store.s3.cloud_front is not None
    paths = viewer_paths(discovery_url(spec.issuer_url), jwks_uri(spec.issuer_url, spec.jwks_path))
    assert all(f"`{path}`" in PAGE.read_text() for path in paths)
