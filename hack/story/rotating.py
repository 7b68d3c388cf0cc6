"""Step 8: the signing key is replaced while tokens are verified all the time."""

from __future__ import annotations

import time
from typing import Any

import jwt

from hack.story.errors import StepFailedError
from hack.story.parts import ACCOUNT, AUDIENCE, CACHE_MAX_AGE_S, CLOCK_SKEW_S, ISSUER, PRE_PUBLISH_S, TOKEN_LIFETIME_S
from hack.story.relyingparty import RelyingParty, Watch
from hack.story.scene import Scene
from tests.support.apiserver import ServerConfig
from tests.support.signingkeys import SigningKey

# "%.8s" shows the first characters of a key ID.
_KEYS = """\
{{printf "%-9s %-11s %-21s %s" "KEY" "STATE" "SAFE TO SIGN FROM" "LEAVES FROM"}}
{{range .status.keys}}{{printf "%-9.8s %-11s %-21s %s" .keyID .state (or .safeToSignTime "-") (or .retireTime "-")}}
{{end}}"""


def rotate(scene: Scene) -> None:
    """Step 8."""
    parts = scene.parts
    scene.screen.step(
        8,
        "Rotate the signing key while tokens are being verified",
        "Two mistakes break every workload: signing with a key the world has not seen yet, and removing a key whose tokens "
        "still live. The operator keeps the clock for both.",
    )
    watch = _begin_watch(scene)
    old_token = parts.cluster.mint_token(0, *ACCOUNT, AUDIENCE, 600)
    parts.write("keys.tmpl", _KEYS)
    _add(scene)
    _switch(scene)
    _retire(scene)
    watch.end()
    _judge(scene, watch)
    _old_tokens_are_dead(scene, old_token)


def _begin_watch(scene: Scene) -> Watch:
    parts = scene.parts
    tls = parts.pki.client_context()
    parties = [RelyingParty(parts.issuer_url, AUDIENCE, tls, keeps_s=keeps_s) for keeps_s in (0.1, CACHE_MAX_AGE_S)]
    watch = Watch(parts.cluster, ACCOUNT, AUDIENCE, parties, lifetime_s=TOKEN_LIFETIME_S)
    watch.start()
    scene.screen.say(
        f"From here on tokens are minted through both API servers and verified several times a second, by one verifier "
        f"that always reads the keys anew and one that keeps them for {CACHE_MAX_AGE_S} s. Every rejection counts."
    )
    return watch


def _add(scene: Scene) -> None:
    parts, screen = scene.parts, scene.screen
    old, new = parts.old_key, parts.new_key
    screen.say(
        f"a) Add key {new.kid[:8]}: API server B restarts with it in its key files, then A. Both sign as before.",
        "bold",
    )
    _restart(scene, 1, parts.config(old, new))
    with screen.busy("Waiting until the public sees it"):
        scene.wait(lambda: "safeToSignTime" in _key(scene, new), what="the new key is served")
    _show_keys(scene)
    screen.say(
        f"It is published at once, and safe to sign with once every cache has seen it: {PRE_PUBLISH_S} s asked for "
        f"+ {CACHE_MAX_AGE_S} s of caches + {CLOCK_SKEW_S} s of clock skew."
    )
    _restart(scene, 0, parts.config(old, new))
    with screen.busy("Waiting until the new key is safe"):
        safe = f'jsonpath={{.status.keys[?(@.keyID=="{new.kid}")].safeSinceTime}}'
        scene.kubectl("wait", f"--for={safe}", f"oidcissuer/{ISSUER}", "--timeout=60s")
    _show_keys(scene)


def _switch(scene: Scene) -> None:
    parts, screen = scene.parts, scene.screen
    old, new = parts.old_key, parts.new_key
    screen.say(
        f"b) Sign with {new.kid[:8]}: both API servers restart, one after the other. The old key stays published.",
        "bold",
    )
    for index in (1, 0):
        _restart(scene, index, parts.config(new, old))
    with screen.busy("Waiting until it is seen in fresh tokens"):
        scene.wait(lambda: parts.status().get("signingKeyIDs") == [new.kid], what="the new key signs")
    path = "jsonpath={.status.signingKeyIDs}"
    scene.kubectl("get", "oidcissuer", ISSUER, "-o", path)


def _retire(scene: Scene) -> None:
    parts, screen = scene.parts, scene.screen
    screen.say(f"c) Retire {parts.old_key.kid[:8]}: it is taken out of the API servers' key files.", "bold")
    for index in (1, 0):
        _restart(scene, index, parts.config(parts.new_key))
    with screen.busy("Waiting until nobody lists it"):
        scene.wait(lambda: "retireTime" in _key(scene, parts.old_key), what="the old key retires")
    _show_keys(scene)
    screen.say(
        f"It stays public until the last token it signed has expired: {TOKEN_LIFETIME_S} s of token lifetime "
        f"+ {CLOCK_SKEW_S} s of clock skew, counted from when nothing used it any more."
    )
    gone = "jsonpath={.status.publication.keyCount}=1"
    with screen.busy("Waiting until it leaves"):
        scene.kubectl("wait", f"--for={gone}", f"oidcissuer/{ISSUER}", "--timeout=60s")
    _show_keys(scene)


def _judge(scene: Scene, watch: Watch) -> None:
    old, new = (watch.checks[key.kid] for key in (scene.parts.old_key, scene.parts.new_key))
    scene.rejected_tokens = len(watch.rejected)
    if watch.rejected:
        first = "\n".join(watch.rejected[:5])
        raise StepFailedError(
            f"rejected tokens: {len(watch.rejected)}, of {old + new} checks.", first + scene.parts.tails()
        )
    if not old or not new:
        raise StepFailedError("The verifiers saw tokens of one key only, so nothing is shown.", scene.parts.tails())
    scene.achieved(
        f"rejected tokens: 0, in {old} checks of tokens of the old key and {new} of the new one.",
        summary=f"A whole rotation under {old + new} checks of live tokens, none of which failed.",
    )


def _old_tokens_are_dead(scene: Scene, old_token: str) -> None:
    parts = scene.parts
    party = RelyingParty(parts.issuer_url, AUDIENCE, parts.pki.client_context(), keeps_s=1)
    try:
        party.verify(old_token)
    except jwt.PyJWTError:
        scene.screen.done("A token from before the rotation is refused now, as it should be: its key has left.")
        return
    raise StepFailedError("A token of the retired key is still accepted.", parts.tails())


def _restart(scene: Scene, index: int, config: ServerConfig) -> None:
    letter, began = "AB"[index], time.monotonic()
    listed = " and ".join(_name(scene, pem) for pem in config.verification_keys())
    with scene.screen.busy(f"Restarting API server {letter}"):
        scene.parts.cluster.restart(index, config)
    took_s = time.monotonic() - began
    scene.screen.output(
        f"API server {letter}: lists {listed}, signs with {config.signing_key.kid[:8]} ({took_s:.1f} s)"
    )


def _key(scene: Scene, key: SigningKey) -> dict[str, Any]:
    """What the status says about a key, empty where it is not in it."""
    known: list[dict[str, Any]] = scene.parts.status().get("keys", [])
    return next((one for one in known if one["keyID"] == key.kid), {})


def _name(scene: Scene, public_pem: bytes) -> str:
    return next(key.kid[:8] for key in (scene.parts.old_key, scene.parts.new_key) if key.public_pem == public_pem)


def _show_keys(scene: Scene) -> None:
    scene.kubectl("get", "oidcissuer", ISSUER, "-o", f"go-template-file={scene.parts.folder / 'keys.tmpl'}")
