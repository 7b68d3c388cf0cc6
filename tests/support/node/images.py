"""Write images of one program each as archives: for `ctr images import`, `kind load image-archive` or `docker load`."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

from hack.testbed.cache import goarch
from tests.support import binaries

STORE_IMAGE = "localhost/oidc-publisher/versitygw:1"
PAUSE_IMAGE = "localhost/oidc-publisher/pause:1"


def write_image(archive: Path, name: str, program: Path) -> Path:
    """Write an image that holds one static program, which is its entrypoint, in the format of `docker save`.

    The program is in the PATH too, for manifests that name it as their command.
    """
    layer = _tar({f"usr/local/bin/{program.name}": program.read_bytes()})
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": goarch(),
        "os": "linux",
        "config": {"Entrypoint": [f"/usr/local/bin/{program.name}"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    written = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(written).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}.tar"]}]
    parts = {config_name: written, f"{digest}.tar": layer, "manifest.json": json.dumps(manifest).encode()}
    archive.write_bytes(_tar(parts))
    return archive


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


if __name__ == "__main__":
    write_image(Path(sys.argv[1]), STORE_IMAGE, binaries.find("versitygw"))
