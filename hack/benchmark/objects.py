"""From a change of a watched ConfigMap or Secret to the new key at the public URL."""

from __future__ import annotations

import base64
import http.client
import json
import math
import os
import random
import time
import urllib.parse
from collections.abc import Iterable

from hack.benchmark.figures import Chapter, Figure, Target
from hack.benchmark.options import Amount
from hack.benchmark.parts import BUCKET, PREFIX, Object, Parts
from hack.benchmark.ready import started
from hack.benchmark.watch import Watch, is_ready
from tests.support.signingkeys import SigningKey, signing_key

_NAMESPACE = "default"
#: Each in its own source of the issuer, beside the API servers.
_KINDS = ("ConfigMap", "Secret")
#: Changes of each object before a new issuer begins: at the end 9 keys are published, and more than 10 would be unusual.
_CHANGES = 3
_POLL_S = 0.004
_METHOD = """\
One issuer with an interval of an hour reads the API servers, a ConfigMap and a Secret, each of which is watched. A change
adds one EC key to one of them. The time runs from before the request that changes the object until an anonymous read of
the public URL has shown the key; it is read again {poll:g} ms after each answer, over a connection of its own each time, so
a figure is late by up to one read. After every {changes} changes of each object a new issuer begins. Between changes lies a
pause of random length, in which the pass comes to its end. Load of the machine meanwhile (1 min): {load}."""


def measure(parts: Parts, amount: Amount) -> Chapter:
    """Change both objects in turn, and look at the public URL all the time."""
    parts.clear()
    took: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    reads: list[float] = []
    loads: list[float] = []
    operator = started(parts)
    try:
        for turn in range(amount.object_turns):
            _one_issuer(parts, f"objects-{turn}", took, reads)
            loads.append(os.getloadavg()[0])
            parts.clear()
    finally:
        operator.kill()
        for kind in _KINDS:
            parts.cluster.delete("v1", kind, _name(kind), _NAMESPACE)
    load = f"{min(loads):.2f} to {max(loads):.2f}"
    method = _METHOD.format(poll=_POLL_S * 1000, changes=_CHANGES, load=load)
    return Chapter("Key in a ConfigMap or Secret → public URL", method, tuple(_figures(took, reads)))


def _figures(took: dict[str, list[float]], reads: list[float]) -> Iterable[Figure]:
    for kind, samples in took.items():
        yield Figure(f"{kind} changed → key at the public URL", "s", tuple(samples))
        yield Figure(f"{kind} changed → key, 95th percentile", "s", (percentile(samples, 95),), Target(0.5))
    yield Figure("One read of the public URL", "ms", tuple(reads))


def percentile(samples: Iterable[float], percent: int) -> float:
    """The smallest sample that at least so many percent do not exceed (nearest rank)."""
    ordered = sorted(samples)
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def _one_issuer(parts: Parts, name: str, took: dict[str, list[float]], reads: list[float]) -> None:
    held = {kind: [signing_key("P-256", f"{name}-{kind}-0")] for kind in _KINDS}
    for kind, keys in held.items():
        parts.cluster.apply(_object(kind, keys))
    with Watch(parts.cluster) as watch:
        parts.create(_issuer(parts, name))
        watch.wait(lambda event: is_ready(event, name), timeout_s=30, what=f"{name} is Ready")
    for number in range(1, _CHANGES + 1):
        for kind, keys in held.items():
            keys.append(signing_key("P-256", f"{name}-{kind}-{number}"))
            time.sleep(random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            took[kind].append(_change(parts, kind, keys, reads))


def _change(parts: Parts, kind: str, keys: list[SigningKey], reads: list[float]) -> float:
    """Write the object, and return how long it took until its newest key was read in public."""
    changed = _object(kind, keys)
    began = time.monotonic()
    parts.cluster.apply(changed)
    while time.monotonic() < began + 30:
        asked = time.monotonic()
        served = served_kids(parts)
        answered = time.monotonic()
        reads.append((answered - asked) * 1000)
        if keys[-1].kid in served:
            return answered - began
        time.sleep(_POLL_S)
    raise TimeoutError(f"the new key of {kind} {_name(kind)} was not served within 30 s")


def served_kids(parts: Parts, prefix: str = PREFIX) -> set[str]:
    """The key IDs that an anonymous read of the public URL shows, over a connection of its own."""
    url = urllib.parse.urlsplit(parts.s3.public_url(BUCKET, prefix))
    connection = http.client.HTTPSConnection(url.netloc, context=parts.pki.client_context(), timeout=10)
    try:
        connection.request("GET", f"{url.path}/openid/v1/jwks")
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"the public URL answered {answer.status}")
    return {key["kid"] for key in json.loads(body)["keys"]}


def _issuer(parts: Parts, name: str) -> Object:
    issuer = parts.issuer(name, interval="1h")
    pattern = r"service-account-(?P<version>[0-9]+)\.pub"
    named = [
        {"name": _name(kind), member: {"namespace": _NAMESPACE, "name": _name(kind), "entryPattern": pattern}}
        for kind, member in zip(_KINDS, ("configMap", "secret"), strict=True)
    ]
    issuer["spec"]["keySources"] = [{"name": "api", "apiServer": {}}, *named]
    # No timer starts a pass meanwhile.
    issuer["spec"]["rotation"] = {"prePublishPeriod": "24h", "maxTokenLifetime": "24h", "clockSkew": "5m"}
    return issuer


def _object(kind: str, keys: list[SigningKey]) -> Object:
    contents = {f"service-account-{number:03d}.pub": key.public_pem for number, key in enumerate(keys, start=1)}
    data = {
        entry: base64.b64encode(content).decode() if kind == "Secret" else content.decode()
        for entry, content in contents.items()
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": {"namespace": _NAMESPACE, "name": _name(kind)}, "data": data}


def _name(kind: str) -> str:
    return f"bench-{kind.lower()}"
