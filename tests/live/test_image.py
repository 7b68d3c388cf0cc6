"""The image that `make image` has built: as restricted as the chart's pod, it makes an issuer Ready, as any user."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oidc_publisher import __version__
from tests.live.places import emptied
from tests.support.imagecontainer import Container, Image, why_not
from tests.support.processes import free_port
from tests.support.stage import PROBE, Stage, condition

NAME = os.environ.get("OIDC_PUBLISHER_IMAGE", "")
pytestmark = pytest.mark.skipif(
    not NAME or bool(why_not()), reason=why_not() or "OIDC_PUBLISHER_IMAGE names no image (make image-test)"
)
#: Programs that install, build or interpret what somebody brings in.
TOOLS = ("sh", "bash", "dash", "busybox", "perl", "pip*", "uv*", "gcc*", "cc", "ld", "apt*", "dpkg*", "curl", "wget")
KUBECONFIG = "/etc/oidc-publisher/kubeconfig"


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image, mounted."""
    with Image.mounted(NAME) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two API servers and S3; the operator is the image's."""
    with Stage(tmp_path_factory.mktemp("stage")) as stage:
        stage.apply_crd()
        yield stage


@pytest.mark.parametrize(("uid", "gid"), [(65532, 65532), (1_000_740_000, 0)], ids=["its own user", "OpenShift's"])
def test_it_works_under_the_restrictions_of_the_pod(
    uid: int, gid: int, image: Image, stage: Stage, tmp_path: Path
) -> None:
    """No capability, no new privileges, seccomp, a read-only root; a UID that /etc/passwd may not know."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(stage.cluster.kubectl("config", "view", "--raw", "--flatten"))
    kubeconfig.chmod(0o444)
    port = free_port()
    arguments = ("run", f"--probe-service-account={'/'.join(PROBE)}", f"--health-address=127.0.0.1:{port}")
    env = {"KUBECONFIG": KUBECONFIG, "AWS_EC2_METADATA_DISABLED": "true", **stage.operator_environment}
    container = Container(
        tmp_path / f"uid-{uid}", image, arguments, uid=uid, gid=gid, env=env, files={KUBECONFIG: kubeconfig}
    )
    with emptied(stage):
        stage.apply(stage.issuer())
        began = time.monotonic()
        with container:
            stage.operator.process, stage.operator.health_port = container.process, port
            stage.wait(lambda s: condition(s, "KeysRead") == "True", what="the first reconcile", timeout_s=30)
            took_s, cpu_s = time.monotonic() - began, container.cpu_s()
            stage.wait_ready(timeout_s=30)
            assert stage.operator.health("/readyz")[0] == 200
            kernel = container.status()
    assert kernel["Uid"].split() == [str(uid)] * 4
    assert {int(kernel[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {0}
    assert (kernel["NoNewPrivs"], kernel["Seccomp"]) == ("1", "2")
    # pytest -rP shows it.
    sys.stdout.write(f"first reconcile {took_s:.2f} s after the container's start, with {cpu_s:.2f} s of CPU\n")


def test_nothing_in_it_installs_builds_or_interprets(image: Image) -> None:
    """Whoever gets in finds Python and no more."""
    folders = [image.root / folder for folder in ("usr/bin", "usr/sbin", "usr/local/bin", "app/bin", "app/lib/bin")]
    assert [path.name for folder in folders for tool in TOOLS for path in folder.glob(tool)] == []
    assert [path for path in image.root.rglob("*") if path.is_file() and path.lstat().st_mode & 0o6000] == []
    assert [name for name in ("pip", "uv", "setuptools", "pytest") if (image.root / "app/lib" / name).exists()] == []


def test_it_says_what_it_is(image: Image) -> None:
    """A numeric user, so that runAsNonRoot can be checked; the program alone; the version of the package."""
    assert image.config["User"] == "65532:65532"
    assert image.config["Entrypoint"] == ["oidc-publisher"]
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert "65532" in (image.root / "etc/passwd").read_text()
