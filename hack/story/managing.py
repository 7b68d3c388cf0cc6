"""Steps 4 to 7 of `make demo-managed`: from sa.key to version 3, and nobody restarts anything for a rotation."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace

from hack.story.errors import StepFailedError
from hack.story.parts import ACCOUNT, AUDIENCE, CACHE_MAX_AGE_S, CLOCK_SKEW_S, ISSUER, PRE_PUBLISH_S, TOKEN_LIFETIME_S
from hack.story.relyingparty import RelyingParty, Watch
from hack.story.scene import Scene
from tests.support.signerprocess import SignerProcess, install

RING = "signingkeyring/default"
NODES = ("a", "b")
_RING_MANIFEST = """\
apiVersion: oidc-publisher.io/v1alpha1
kind: SigningKeyRing
metadata: {name: default}
spec: {}
"""


def start_the_signers(scene: Scene) -> None:
    """Step 4."""
    screen, parts = scene.screen, scene.parts
    screen.step(
        4,
        "Put a signer beside each API server",
        "A signer keeps the versions of the signing key: on its disk, and wrapped in one Secret that all signers share. "
        "The first one begins with the key that the cluster signs with already, sa.key, which becomes version 1. What the "
        "signers may do is what the chart gives them with managedKeys.enabled; the operator may read no key.",
    )
    parts.cluster.wait_established("signingkeyrings.oidc-publisher.io", timeout_s=30)
    install(parts.cluster)
    path = parts.write("ring.yaml", _RING_MANIFEST)
    scene.kubectl("apply", "-f", str(path))
    sa_key = parts.write("sa.key", parts.old_key.private_pem.decode())
    sa_key.chmod(0o600)
    for index, (node, server) in enumerate(zip(NODES, parts.cluster.servers, strict=True)):
        signer = SignerProcess(parts.folder / "signers", parts.cluster, node, sa_key, index=index)
        parts.signers.append(signer)
        with screen.busy(f"Starting signer {node}"):
            took_s = signer.start()
        screen.part(f"signer {node}", parts.shown(str(signer.socket)), f"for {server.host_port}, after {took_s:.1f} s")
    scene.wait(lambda: _signing(scene) == ["1", "1"], what="both signers report version 1")
    scene.publisher("keys", "list")
    if _key_id(scene, 1) != parts.old_key.kid:
        raise StepFailedError("Version 1 is another key than the one that signs.", parts.tails())
    scene.achieved(f"Version 1 is the cluster's own key, {parts.old_key.kid[:8]}: nothing has changed yet.")


def move_to_the_signers(scene: Scene) -> None:
    """Step 5."""
    screen, parts = scene.screen, scene.parts
    screen.step(
        5,
        "Let the API servers sign by their signers",
        "Each API server is restarted once, with --service-account-signing-endpoint in place of its two flags with key "
        "files. From here on tokens are minted at both and verified several times a second. Every rejection counts.",
    )
    scene.watch = _begin_watch(scene)
    for index, signer in enumerate(parts.signers):
        began = time.monotonic()
        config = replace(parts.config(parts.old_key), signing_endpoint=signer.socket)
        with screen.busy(f"Restarting API server {'AB'[index]}"):
            parts.cluster.restart(index, config)
        screen.output(f"API server {'AB'[index]}: signs by {signer.socket.name} ({time.monotonic() - began:.1f} s)")
    screen.say(
        "Signers destroy nothing on evidence from before their own start, and the operator writes when it has proven "
        "everything once in five minutes. A change of the issuer has it proven anew at once:"
    )
    scene.kubectl("patch", f"oidcissuer/{ISSUER}", "--type=merge", "-p", '{"spec": {"probe": {"timeout": "4s"}}}')
    scene.wait(lambda: _proven_again(scene), what="the issuer is proven after its change")
    if parts.status().get("signingKeyIDs") != [parts.old_key.kid]:
        raise StepFailedError("The API servers sign with another key than before.", parts.tails())
    scene.achieved(
        f"Both sign by their signers, with the same key {parts.old_key.kid[:8]} as before.",
        summary="Two API servers moved from sa.key to managed keys: the same key ID, as if nothing had happened.",
    )


def ask_for_a_version(scene: Scene) -> None:
    """Step 6."""
    scene.screen.step(
        6,
        "Ask for version 2, and do nothing else",
        "A version signs when every API server lists it and every cache of the world can have it: here "
        f"{PRE_PUBLISH_S} s + {CACHE_MAX_AGE_S} s of caches + {CLOCK_SKEW_S} s of clock skew, in earnest a day. The signers "
        "wait for that by themselves, and change by themselves.",
    )
    took_s = _rotate(scene, 2)
    screen, old = scene.screen, scene.parts.old_key.kid
    screen.say(
        f"Nobody signs with version 1 ({old[:8]}) any more, so its private half is destroyed, and it leaves the published "
        f"set when its last token has expired: {TOKEN_LIFETIME_S} s here. In the cluster it goes on verifying tokens of "
        "Secrets, which never expire."
    )
    with screen.busy("Waiting until it leaves"):
        scene.wait(lambda: _published(scene) == [_key_id(scene, 2)], what="version 1 leaves the set", timeout_s=60)
    scene.publisher("keys", "list")
    scene.achieved(
        f"Both signers have changed to version 2 after {took_s:.1f} s, and nothing was restarted.",
        summary="Version 2: asked for by one field, signing everywhere when everybody could know it.",
    )


def rotate_under_kills(scene: Scene) -> None:
    """Step 7."""
    scene.screen.step(
        7,
        "Version 3, while signers are killed",
        "A signer that is killed starts again with what its disk says, before any API server answers. Requests that wait "
        "for it are answered a moment later; the ring decides what it signs with.",
    )
    took_s = _rotate(scene, 3, killed=True)
    _watched(scene)
    scene.publisher("keys", "list")
    scene.achieved(
        f"Version 3 signs everywhere after {took_s:.1f} s and two kills.",
        summary="Version 3, although both signers were killed on the way.",
    )


def _begin_watch(scene: Scene) -> Watch:
    parts = scene.parts
    tls = parts.pki.client_context()
    parties = [RelyingParty(parts.issuer_url, AUDIENCE, tls, keeps_s=keeps_s) for keeps_s in (0.1, CACHE_MAX_AGE_S)]
    watch = Watch(parts.cluster, ACCOUNT, AUDIENCE, parties, lifetime_s=TOKEN_LIFETIME_S)
    watch.start()
    return watch


def _rotate(scene: Scene, version: int, *, killed: bool = False) -> float:
    """Ask for a version, show what the ring says until it signs everywhere, and return the seconds that took."""
    screen, parts = scene.screen, scene.parts
    with parts.kubectl_watch("get", "signingkeyrings", "--watch") as watch:
        patch = json.dumps({"spec": {"newestVersion": str(version)}})
        scene.kubectl("patch", RING, "--type=merge", "-p", patch)
        began, victims = time.monotonic(), iter(parts.signers if killed else ())
        screen.command("kubectl get signingkeyrings --watch   # begun just before")
        for line in _different(watch.lines(timeout_s=60)):
            screen.output(line)
            if (victim := next(victims, None)) is not None:
                victim.kill()
                victim.start()
                screen.bad(f"kill -9 of signer {NODES[parts.signers.index(victim)]}; it was started again at once.")
            if _signing(scene) == [str(version)] * len(NODES):
                return time.monotonic() - began
    raise StepFailedError(f"Version {version} does not sign everywhere within a minute.", parts.tails())


def _different(lines: Iterator[str]) -> Iterator[str]:
    """Yield lines that differ from the one before in more than the age, which is the last word."""
    before = ""
    for line in lines:
        said = line.rstrip().rpartition(" ")[0]
        if said != before:
            yield line
        before = said


def _watched(scene: Scene) -> None:
    """End the watch when tokens of version 3 were verified, and count."""
    watch = scene.watch
    if watch is None:
        raise StepFailedError("Nobody verified a token.", "")
    newest = _key_id(scene, 3)
    scene.wait(lambda: watch.checks[newest] > 0, what="a token of version 3 is verified")
    watch.end()
    scene.rejected_tokens = len(watch.rejected)
    checks = sum(watch.checks.values())
    if watch.rejected:
        raise StepFailedError(
            f"rejected tokens: {len(watch.rejected)}, of {checks} checks.", "\n".join(watch.rejected[:5])
        )
    scene.achieved(
        f"rejected tokens: 0, in {checks} checks of tokens of {len(watch.checks)} versions.",
        summary=f"{checks} checks of live tokens from sa.key to version 3, none of which failed.",
    )


def _proven_again(scene: Scene) -> bool:
    """Whether the issuer is Ready as it is now."""
    status = scene.parts.status()
    return status.get("observedGeneration") == 2 and scene.parts.condition("Ready").get("status") == "True"


def _published(scene: Scene) -> list[str]:
    """The key IDs of the published set."""
    return [str(key["keyID"]) for key in scene.parts.status().get("keys", ())]


def _signing(scene: Scene) -> list[str]:
    """The version of each signer that has reported."""
    return [str(signer.get("version")) for signer in scene.parts.ring().get("signers", ())]


def _key_id(scene: Scene, version: int) -> str:
    """The key ID of a version, empty where there is none."""
    versions = scene.parts.ring().get("versions", ())
    return next((str(each["keyID"]) for each in versions if each["version"] == str(version)), "")
