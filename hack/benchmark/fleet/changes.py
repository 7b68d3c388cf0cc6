"""Keys that change while a fleet rests: how long each takes until the public URL shows it."""

from __future__ import annotations

import random
import time

from hack.benchmark.fleet import issuers
from hack.benchmark.objects import served_kids
from hack.benchmark.options import Amount
from hack.benchmark.parts import Parts
from hack.benchmark.watch import Watch, is_ready
from tests.support.signingkeys import SigningKey, signing_key

#: Changes of one issuer: with more than ten published keys it would be an unusual one.
_OF_ONE = 9
_POLL_S = 0.01
_LONGEST_S = 120.0


def measure(parts: Parts, amount: Amount) -> list[float]:
    """Seconds from a change of a ConfigMap to an anonymous read of the public URL that shows the new key."""
    took: list[float] = []
    turn = 0
    while len(took) < amount.fleet_changes:
        turn += 1
        name = f"changing-{turn:02}"
        keys = [_key(name, 0)]
        parts.cluster.apply(issuers.config_map(name, [keys[0].public_pem]))
        with Watch(parts.cluster) as watch:
            parts.create(issuers.issuer(parts, name, name, amount.fleet_interval_s))
            watch.wait(lambda event, name=name: is_ready(event, name), timeout_s=_LONGEST_S, what=f"{name} is Ready")  # type: ignore[misc]
        for number in range(1, min(_OF_ONE, amount.fleet_changes - len(took)) + 1):
            time.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - no secret
            keys.append(_key(name, number))
            took.append(_change(parts, name, keys))
        parts.cluster.delete("oidc-publisher.io/v1alpha1", "OIDCIssuer", name)
        parts.cluster.delete("v1", "ConfigMap", name, issuers.NAMESPACE)
    return took


def _change(parts: Parts, name: str, keys: list[SigningKey]) -> float:
    changed = issuers.config_map(name, [key.public_pem for key in keys])
    began = time.monotonic()
    parts.cluster.apply(changed)
    while time.monotonic() < began + _LONGEST_S:
        if keys[-1].kid in served_kids(parts, name):
            return time.monotonic() - began
        time.sleep(_POLL_S)
    raise TimeoutError(f"the new key of {name} was not served within {_LONGEST_S:g} s")


def _key(name: str, number: int) -> SigningKey:
    return signing_key("P-256", f"{name}-{number}")
