"""Steps 1 to 5: from nothing to an issuer whose tokens a stranger verifies."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import jwt

from hack.story.errors import StepFailedError
from hack.story.parts import ACCOUNT, AUDIENCE, CACHE_MAX_AGE_S, ISSUER
from hack.story.relyingparty import RelyingParty, Served, fetch
from hack.story.scene import Scene

_CERTIFICATE_BODY = re.compile(r"(-----BEGIN CERTIFICATE-----\n)(.*?)(\n *-----END)", re.DOTALL)


def start_the_parts(scene: Scene) -> None:
    """Step 1."""
    screen, parts = scene.screen, scene.parts
    screen.step(
        1,
        "Start the parts",
        "Nothing is simulated: a Kubernetes control plane with two API servers, an S3 server with TLS that is the store "
        "and the public face at once, and the operator, each a process of its own on loopback.",
    )
    began = time.monotonic()
    with screen.busy("Starting S3, etcd and two kube-apiservers"):
        parts.start_s3()
        parts.cluster.start()
    with screen.busy("Starting the operator"):
        parts.operator.start()
    for letter, server in zip("AB", parts.cluster.servers, strict=True):
        screen.part(f"API server {letter}", f"https://{server.host_port}", f"signs with key {parts.old_key.kid[:8]}")
    screen.part("S3 (versitygw)", parts.s3.endpoint_url, "anonymous readers allowed below example-oidc/")
    screen.part("operator", f"http://127.0.0.1:{parts.operator.health_port}/readyz", "waits for its CRD")
    screen.part("files ($DEMO)", str(parts.folder), "removed at the end")
    scene.achieved(
        f"All parts are up after {time.monotonic() - began:.1f} s.", summary="A control plane of two API servers."
    )


def install_the_crd(scene: Scene) -> None:
    """Step 2."""
    scene.screen.step(
        2,
        "Install the CRD and describe an issuer",
        "An OIDCIssuer says where the cluster's public keys are, which URL the world knows the cluster by, and where to "
        "publish. The operator holds no private key; the ServiceAccount is there to mint tokens for proofs.",
    )
    scene.kubectl("apply", "--server-side", "-f", str(scene.parts.crds))
    scene.parts.cluster.wait_established("oidcissuers.oidc-publisher.io", timeout_s=30)
    scene.kubectl("create", "serviceaccount", ACCOUNT[1])
    path = scene.parts.write_issuer()
    scene.screen.command("cat $DEMO/issuer.yaml   # periods of seconds, so that days fit into a minute")
    scene.screen.code(_CERTIFICATE_BODY.sub(_shortened, path.read_text()), "yaml")


def watch_it_become_ready(scene: Scene) -> None:
    """Step 3."""
    screen, parts = scene.screen, scene.parts
    screen.step(
        3,
        "Apply it and watch it become Ready",
        "Ready is not 'uploaded': it means that both documents were fetched from the public URL, and that a token minted "
        "by each API server was verified against exactly those bytes.",
    )
    with parts.kubectl_watch("get", "oidcissuers", "--watch") as watch:
        scene.kubectl("apply", "-f", str(parts.folder / "issuer.yaml"))
        applied = time.monotonic()
        screen.command("kubectl get oidcissuers --watch   # begun just before")
        for line in watch.lines(timeout_s=30):
            screen.output(line)
            if line.split()[:2] == [ISSUER, "True"]:
                break
        else:
            status = json.dumps(parts.status().get("conditions"), indent=1)
            raise StepFailedError("The issuer was not Ready within 30 s.", status + parts.tails())
    took_s = time.monotonic() - applied
    screen.say("The same in full:")
    scene.kubectl("get", "oidcissuer", ISSUER, "-o", f"go-template-file={parts.write('conditions.tmpl', CONDITIONS)}")
    scene.achieved(
        f"Ready {took_s:.1f} s after the apply.", summary=f"An OIDCIssuer, Ready {took_s:.1f} s after it was applied."
    )


CONDITIONS = """\
{{range .status.conditions}}{{printf "%-14s %-6s %s" .type .status .message}}
{{end}}"""


def look_at_the_documents(scene: Scene) -> None:
    """Step 4."""
    scene.screen.step(
        4,
        "Look at what the world sees",
        "AWS, Google, Microsoft, Vault or another cluster read these two documents, anonymously, and nothing else. The "
        "cluster itself stays private.",
    )
    tls = scene.parts.pki.client_context()
    discovery = fetch(f"{scene.parts.issuer_url}/.well-known/openid-configuration", tls)
    jwks = fetch(json.loads(discovery.body)["jwks_uri"], tls)
    for served in (discovery, jwks):
        _show(scene, served)
    scene.achieved(
        "Both documents are public, and name no server of the cluster.",
        summary="Two public documents, as S3 serves them.",
    )


def verify_tokens(scene: Scene) -> None:
    """Step 5."""
    screen, parts = scene.screen, scene.parts
    screen.step(
        5,
        "Mint a token through each API server and verify it as a stranger",
        "The verifier is PyJWT's PyJWKClient. All it is given is the issuer URL, the audience and the token: no code and "
        "no state of the operator takes part.",
    )
    party = RelyingParty(parts.issuer_url, AUDIENCE, parts.pki.client_context(), keeps_s=CACHE_MAX_AGE_S)
    for letter, server in zip("AB", parts.cluster.servers, strict=True):
        command = ("create", "token", ACCOUNT[1], f"--audience={AUDIENCE}", f"--server=https://{server.host_port}")
        screen.command(f"kubectl {' '.join(command)}   # API server {letter}")
        token = parts.kubectl(*command).strip()
        claims = party.verify(token)
        header = jwt.get_unverified_header(token)
        screen.output(f"{token[:40]}… ({len(token)} characters)")
        for name, value in (
            ("alg", header["alg"]),
            ("kid", header["kid"]),
            *((n, claims[n]) for n in ("iss", "aud", "sub")),
        ):
            screen.output(f"  {name}  {value}")
        screen.done(f"PyJWT accepts the token of API server {letter}.")
    scene.achievements.append("A token of each API server, verified by PyJWT from the issuer URL alone.")


def _show(scene: Scene, served: Served) -> None:
    if served.status != 200:
        raise StepFailedError(f"{served.url} answered {served.status}.", scene.parts.tails())
    scene.screen.request(served.url)
    headers = ", ".join(f"{name}: {served.headers.get(name)}" for name in ("Content-Type", "Cache-Control"))
    scene.screen.output(f"HTTP {served.status}, {headers}")
    document: dict[str, Any] = json.loads(served.body)
    for key in document.get("keys", ()):
        key["n"] = f"{key['n'][:24]}… ({len(key['n'])} characters)"
    scene.screen.code(json.dumps(document, indent=2, ensure_ascii=False), "json")


def _shortened(found: re.Match[str]) -> str:
    first, *rest = found[2].splitlines()
    indent = " " * (len(first) - len(first.lstrip()))
    return f"{found[1]}{first[:40]}…\n{indent}({len(rest)} more lines){found[3]}"
