"""What a store costs the operator's process: memory without one, with S3's, with Cloud Storage's, with both."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hack.benchmark.figures import Chapter, Figure
from hack.benchmark.imports import IMPORT
from hack.benchmark.options import Amount
from tests.support.gcsserver import GCSServer
from tests.support.pki import PKI
from tests.support.s3server import REGION, S3Server

_BUCKET = "example-oidc"
_LOOKS = 100
_USED = f"""
import asyncio, gc, os, sys, time
from pathlib import Path
{IMPORT}
from oidc_publisher.api.storespec import StoreSpec
from oidc_publisher.stores import Document
from oidc_publisher.stores.factory import open_store

DOCUMENT = Document(b"x" * 1500, "application/json", "public, max-age=300", {{"oidc-publisher-owner": "u/prod"}})

def spec(kind):
    if kind == "gcs":
        return {{"gcs": {{"bucket": "{_BUCKET}", "prefix": sys.argv[2]}}}}
    ca = Path(os.environ["REQUESTS_CA_BUNDLE"]).read_text()
    return {{"s3": {{"bucket": "{_BUCKET}", "prefix": sys.argv[2], "region": "{REGION}", "addressingStyle": "Path",
                    "endpointURL": os.environ["BENCH_S3"], "certificateAuthority": ca}}}}

async def use(kind):
    store = open_store(StoreSpec.model_validate(spec(kind)))
    assert await store.read("jwks") is None
    await store.write("jwks", DOCUMENT, expected=None)
    await asyncio.sleep(2.5)  # S3's Last-Modified has whole seconds: from now on it answers 304
    await store.read("jwks")
    used = time.process_time()
    for _ in range({_LOOKS}):
        await store.read("jwks")
    print(kind, (time.process_time() - used) / {_LOOKS} * 1000)

async def main():
    for kind in filter(None, sys.argv[1].split("+")):
        await use(kind)

asyncio.run(main())
gc.collect()
print("rss", next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""
_METHOD = f"""\
A fresh interpreter imports what `run` imports, opens a store, writes one document and looks at it {_LOOKS} times; its
resident memory is read at the end. The servers are versitygw and fake-gcs-server over TLS. A look at rest is one request
without a body for either; the S3 server closes the connection after each, the other one keeps it, as Google's does.
google-auth and requests come with the first call of Cloud Storage, or with a kubeconfig, which none of these reads."""
_NAMES = {"": "no store", "s3": "S3", "gcs": "Cloud Storage", "s3+gcs": "both"}


def measure(amount: Amount) -> Chapter:
    """Use each kind of store in processes of their own."""
    with tempfile.TemporaryDirectory(prefix="oidc-publisher-bench-") as name:
        folder = Path(name)
        pki = PKI(folder / "pki")
        with S3Server(folder / "s3", pki) as s3, GCSServer(folder / "gcs", pki) as gcs:
            s3.create_bucket(_BUCKET)
            gcs.create_bucket(_BUCKET)
            env = {n: v for n, v in os.environ.items() if not n.startswith("PYTHON")}
            env |= s3.credentials | gcs.environment | {"BENCH_S3": s3.endpoint_url}
            runs = {kinds: [_run(kinds, turn, env) for turn in range(amount.imports)] for kinds in _NAMES}
    memory = (
        Figure(f"Resident memory with {_NAMES[kinds]}", "MiB", tuple(run["rss"] for run in samples))
        for kinds, samples in runs.items()
    )
    looks = (
        Figure(f"CPU of a look at rest, {_NAMES[kind]}", "ms", tuple(run[kind] for run in runs[kind]))
        for kind in ("s3", "gcs")
    )
    return Chapter("Memory with and without the client of Cloud Storage", _METHOD, (*memory, *looks))


def _run(kinds: str, turn: int, env: dict[str, str]) -> dict[str, float]:
    """Figures by name of one process; its documents lie under a prefix of their own."""
    prefix = f"{kinds.replace('+', '-') or 'none'}-{turn}"
    argv = [sys.executable, "-c", _USED, kinds, prefix]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=env)
    return {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}
