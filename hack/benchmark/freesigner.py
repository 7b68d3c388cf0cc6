"""Run a signer that is written in Go, to know what a signer can reach at all beside an API server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hack.testbed import build
from tests.support.processes import Process
from tests.support.signingkeys import SigningKey


@contextmanager
def free_signer(folder: Path, key: SigningKey, *words: str) -> Iterator[Path]:
    """Give the socket of a signer of hack/testbed/freesigner, which is built where it is missing; "signs" has it sign.

    Raises:
        CannotBuildError: there is no Go to build it.
    """
    part = build.freesigner()
    build.build(part)
    folder.mkdir()
    key_file, socket = folder / "key.pem", folder / "signer.sock"
    key_file.write_bytes(key.private_pem)
    key_file.chmod(0o600)
    process = Process("freesigner", [part.folder / "freesigner", socket, key_file, *words], folder / "log")
    process.start()
    try:
        process.wait_until(socket.exists, timeout_s=30, what="its socket")
        yield socket
    finally:
        process.kill()
