"""What boto3 costs beside bare botocore: the first client of S3, and one more."""

from __future__ import annotations

import os
import subprocess
import sys

from hack.benchmark.figures import Chapter, Figure
from hack.benchmark.imports import IMPORT
from hack.benchmark.options import Amount

_PROGRAM = f"""
import sys, time
{IMPORT}
def resident(): return int(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmRSS')))
before, began, used = resident(), time.perf_counter(), time.process_time()
if sys.argv[1] == "boto3":
    import boto3.session
    make = boto3.session.Session().client
else:
    import botocore.session
    make = botocore.session.get_session().create_client
clients = [make("s3", region_name="eu-central-1")]
first = time.perf_counter() - began, time.process_time() - used, resident() - before
began = time.perf_counter()
clients.append(make("s3", region_name="eu-west-1"))
print(*first, time.perf_counter() - began)
"""
_METHOD = """\
A fresh interpreter imports what `run` imports, makes a session of the one library or the other and a client of S3 from it,
then a second client; nothing is sent. The operator uses boto3's; botocore is what it stands on, and what the operator used
alone before. An operator that writes to Cloud Storage alone pays for neither."""


def measure(amount: Amount) -> Chapter:
    """Make clients in fresh interpreters, in turn, so that both meet the same load."""
    runs: dict[str, list[tuple[float, ...]]] = {"boto3": [], "botocore": []}
    for _ in range(amount.imports * 2):
        for library, samples in runs.items():
            samples.append(_run(library))
    figures = []
    for library, samples in runs.items():
        wall, cpu, resident, second = zip(*samples, strict=True)
        figures += [
            Figure(f"First client, {library}", "s", wall),
            Figure(f"First client, {library}, CPU", "s", cpu),
            Figure(f"First client, {library}, resident memory added", "MiB", tuple(kib / 1024 for kib in resident)),
            Figure(f"Second client, {library}", "ms", tuple(s * 1000 for s in second)),
        ]
    return Chapter("boto3, and botocore beneath it", _METHOD, tuple(figures))


def _run(library: str) -> tuple[float, ...]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AWS_"))}
    command = [sys.executable, "-c", _PROGRAM, library]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    return tuple(float(figure) for figure in done.stdout.split())
