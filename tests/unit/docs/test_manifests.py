"""Every OIDCIssuer on a page is one that the operator takes, and every values block one that the chart takes."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from hack.chart.schema import values_schema
from hack.chart.values import documented
from oidc_publisher.api import read_issuer
from tests.support.docpages import DOCS, PAGES, ROOT, Block, blocks, commands, manifests
from tests.support.foreach import for_each

ISSUERS = manifests("OIDCIssuer")
VALUES_FILE = ROOT / "charts" / "oidc-publisher" / "values.yaml"
DEFAULTS: dict[str, Any] = yaml.load(VALUES_FILE.read_text(), yaml.CSafeLoader)
KNOWN = {value.path for value in documented(VALUES_FILE.read_text())}
#: The first member of blocks that belong to other programs, or are a part of an OIDCIssuer.
FOREIGN = {"cluster", "keySources", "kube-apiserver-arg", "s3", "spec"}
TUTORIAL = DOCS / "tutorial" / "first-issuer.md"


@pytest.mark.parametrize("where", ISSUERS)
def test_a_manifest_is_accepted(where: str) -> None:
    """The models take it; the API server is asked in tests/live/test_crd.py."""
    assert read_issuer(ISSUERS[where]).spec.issuer_url.startswith("https://")


def test_the_manifests_are_read() -> None:
    """Each platform whose own rotation signs at once shows how the next key is published first."""
    assert len(ISSUERS) > 12
    for name in ("k3s", "rke2", "openshift", "kamaji", "talos"):
        found = [issuer for where, issuer in ISSUERS.items() if where.startswith(f"docs/platforms/{name}.md")]
        sources = [{source["name"] for source in issuer["spec"].get("keySources", ())} for issuer in found]
        assert any({"default", "next"} <= names for names in sources), name
    assert "cannot be published first here" in (DOCS / "platforms" / "gardener.md").read_text()


def test_the_manifest_of_the_tutorial_is_accepted() -> None:
    """As the shell writes it, for a bucket of Amazon's and for another server."""
    first, more = (block.text for block in blocks(TUTORIAL, "bash") if "issuer.yaml <<EOF" in block.text)
    ca = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    written = "".join(part.partition("<<EOF\n")[2].partition("EOF\n")[0] for part in (first, more))
    written = re.sub(
        r"\$\(sed 's/\^/( +)/' \"\$CA_FILE\"\)", lambda m: re.sub("^", m[1], ca, flags=re.MULTILINE), written
    )
    names = {
        "ISSUER_URL": "https://s3.example.com/oidc/tutorial",
        "ENDPOINT": "https://s3.example.com",
        "BUCKET": "oidc",
    }
    for name, value in (names | {"REGION": "eu-central-1", "PREFIX": "tutorial"}).items():
        written = written.replace(f"${name}", value)
    assert "$" not in written
    for text in (written.partition("      endpointURL")[0], written):
        assert read_issuer(yaml.safe_load(text)).spec.store.s3 is not None


def _values(block: Block) -> dict[str, Any] | None:
    """The block as values of the chart, None where it is something else."""
    document = next(iter(yaml.load_all(block.text, yaml.CSafeLoader)), None)
    if not isinstance(document, dict) or "kind" in document or FOREIGN & set(document):
        return None
    return document


VALUES = [(block.where, found) for page in PAGES for block in blocks(page, "yaml") if (found := _values(block))]


def _merged(defaults: Any, values: Any) -> Any:
    if not isinstance(defaults, dict) or not isinstance(values, dict):
        return values
    return {**defaults, **{name: _merged(defaults.get(name), value) for name, value in values.items()}}


@pytest.mark.parametrize(("where", "values"), VALUES, ids=[where for where, _ in VALUES])
def test_a_block_of_values_is_accepted(where: str, values: dict[str, Any]) -> None:
    """The chart's schema takes the block over its defaults."""
    del where
    jsonschema_rs.validate(values_schema(), _merged(DEFAULTS, values))


def _set_on(page: Path) -> set[str]:
    """The values that `--set` names on a page."""
    words = [word for command in commands(page) for word in command]
    given = [after for word, after in itertools.pairwise(words) if re.fullmatch(r"--set(-string|-json)?", word)]
    return {re.sub(r"\[\d+\]", "", setting.partition("=")[0]) for setting in given}


def _unknown(path: str) -> bool:
    """Whether no value has this path, nor is a list or a map in which it may be."""
    names = path.split(".")
    return not any(".".join(names[: count + 1]) in KNOWN for count in range(len(names)))


@for_each("page", PAGES)
def test_every_value_that_a_page_names_exists(page: Path) -> None:
    """In `--set`, and by its path between backticks."""
    assert {path for path in _set_on(page) if _unknown(path)} == set()
    sections = {path.partition(".")[0] for path in KNOWN if "." in path}
    spoken = set(re.findall(r"`([a-zA-Z]+\.[a-zA-Z.]+)(?::? [^`]*)?`", page.read_text()))
    said = {path for path in spoken if path.partition(".")[0] in sections}
    # It is not set by default, so values.yaml does not have it; probe is also a part of the API.
    said -= {"podSecurityContext.runAsUser"} | {
        path for path in said if path.startswith("probe.") and "service" not in path
    }
    assert {path for path in said if _unknown(path)} == set()


def test_the_values_are_read() -> None:
    """The tests above see values, and find a wrong one."""
    assert len(VALUES) >= 2
    assert len({path for page in PAGES for path in _set_on(page)}) > 2
    assert _unknown("cloudIdentity.aws.roleArn")
    assert not _unknown("extraEnvFrom.secretRef.name")
