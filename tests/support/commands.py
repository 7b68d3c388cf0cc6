"""Call the commands of the command line in this process, and let a small API server answer them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from oidc_publisher.api import RECONCILE_REQUESTED_AT, format_time
from oidc_publisher.cli import main
from tests.support.apistub import Handler, says
from tests.support.statuses import Object, issuer_object

COLLECTION = "/apis/oidc-publisher.io/v1alpha1/oidcissuers"
PATH = f"{COLLECTION}/prod"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
NO_EVENTS = says({"kind": "EventList", "metadata": {}, "items": []})


def ready_now(**status: Any) -> Object:
    """The issuer of `statuses`, proven a second ago."""
    return issuer_object(lastProvenTime=format_time(datetime.now(UTC) - timedelta(seconds=1)), **status)


def call(*arguments: str) -> int:
    """Run a command in this process; its exit code."""
    with pytest.raises(SystemExit) as exit_info:
        main(list(arguments))
    return int(exit_info.value.code or 0)


def operator_answers(obj: Object) -> Handler:
    """The question is noted, and the operator answers it at once."""

    async def answer(request: web.Request) -> web.StreamResponse:
        value = (await request.json())["metadata"]["annotations"][RECONCILE_REQUESTED_AT]
        obj["metadata"]["annotations"] = {RECONCILE_REQUESTED_AT: value}
        said = web.json_response(obj)
        obj["status"]["lastHandledReconcileAt"] = value
        return said

    return answer


def has(obj: Object) -> Handler:
    """The object as it is when it is asked for."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(obj)

    return answer


async def has_no_such_path(_: web.Request) -> web.StreamResponse:
    """The answer of an API server that does not know the resource."""
    return web.Response(status=404, text="404 page not found")
