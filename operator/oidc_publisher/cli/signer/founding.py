"""Found a ring by hand, and wrap the Secret under another key."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import click

from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.signer.keeper import LostRaceError, NoRingError, RingKeeper
from oidc_publisher.signer.keypairs import make_pair, read_pair
from oidc_publisher.signer.kube import KubeAccess, KubeApi, KubeRequestError, SecretRing
from oidc_publisher.signer.kube.sightings import RING_PATH
from oidc_publisher.signer.storage import DiskFile, Plaintext, RingUnreadableError, Wrapping, WrappingKey
from oidc_publisher.signer.storage.ringerror import unreadable

#: How often a write begins anew because a signer wrote the Secret in between.
_ATTEMPTS = 8
_THERE_IS_ONE = "There is a ring already: the signers join it by themselves. Nothing was changed."


def wrapping_of(file: Path | None, *, plaintext: bool) -> Wrapping:
    """Return how private keys stand in the Secret.

    Raises:
        UsageError: neither a wrapping key nor plaintext was asked for, or both were.
        RingUnreadableError: the file cannot be read, or is no key to wrap with.
    """
    if (file is None) is not plaintext:
        raise click.UsageError("Give either --wrapping-key-file or --plaintext-secret.")
    return Plaintext() if file is None else WrappingKey.from_file(content_of(file))


def content_of(path: Path) -> bytes:
    """Return what a file has; raises RingUnreadableError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(f"{path} cannot be read: {error.strerror}") from None


def found(
    *,
    kubeconfig: Path,
    state: Path,
    import_key: Path,
    wrapping_key_file: Path | None,
    plaintext_secret: bool,
    yes: bool,
) -> ExitCode:
    """Found the ring of a cluster with a key.

    Raises:
        PublisherError: something cannot be read or written.
    """
    wrapping = wrapping_of(wrapping_key_file, plaintext=plaintext_secret)
    public, private = read_pair(content_of(import_key))
    api = KubeApi(KubeAccess.read(kubeconfig))
    disk = DiskFile(state)
    highest, now = _former(api)
    if highest and not yes:
        click.echo(
            f"The status of SigningKeyRing names versions up to {highest}, so that there was a ring. Look for the file "
            "ring.json of any node and use `signer restore`; say --yes if every copy is lost."
        )
        return ExitCode.NO
    keeper = RingKeeper(SecretRing(api, wrapping), disk, make_pair, disk.read())
    try:
        keeper.found(public, private, lineage=str(uuid.uuid4()), now=now, highest=highest)
    except (NoRingError, LostRaceError):
        click.echo(_THERE_IS_ONE)
        return ExitCode.NO
    click.echo(f"The ring is founded, with key {public.key_id} as version {highest + 1}. Start the signers now.")
    return ExitCode.YES


def _former(api: KubeApi) -> tuple[int, datetime]:
    """Return the highest version that any signer ever reported, 0 where none did, and the API server's time."""
    try:
        answer = api.get(RING_PATH)
    except KubeRequestError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return 0, datetime.now(UTC).replace(microsecond=0)
    highest = str(answer.document.get("status", {}).get("highest", ""))
    return int(highest) if highest.isdecimal() else 0, answer.time


def rewrap(
    *, kubeconfig: Path, wrapping_key_file: Path | None, plaintext_secret: bool, new_wrapping_key_file: Path
) -> ExitCode:
    """Wrap the private keys in the Secret under another key.

    Raises:
        PublisherError: something cannot be read or written, or neither key opens the Secret.
    """
    former = wrapping_of(wrapping_key_file, plaintext=plaintext_secret)
    new = wrapping_of(new_wrapping_key_file, plaintext=False)
    api = KubeApi(KubeAccess.read(kubeconfig))
    for _ in range(_ATTEMPTS):
        try:
            code, said = _rewrapped(SecretRing(api, former), SecretRing(api, new), new, new_wrapping_key_file)
        except LostRaceError:
            continue
        click.echo(said)
        return code
    click.echo("The signers write the Secret again and again. Nothing was changed; try once more.")
    return ExitCode.NO


def _rewrapped(former: SecretRing, present: SecretRing, new: Wrapping, file: Path) -> tuple[ExitCode, str]:
    """Write the Secret under the new key, unless it is so already."""
    try:
        if present.read()[0] is not None:
            return ExitCode.YES, f"The Secret is wrapped under {file} already."
    except RingUnreadableError:
        pass  # as it should be: it is wrapped under the former key
    ring, version = former.read()
    if ring is None:
        return ExitCode.NO, "The Secret is empty: there is nothing to wrap. The next signer that looks fills it."
    former.under(new).replace(replace(ring, serial=ring.serial + 1), version)
    return ExitCode.YES, (
        f"The Secret is wrapped under {file} now. Start each signer with --wrapping-key-file {file}: until then it goes on "
        "from its disk, and nothing rotates."
    )
