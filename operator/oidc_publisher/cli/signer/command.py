"""`oidc-publisher signer`: its options and its help."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

from oidc_publisher.cli.options import asking_nobody, output_options

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_KUBECONFIG = "How to reach an API server, with a client certificate."
_WRAPPING = "The key under which the Secret's private keys are wrapped, the same on every node: kubeadm's sa.key."
_PLAINTEXT = click.option(
    "--plaintext-secret", is_flag=True, help="The Secret has its private keys as they are, without a wrapping key."
)


@click.group("signer")
def command() -> None:
    """Sign the ServiceAccount tokens of a kube-apiserver with keys that the whole world can see.

    A signer runs on each control-plane node, beside the API server that has its socket as --service-account-signing-endpoint.
    """


@command.command("run", context_settings={"show_default": True})
@click.option("--socket", required=True, type=_FILE, help="Where the API server connects, in a folder of its own.")
@click.option("--state", required=True, type=_FOLDER, help="The folder for this node's copy of the keys.")
@click.option("--kubeconfig", required=True, type=_FILE, help=_KUBECONFIG)
@click.option("--node", required=True, metavar="NAME", help="The name of this node, as the status shows it.")
@click.option("--wrapping-key-file", type=_FILE, help=_WRAPPING)
@click.option("--plaintext-secret", is_flag=True, help="Keep private keys in the Secret as they are. Do not.")
@click.option(
    "--import-key", type=_FILE, help="The key that the cluster signs with, to begin with where there is no ring yet."
)
@click.option(
    "--max-token-lifetime",
    metavar="HOURS",
    type=click.IntRange(1, 8784),
    default=24,
    help="The longest lifetime of a token, the same on every node.",
)
@click.option(
    "--hint",
    metavar="SECONDS",
    type=click.IntRange(1, 3600),
    default=10,
    help="How often the API server asks for keys.",
)
@click.option(
    "--allowed-uid",
    "allowed_uids",
    metavar="UID",
    type=click.IntRange(0),
    multiple=True,
    help="Serve processes of this user only; may be given several times. Without it the socket's permissions decide.",
)
def run(**options: Any) -> int:
    """Serve the keys of the ring, until SIGTERM or Ctrl-C.

    The socket appears when keys and tokens can be answered: at once where the disk holds a ring, with no API server
    anywhere. Keys are never invented: where neither the Secret nor the disk has a ring there is no socket, unless
    --import-key names the key that the cluster signs with already.
    """
    return _do("run", **options)


@command.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--state", required=True, type=_FOLDER, help="The folder for this node's copy of the keys.")
def restore(**options: Any) -> int:
    """Put the backup of a disk back, where neither the Secret nor any disk has the ring any more.

    FILE is a copy of the file ring.json of a signer's --state folder. A folder that holds a ring is left alone: the ring is
    joined with the Secret by itself. Run it as the user of the signer, and start the signer then.

    Exit codes: 0 it is restored; 1 there is a ring already; 2 the file is no ring, or the folder cannot be written.
    """
    return _do("restore", **options)


@command.command("found")
@click.option("--import-key", required=True, type=_FILE, help="The key that the cluster signs with: kubeadm's sa.key.")
@click.option("--kubeconfig", required=True, type=_FILE, help=_KUBECONFIG)
@click.option("--state", required=True, type=_FOLDER, help="The folder for this node's copy of the keys.")
@click.option("--wrapping-key-file", type=_FILE, help=_WRAPPING)
@_PLAINTEXT
@click.option("--yes", is_flag=True, help="Found a new ring although there was one, of which every copy is lost.")
def found(**options: Any) -> int:
    """Found the ring with the key that the cluster signs with already, where there is no ring.

    `signer run --import-key` does the same at its first look. This is for whoever starts signers without that option, and for
    a cluster whose ring is lost with every copy: look for a file ring.json first, and use `signer restore`. The numbers
    of a ring that was are never used again.

    Exit codes: 0 it is founded; 1 there is a ring already, or --yes is missing; 2 something could not be read or written.
    """
    return _do("found", **options)


@command.command("rewrap")
@click.option("--kubeconfig", required=True, type=_FILE, help=_KUBECONFIG)
@click.option("--wrapping-key-file", type=_FILE, help="The key under which the private keys are wrapped now.")
@_PLAINTEXT
@click.option(
    "--new-wrapping-key-file",
    required=True,
    type=_FILE,
    help="The key to wrap them under, the same on every node: a private key in PEM, or 32 bytes or more of anything.",
)
def rewrap(**options: Any) -> int:
    """Wrap the private keys in the Secret under another key, as when kubeadm's sa.key has to go.

    First put the new file on every control-plane node. Then run this once, and start each signer with the new file. A
    signer that has the former one goes on from its disk meanwhile, and nothing rotates.

    Backups of before open under the former key as ever: rotate afterwards, if that key is in wrong hands.

    Exit codes: 0 the Secret is wrapped under the new key; 1 it is empty, or signers were faster; 2 something could not be
    read or written, or neither key opens it.
    """
    return _do("rewrap", **options)


@command.command("check", short_help="Check a signer, and what has to agree with it. Nothing is changed.")
@click.option("--socket", required=True, type=_FILE, help="The socket of the signer.")
@click.option(
    "--manifest",
    type=_FILE,
    help="The manifest of this node's API server: /etc/kubernetes/manifests/kube-apiserver.yaml.",
)
@click.option("--kubeconfig", type=_FILE, help="How to reach the cluster as an admin: /etc/kubernetes/admin.conf.")
@click.option("--wrapping-key-file", type=_FILE, help=_WRAPPING)
@_PLAINTEXT
@output_options
def check(**options: Any) -> int:
    """Check a signer before an API server's manifest changes, and whenever one is in doubt. Nothing is changed.

    With --socket alone it asks the signer: one token signed and verified, the keys, the longest lifetime. That is also
    the probe for a supervisor.

    With --manifest it reads the flags of the API server: the socket, key files that kubeadm left or brought back, and
    whether a move would change a key ID or have tokens refused.

    With --kubeconfig it asks the cluster: its version, which key signs now, whether every API server lists the signer's
    key, the lifetimes of all issuers, and with a wrapping key whether that key opens the Secret. One token is minted,
    which nobody trusts.

    Exit codes: 0 everything agrees, with warnings or without; 1 something does not; 2 not everything could be asked.
    """
    # Not in the body of the others: what it imports would double the memory of `signer run`.
    checking = importlib.import_module("oidc_publisher.cli.signer.checking")
    code: int = checking.check(asking_nobody(options), **options)
    return code


@command.command("export", short_help="Write sa.key and sa.pub, to sign without a signer again.")
@click.option("--state", required=True, type=_FOLDER, help="The folder of this node's copy of the keys.")
@click.option("--into", required=True, type=_FOLDER, help="The folder for sa.key and sa.pub. No file is replaced.")
def export(**options: Any) -> int:
    """Write the key files of an API server that signs without a signer, as it signs now: the same key, the same key ID.

    sa.key is the private half of the version that this node signs with, readable by its owner alone. sa.pub has every
    version's public half, so that tokens of former versions stay valid. Suspend the ring first, or the next rotation
    makes both files old.

    Exit codes: 0 they are written; 1 one of them is there already; 2 the folder holds no ring, or nothing can be written.
    """
    return _do("export", **options)


def _do(name: str, **options: Any) -> int:
    from oidc_publisher.cli.signer import body  # noqa: PLC0415 - cryptography and h2 cost a tenth of a second

    code: int = getattr(body, name)(**options)
    return code
