"""The body of `keys`: it reads SigningKeyRing, asks for changes in its spec, and waits for the signers."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import click

from oidc_publisher.api import GROUP, PLURAL, VERSION, OIDCIssuer, read_issuer
from oidc_publisher.api.managed import RING_NAME, RING_PLURAL, SigningKeyRing, read_ring
from oidc_publisher.cli.connection import NoAnswerError, cluster_time, connected, living_objects, sentence
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.keys.ringpage import (
    imported_before,
    in_use_before,
    lagging,
    next_version,
    ring_page,
    rotation_under_way,
    silent,
)
from oidc_publisher.cli.keys.text import print_ring
from oidc_publisher.cli.options import Asking
from oidc_publisher.cli.text.output import tell, write_result
from oidc_publisher.cluster import ClusterClient
from oidc_publisher.errors import AnswerError, ClusterError

_PATH = f"/apis/{GROUP}/{VERSION}/{RING_PLURAL}/{RING_NAME}"
_MERGE = "application/merge-patch+json"
_PAUSE_S = 1.0
_NO_RING = "There is no SigningKeyRing default in this cluster, or its CustomResourceDefinition is not installed."


@dataclass(frozen=True, slots=True)
class KeysResult:
    """The result of a change: whether it `done`, and the sentence for people."""

    done: bool
    message: str

    @property
    def code(self) -> ExitCode:
        """The exit code."""
        return ExitCode.YES if self.done else ExitCode.NO


def list_keys(asking: Asking) -> ExitCode:
    """List all versions.

    Raises:
        NoAnswerError: the ring cannot be read.
    """

    async def listed() -> tuple[SigningKeyRing, Any]:
        async with connected(asking.kubeconfig, asking.context) as client:
            return await _ring(client), cluster_time(client)

    ring, now = asyncio.run(listed())
    page = ring_page(ring)
    write_result(asking, page, lambda: print_ring(page, now, sys.stdout, no_color=asking.no_color))
    return ExitCode.YES


def rotate(asking: Asking, *, wait: bool, timeout: timedelta) -> ExitCode:
    """Ask for the next version, and wait for it where that is wanted."""

    async def rotated() -> KeysResult:
        async with connected(asking.kubeconfig, asking.context) as client:
            ring = await _ring(client)
            version = next_version(ring)
            if version is None:
                raise NoAnswerError("No signer has reported yet, so that nobody knows which version is the next.")
            if under_way := rotation_under_way(ring):
                return KeysResult(done=False, message=under_way)
            await _change(client, ring, {"newestVersion": str(version)})
            if not wait:
                return KeysResult(done=True, message=f"Version {version} is asked for. See `oidc-publisher keys list`.")
            return await _everywhere(client, version, asking, timeout.total_seconds())

    return _written(asking, asyncio.run(rotated()))


async def _everywhere(client: ClusterClient, version: int, asking: Asking, most_s: float) -> KeysResult:
    """Wait until every signer that reports signs with a version."""
    end_s, said = time.monotonic() + most_s, ""
    while True:
        ring = await _ring(client)
        now = cluster_time(client)
        signing = any(signer.version == str(version) for signer in ring.status.signers)
        behind = lagging(ring, version, now)
        if signing and not behind:
            quiet = silent(ring, now)
            away = f" Nothing was heard of {', '.join(quiet)}." if quiet else ""
            return KeysResult(done=True, message=f"Every signer signs with version {version}.{away}")
        progress = ring.status.waiting_for or f"version {version}: {', '.join(behind) or 'no signer'} to begin with it"
        if progress != said:
            tell(asking, f"Waiting for {progress}.")
            said = progress
        if time.monotonic() >= end_s:
            return KeysResult(done=False, message=f"Version {version} does not sign everywhere yet: {said}.")
        await asyncio.sleep(_PAUSE_S)


def trim(asking: Asking, *, before: int, yes: bool) -> ExitCode:
    """Let imported versions below a number go."""

    async def trimmed() -> KeysResult:
        async with connected(asking.kubeconfig, asking.context) as client:
            ring = await _ring(client)
            if in_use := in_use_before(ring, before):
                return KeysResult(done=False, message=in_use)
            imported = imported_before(ring, before)
            if imported and not yes:
                warning = (
                    f"Version {', '.join(imported)} was imported: tokens in Secrets of type "
                    "kubernetes.io/service-account-token may need it for good, and so does a controller manager with its "
                    "file. Look for such Secrets, then say --yes."
                )
                return KeysResult(done=False, message=warning)
            await _change(client, ring, {"trimBefore": str(before)})
            return KeysResult(
                done=True,
                message=f"Versions below {before} go when no ledger holds them, and no token of theirs lives.",
            )

    return _written(asking, asyncio.run(trimmed()))


def withdraw(asking: Asking, *, key_id: str, yes: bool) -> ExitCode:
    """Withdraw a key at every issuer of this cluster's API servers."""

    async def withdrawn() -> KeysResult:
        async with connected(asking.kubeconfig, asking.context) as client:
            ring = await _ring(client)
            version = next((each for each in ring.status.versions if each.key_id == key_id), None)
            if version is None:
                return KeysResult(done=False, message=f"The ring has no key {key_id}; a key ID is given in full.")
            if not yes:
                warning = (
                    f"Tokens of version {version.version} would be refused everywhere at once. Say --yes to do it."
                )
                return KeysResult(done=False, message=warning)
            names = await _withdraw_everywhere(client, key_id)
            return KeysResult(done=bool(names), message=_withdrawal(key_id, names))

    return _written(asking, asyncio.run(withdrawn()))


