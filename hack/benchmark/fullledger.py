"""An issuer whose ledger holds as many keys as a ledger may: what it takes of the event loop, on which all others wait."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hack.benchmark import audit
from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.options import Amount
from hack.benchmark.parts import API_VERSION, KIND, PROBE, Parts
from hack.benchmark.process import cpu_s
from hack.benchmark.turndriver import SHORTEST_S
from hack.benchmark.watch import Watch, is_ready
from tests.support.operatorprocess import OperatorProcess
from tests.support.processes import wait_for
from tests.support.publickeys import mixed_pem

_DRIVER = Path(__file__).with_name("turndriver.py")
_NAME = "full"
_OBJECT = {"namespace": "default", "name": "full-ledger"}
#: With the key that the API servers sign with: a ledger of 512.
_KEYS = 511
_CHANGED = 40
_REST_S = 10.0
#: Nothing on the event loop may take longer, whatever an issuer has.
_TARGET = Target(50)
_METHOD = f"""\
A ConfigMap holds {_KEYS} keys, RSA-2048, RSA-4096 and EC of all curves; with the key of the API servers they fill a ledger,
and 143 of them are published. The interval is 1 s. Measured is the longest turn of the operator's event loop, as CPU time of
its thread: whatever else the machine does does not count, and what a pass computes in threads does not keep the loop busy.
The process's own start is not among them; `plan` is a process for one person, in which nobody waits."""


class _Record:
    """The turns that a process has written down."""

    def __init__(self, parts: Parts) -> None:
        self._file = parts.folder / "turns.jsonl"
        self._file.unlink(missing_ok=True)
        self.env = {"BENCH_TURNS": str(self._file)}
        self.longest: dict[str, float] = {}

    @contextmanager
    def during(self, what: str) -> Iterator[None]:
        """Keep the longest turn of the time that the block takes."""
        began = time.time()
        yield
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        turns: list[dict[str, float]] = [json.loads(line) for line in lines]
        self.longest[what] = max((t["cpu_s"] for t in turns if t["at"] > began), default=SHORTEST_S)


def measure(parts: Parts, amount: Amount) -> Chapter:
    """Lead one issuer from its creation to its deletion."""
    parts.clear()
    _create_keys(parts)
    issuer, record = _issuer(parts), _Record(parts)
    operator = parts.operator(driver=_DRIVER, env=record.env)
    try:
        _start(parts, operator)
        with record.during("the first passes"), Watch(parts.cluster) as watch:
            parts.create(issuer)
            watch.wait(lambda event: is_ready(event, _NAME), timeout_s=60, what="Ready")
            time.sleep(amount.rest_s)
        used = _at_rest(parts, record, operator)
        with record.during(f"{_CHANGED} keys come and {_CHANGED} leave"):
            _change_keys(parts)
            time.sleep(2 * amount.rest_s)
        with record.during("`plan`"):
            _plan(parts, issuer, record)
        operator.kill()
        _start(parts, operator)
        with record.during("after a restart"):
            time.sleep(_REST_S)
        with record.during("deletion"):
            parts.cluster.delete(API_VERSION, KIND, _NAME)
            wait_for(lambda: not parts.cluster.exists(API_VERSION, KIND, _NAME), timeout_s=30, what="deletion")
    finally:
        operator.kill()
        parts.clear()
        parts.cluster.delete("v1", "ConfigMap", _OBJECT["name"], namespace=_OBJECT["namespace"])
    turns = tuple(
        Figure(f"Longest turn of the event loop: {what}", "ms", (s * 1000,), None if "plan" in what else _TARGET)
        for what, s in record.longest.items()
    )
    return Chapter("A ledger of 512 keys", _METHOD, (*turns, Figure("CPU of a pass at rest", "ms", (used,))))


def _start(parts: Parts, operator: OperatorProcess) -> None:
    since = time.time()
    operator.process.start()
    parts.audit.wait(audit.is_list, since=since)
    time.sleep(0.2)  # what belongs to the start has ended


def _at_rest(parts: Parts, record: _Record, operator: OperatorProcess) -> float:
    """The CPU milliseconds of a pass."""
    since, used = time.time(), cpu_s(operator.process.pid)
    with record.during("at rest"):
        time.sleep(_REST_S)
    return (cpu_s(operator.process.pid) - used) * 1000 / len(parts.audit.passes(_NAME, since=since))


def _create_keys(parts: Parts) -> None:
    data = {f"{number:03}.pub": mixed_pem(number).decode() for number in range(_KEYS)}
    parts.cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": _OBJECT, "data": data})


def _change_keys(parts: Parts) -> None:
    others = range(_KEYS, _KEYS + _CHANGED)
    data: dict[str, str | None] = {f"{number:03}.pub": mixed_pem(number).decode() for number in others}
    data |= {f"{number:03}.pub": None for number in range(_KEYS - _CHANGED, _KEYS)}  # the newest are published
    parts.cluster.patch("v1", "ConfigMap", _OBJECT["name"], {"data": data}, namespace=_OBJECT["namespace"])


def _issuer(parts: Parts) -> dict[str, Any]:
    issuer = parts.issuer(_NAME, interval="1s")
    keys = {"name": "full", "configMap": {**_OBJECT, "entryPattern": r"(?P<version>[0-9]+)\.pub"}}
    issuer["spec"] |= {"keySources": [{"name": "api", "apiServer": {}}, keys], "deletionPolicy": "Delete"}
    return issuer


def _plan(parts: Parts, issuer: dict[str, Any], record: _Record) -> None:
    """What `plan` would change; it may say that it would write."""
    manifest = parts.folder / "full.json"
    manifest.write_text(json.dumps(issuer))
    options = [f"--filename={manifest}", f"--probe-service-account={'/'.join(PROBE)}", "--quiet"]
    env = {n: v for n, v in os.environ.items() if not n.startswith(("PYTHON", "AWS_"))}
    env |= {"KUBECONFIG": str(parts.cluster.admin_kubeconfig())} | parts.s3.credentials | record.env
    done = subprocess.run(
        [sys.executable, _DRIVER, "plan", *options], check=False, env=env, capture_output=True, text=True
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"plan ended with {done.returncode}: {done.stderr}")
