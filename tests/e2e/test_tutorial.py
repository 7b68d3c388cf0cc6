"""The tutorial's commands, from the page itself, on a cluster that has nothing of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import page
from tests.e2e.world import NAMESPACE, RELEASE, World
from tests.support.chart import CHART

TUTORIAL = CHART.parents[1] / "docs" / "tutorial" / "first-issuer.md"
CRD = "crd/oidcissuers.oidc-publisher.io"


@pytest.fixture
def empty(world: World) -> World:
    """The cluster as before the first release: no operator, no CRD, an empty bucket."""
    world.cluster.try_helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
    world.cluster.kubectl("delete", CRD, "--ignore-not-found")
    world.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout_s=120)
    world.store.empty()
    return world


def test_every_command_of_the_tutorial_works(empty: World, tmp_path: Path) -> None:
    """The blocks marked bash, one after the other, with nothing but the variables that the reader has set."""
    authority = tmp_path / "ca.pem"
    authority.write_text(empty.store.ca_pem)
    (tmp_path / ".curlrc").write_text(f'cacert = "{authority}"\n' + empty.store.curl_settings)
    printed = page.run(
        TUTORIAL,
        tmp_path,
        {
            "KUBECONFIG": str(empty.cluster.kubeconfig),
            "CHART": str(CHART),
            "IMAGE": empty.image,
            "ISSUER_URL": empty.issuer_url,
            "BUCKET": empty.store.bucket,
            "PREFIX": empty.prefix,
            "REGION": empty.store.region,
            "ENDPOINT": empty.store.endpoint_url,
            "CA_FILE": str(authority),
            **empty.store.credentials,
        },
    )
    assert "Ready" in printed
    empty.cluster.kubectl("delete", CRD, "--ignore-not-found")
    empty.store.empty()


def test_a_page_with_a_wrong_command_names_its_line(tmp_path: Path) -> None:
    """Variables live from block to block, output blocks are not run, and the first failure ends it."""
    text = (
        "# A page\n\n```bash\nseen=yes\n```\n\n```console\nfalse\n```\n\n```bash\necho $seen\nfalse\necho never\n```\n"
    )
    written = tmp_path / "page.md"
    written.write_text(text)
    assert [block.line for block in page.blocks(text)] == [4, 12]
    with pytest.raises(page.BlockFailedError, match=r"(?s)page\.md: failed: line 12\n.*yes") as caught:
        page.run(written, tmp_path, {})
    assert "never" not in str(caught.value)