def _withdrawal(key_id: str, names: tuple[str, ...]) -> str:
    if not names:
        return "There is no OIDCIssuer that reads this cluster's API servers, in which a key could be withdrawn."
    return f"Key {key_id} is withdrawn in OIDCIssuer {', '.join(names)}."


def _of_this_cluster(issuer: OIDCIssuer) -> bool:
    """Tell whether the issuer reads this cluster's own API servers, whose keys alone are the ring's."""
    servers = (source.api_server for source in issuer.spec.key_sources)
    return any(server is not None and server.kubeconfig_secret is None for server in servers)


async def _withdraw_everywhere(client: ClusterClient, key_id: str) -> tuple[str, ...]:
    names = []
    try:
        for document in await living_objects(client):
            issuer = read_issuer(document)
            if not _of_this_cluster(issuer):
                continue
            known = issuer.spec.rotation.withdrawn_key_ids
            body = {
                "metadata": {"resourceVersion": issuer.metadata.resource_version},
                "spec": {"rotation": {"withdrawnKeyIDs": [*dict.fromkeys((*known, key_id))]}},
            }
            path = f"/apis/{GROUP}/{VERSION}/{PLURAL}/{quote(issuer.metadata.name, safe='')}"
            await client.request("PATCH", path, body=body, content_type=_MERGE)
            names.append(issuer.metadata.name)
    except ClusterError as error:
        done = f" In {', '.join(names)} it is withdrawn." if names else ""
        raise NoAnswerError(f"{sentence(error)}{done}") from error
    return tuple(names)


async def _ring(client: ClusterClient) -> SigningKeyRing:
    try:
        return read_ring((await client.request("GET", _PATH)).stored_object("name"))
    except AnswerError as error:
        missing = error.status == HTTPStatus.NOT_FOUND
        raise NoAnswerError(_NO_RING if missing else sentence(error)) from error
    except ClusterError as error:
        raise NoAnswerError(sentence(error)) from error


async def _change(client: ClusterClient, ring: SigningKeyRing, spec: Mapping[str, Any]) -> None:
    """Change spec, if nobody has changed the object since it was read."""
    body = {"metadata": {"resourceVersion": ring.metadata.resource_version}, "spec": spec}
    try:
        await client.request("PATCH", _PATH, body=body, content_type=_MERGE)
    except ClusterError as error:
        raise NoAnswerError(sentence(error)) from error


def _written(asking: Asking, result: KeysResult) -> ExitCode:
    write_result(asking, result, lambda: click.echo(result.message))
    return result.code
