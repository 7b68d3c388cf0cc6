"""The objects of a fleet: issuers of one ConfigMap, and a few with a ConfigMap of their own, which changes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from hack.benchmark.parts import BUCKET, Object, Parts
from tests.support.publickeys import mixed_pem

NAMESPACE = "default"
SHARED = "fleet-keys"
_ENTRIES = r"service-account-(?P<version>[0-9]+)\.pub"
_DEADLINE_S = 600.0


def name_of(number: int) -> str:
    """The name of an issuer of the fleet."""
    return f"fleet-{number:04}"


def issuer(parts: Parts, name: str, keys: str, interval_s: int) -> Object:
    """An issuer with a place of its own and the default periods, whose keys are those of a ConfigMap alone."""
    found = parts.issuer(name, interval=f"{interval_s}s")
    spec = found["spec"]
    spec["issuerURL"] = parts.s3.public_url(BUCKET, name)
    spec["store"]["s3"]["prefix"] = name
    source = {"namespace": NAMESPACE, "name": keys, "entryPattern": _ENTRIES}
    spec["keySources"] = [{"name": "keys", "configMap": source}]
    del spec["rotation"], spec["cacheMaxAge"]
    return found


def config_map(name: str, pems: Sequence[bytes]) -> Object:
    """A ConfigMap of these keys, the newest last."""
    data = {f"service-account-{at}.pub": pem.decode() for at, pem in enumerate(pems, start=1)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": NAMESPACE, "name": name}, "data": data}


def share(parts: Parts, keys: int) -> None:
    """Give the ConfigMap of all so many keys."""
    parts.cluster.apply(config_map(SHARED, [mixed_pem(number) for number in range(keys)]))


def create(parts: Parts, size: int, interval_s: int) -> None:
    """Create the ConfigMap of all with one key, and the fleet."""
    share(parts, 1)
    for number in range(size):
        parts.create(issuer(parts, name_of(number), SHARED, interval_s))


def clear(parts: Parts, changing: Sequence[str] = ()) -> None:
    """Delete everything, while no operator runs."""
    parts.clear()
    for name in (SHARED, *changing):
        parts.cluster.delete("v1", "ConfigMap", name, NAMESPACE)


def wait_published(parts: Parts, names: Sequence[str], since: float) -> list[float]:
    """Wait until every key set was written after `since`, and return how many seconds after it."""
    end, left, took = time.monotonic() + _DEADLINE_S, set(names), []
    while left and time.monotonic() < end:
        for name in sorted(left):
            if (at := _key_set(parts, name).stat().st_mtime) > since:
                took.append(at - since)
                left.discard(name)
        time.sleep(0.2)
    if left:
        raise TimeoutError(f"{len(left)} of {len(names)} key sets were not written within {_DEADLINE_S:g} s")
    return took


def _key_set(parts: Parts, name: str) -> Path:
    """The file of an object: versitygw names it like the object."""
    return parts.s3.folder / "data" / BUCKET / name / "openid" / "v1" / "jwks"
