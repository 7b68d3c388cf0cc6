"""Steps 6 and 7: somebody breaks the public copy; the operator repairs what it may and names what it may not."""

from __future__ import annotations

import re
import time

from hack.story.parts import BUCKET, ISSUER, JWKS_KEY
from hack.story.relyingparty import fetch
from hack.story.scene import Scene

_LOG_LINE = re.compile(r"^(?P<time>\S+) \[\w+ *\] (?P<message>.*?) \[oidc_publisher\S*\] .*\breason=(?P<reason>\w+)")


def delete_the_key_set(scene: Scene) -> None:
    """Step 6."""
    screen, parts = scene.screen, scene.parts
    screen.step(
        6,
        "Somebody deletes the published key set",
        "Without it every token of the cluster is refused everywhere. Each pass compares what is stored with what is "
        "planned, so the operator repairs it at its next look (interval: 1s).",
    )
    url, tls = f"{parts.issuer_url}/openid/v1/jwks", parts.pki.client_context()
    before = fetch(url, tls).body
    parts.s3.delete(BUCKET, JWKS_KEY)
    deleted = time.monotonic()
    screen.request(url)
    screen.bad(f"HTTP {fetch(url, tls).status}")
    with screen.busy("Waiting for the repair"):
        scene.wait(lambda: fetch(url, tls).body == before, what="the key set is back, byte for byte")
        took_s = time.monotonic() - deleted
        scene.wait(lambda: bool(_logged(scene, "DriftRepaired")), what="the operator tells of the repair")
    screen.say("The operator's log:")
    screen.output(_logged(scene, "DriftRepaired"))
    screen.request(url)
    scene.achieved(
        f"HTTP 200, byte for byte as before, {took_s:.1f} s after it was deleted.",
        summary=f"A deleted key set, back after {took_s:.1f} s.",
    )


def block_the_public(scene: Scene) -> None:
    """Step 7."""
    screen, parts = scene.screen, scene.parts
    screen.step(
        7,
        "Somebody blocks anonymous access to the bucket",
        "The documents are intact and the operator's own credentials still read them, so a tool that only uploads would "
        "stay green. To repair this the operator would need rights it should not have: it says what is wrong instead.",
    )
    parts.s3.block_anonymous_read(BUCKET)
    with screen.busy("Waiting for the condition"):
        took_s = scene.wait(lambda: parts.condition("Served").get("reason") == "AccessBlocked", what="AccessBlocked")
    scene.kubectl("get", "oidcissuers")
    screen.bad(f"Served: {parts.condition('Served')['reason']}, named after {took_s:.1f} s")
    screen.say(parts.condition("Served")["message"], style="italic")
    parts.s3.allow_anonymous_read(BUCKET)
    began = time.monotonic()
    with screen.busy("Anonymous access is allowed again"):
        scene.kubectl("wait", "--for=condition=Ready", f"oidcissuer/{ISSUER}", "--timeout=30s")
    healed_s = time.monotonic() - began
    scene.achieved(
        f"Ready again {healed_s:.1f} s after access was allowed, by itself.",
        summary=f"Blocked access, named AccessBlocked after {took_s:.1f} s, and healed by itself.",
    )


def _logged(scene: Scene, reason: str) -> str:
    """The last line of the operator's log with that reason, without what only machines read; empty without one."""
    lines = (_LOG_LINE.match(line) for line in reversed(scene.parts.operator.log().splitlines()))
    return next(
        (f"{line['time']} {reason}: {line['message']}" for line in lines if line and line["reason"] == reason), ""
    )
