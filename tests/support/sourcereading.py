"""Read sources that the factory opens against a stub of an API server, and apply the rules to a reading."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oidc_publisher.api import KeySourceSpec
from oidc_publisher.rotation import (
    Advance,
    ClockReading,
    Ledger,
    Mints,
    Pass,
    SourceReading,
    StoredReading,
    StoreState,
    advance,
)
from oidc_publisher.sources import SourceResult, open_sources
from tests.simulation.scenario import DEFAULTS, HOUR, T0
from tests.support.apistub import Handler, client_of, says, serving

if TYPE_CHECKING:
    from tests.support.pki import PKI

NAMESPACE, NAME = "keys", "signers"


def config_map(data: Mapping[str, str] | None = None, binary: Mapping[str, bytes] | None = None) -> Handler:
    """A ConfigMap as the API server shows it."""
    body: dict[str, Any] = {"kind": "ConfigMap", "data": data}
    if binary is not None:
        body["binaryData"] = {name: base64.b64encode(content).decode() for name, content in binary.items()}
    return says(body)


def secret(data: Mapping[str, str] | None) -> Handler:
    """A Secret with these values, in base64 already."""
    return says({"kind": "Secret", "data": data})


async def read_object(
    pki: PKI, kind: str, pattern: str, *answers: Handler | tuple[Handler, Handler]
) -> list[SourceResult]:
    """The readings of one source, as many as the API server has answers; a failure is asked for twice.

    Of a pair the second is the answer from the second request on.
    """
    content = {"name": "signers", kind: {"namespace": NAMESPACE, "name": NAME, "entryPattern": pattern}}
    path = f"/api/v1/namespaces/{NAMESPACE}/{kind.lower()}s/{NAME}"
    results = []
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        (source,) = open_sources([KeySourceSpec.model_validate(content)], client)
        for answer in answers:
            stub.on("GET", path, *(answer if isinstance(answer, tuple) else (answer,)))
            results.append(await source.read())
    return results


async def read_config_map(pki: PKI, pattern: str, data: Mapping[str, str], **more: Any) -> SourceResult:
    """One reading of a ConfigMap."""
    (result,) = await read_object(pki, "configMap", pattern, config_map(data, **more))
    return result


async def read_files(pki: PKI, root: Path | None, directory: Path | str, pattern: str = r".*\.pub") -> SourceResult:
    """One reading of a folder."""
    content = {"name": "signers", "files": {"directory": str(directory), "entryPattern": pattern}}
    async with client_of(pki, "127.0.0.1:1") as client:
        (source,) = open_sources([KeySourceSpec.model_validate(content)], client, key_files_root=root)
        return await source.read()


def listed(result: SourceResult) -> dict[str, int | None]:
    """The version of each kid, in the order of the listings."""
    return {listing.key.key_id: listing.version for listing in result.reading.listings}


def reasons(result: SourceResult) -> dict[str, str]:
    """Reason by the entry that it is about."""
    return {finding.subject.rpartition("/")[2]: str(finding.reason) for finding in result.findings}


def planned(*results: SourceResult | SourceReading, before: Ledger | None = None, hours: int = 0) -> Advance:
    """What the rules make of these readings, for an issuer that has nothing else."""
    readings = (result.reading if isinstance(result, SourceResult) else result for result in results)
    seen = Pass(
        sources=tuple(readings),
        mints=Mints(),
        stored=StoredReading(StoreState.ABSENT),
        wire=None,
        clock=ClockReading(api_server=(0 * HOUR,)),
        policy=DEFAULTS,
        instant=T0 + hours * HOUR,
    )
    return advance(before or Ledger(), seen)


def published(plan: Advance) -> list[str]:
    """The kids to publish, newest first."""
    return [key.key_id for key in plan.publish]
