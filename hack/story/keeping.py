"""`--keep`: everything goes on running, and a person gets the commands to play with it."""

from __future__ import annotations

import signal

from hack.story.parts import BUCKET, ISSUER, JWKS_KEY, PREFIX, Parts
from hack.story.screen import Screen
from tests.support.s3server import REGION


def leave_running(screen: Screen, parts: Parts) -> None:
    """Print what there is to try, and wait for the end that Ctrl-C brings."""
    for title, commands in _suggestions(parts).items():
        screen.console.print()
        screen.say(title, style="bold cyan")
        for command in commands:
            screen.command(command)
    screen.console.print()
    screen.say("Everything is still running. Ctrl-C here stops it all and removes the files.", style="bold")
    while True:
        signal.pause()


def _suggestions(parts: Parts) -> dict[str, list[str]]:
    _write_curl_settings(parts)
    public = f"curl -si --cacert $DEMO/pki/ca.pem {parts.s3.public_url(BUCKET)}"
    owner = f"curl -K $DEMO/s3.curl {parts.s3.public_url(BUCKET)}"
    operator, store = parts.operator.process, parts.s3.process
    managed = {
        "Rotate, and see what the signers say:": [
            ".venv/bin/oidc-publisher keys rotate --wait",
            "kubectl get signingkeyrings --watch",
            "tail -f $DEMO/signers/a/log",
        ]
    }
    return {
        "In another shell, first:": [
            f"export DEMO={parts.folder} KUBECONFIG={parts.kubeconfig} PATH={parts.kubectl_folder}:$PATH",
        ],
        "Look at it:": [
            "kubectl get oidcissuers --watch",
            f"kubectl describe oidcissuer {ISSUER}",
            f"{public}/{PREFIX}/.well-known/openid-configuration",
            f"{public}/{JWKS_KEY}",
            f"tail -f {parts.shown(str(operator.log_file))}",
        ],
        "Break it, as the owner of the bucket could:": [
            f"{owner}/{JWKS_KEY} -X DELETE   # the key set is deleted: repaired",
            f"{owner}/{JWKS_KEY} -T $DEMO/issuer.yaml   # something else stands in its place: repaired",
            f"{owner}'?policy=' -X DELETE   # anonymous readers are blocked: AccessBlocked",
            f"{owner}'?policy=' -T $DEMO/policy.json   # they may read again: Ready",
        ],
        "Take a part away:": [
            f"kill -STOP {store.pid}   # the S3 server hangs; kill -CONT {store.pid} ends that",
            f"kill {operator.pid}   # no operator: the documents are served as before",
        ],
        **(managed if parts.signers else {}),
    }


def _write_curl_settings(parts: Parts) -> None:
    """Write the settings with which curl signs requests as the bucket's owner, and the policy to restore."""
    secret = f"{parts.s3.access_key}:{parts.s3.secret_key}"
    lines = [
        f'cacert = "{parts.pki.ca_file}"',
        f'user = "{secret}"',
        f'aws-sigv4 = "aws:amz:{REGION}:s3"',
        'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"',
        "silent",
        "show-error",
    ]
    path = parts.write("s3.curl", "\n".join(lines) + "\n")
    path.chmod(0o600)
    parts.write("policy.json", parts.s3.client.get_bucket_policy(Bucket=BUCKET)["Policy"])
