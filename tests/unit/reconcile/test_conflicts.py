"""A pass that somebody's change of the object ends is made anew, and what it did is told all the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from oidc_publisher.controller.metrics.series import Series
from tests.support.memorypass import PATH, memory_pass
from tests.support.publickeys import mixed_pem
from tests.unit.controller.metrics.test_series import value

if TYPE_CHECKING:
    from tests.support.pki import PKI

EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"


async def test_a_repair_is_told_though_the_pass_cannot_be_reported(pki: PKI, tmp_path: Path) -> None:
    """The spec was edited between the write and the report, which has a finding more; the next pass finds nothing to repair."""
    told: list[str] = []
    series = Series()
    async with memory_pass(pki, tmp_path, observer=series) as world:
        world.write_keys([mixed_pem(0)])
        await world.run()
        world.store.documents.pop("openid/v1/jwks")
        (tmp_path / "broken.pub").write_text("no key")
        patches = 0

        async def patch(request: web.Request) -> web.StreamResponse:
            nonlocal patches
            patches += 1
            if patches == 2:
                conflict = {"kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409}
                return web.json_response(conflict, status=409)
            return await world.api.patch(request)

        async def event(request: web.Request) -> web.StreamResponse:
            told.append((await request.json())["reason"])
            return web.json_response({})

        world.stub.on("PATCH", f"{PATH}/status", patch)
        world.stub.on("POST", EVENTS, event)
        assert (await world.run()).failed
        await world.run()
    assert patches > 2
    assert told.count("DriftRepaired") == 1
    assert value(series, "drift_repairs_total") == 1.0
