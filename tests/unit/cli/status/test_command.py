"""`status` against an API server that answers as a test tells it: what is read for the page, and what is written."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from oidc_publisher.api import read_issuer
from oidc_publisher.cli.connection import events_about
from oidc_publisher.cli.status.page import page_of
from tests.support.apistub import client_of, serving
from tests.support.statuses import NOW, issuer_object

if TYPE_CHECKING:
    from tests.support.pki import PKI

EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
_PAGE = 500


def event(number: int, age: timedelta, *, uid: str = "u-1") -> dict[str, Any]:
    """An event about the issuer, whose name is its place in the list."""
    return {
        "metadata": {"name": f"prod-{number:05}"},
        "eventTime": (NOW - age).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Normal",
        "reason": f"Number{number}",
        "note": "As it should be.",
        "regarding": {"kind": "OIDCIssuer", "name": "prod", "uid": uid},
    }


def in_pages(events: list[dict[str, Any]]) -> Any:
    """A list of the API: `limit` items at once in the order of their names, and a token for the next ones."""

    async def answer(request: web.Request) -> web.StreamResponse:
        begin = int(request.query.get("continue", "0"))
        end = begin + int(request.query.get("limit", str(len(events))))
        metadata = {"continue": str(end)} if end < len(events) else {}
        return web.json_response({"kind": "EventList", "metadata": metadata, "items": events[begin:end]})

    return answer


async def test_the_newest_events_are_shown_wherever_they_stand_in_the_list(pki: PKI) -> None:
    """The API lists by name, and names are random: the newest may be on the last page of several."""
    events = [event(number, timedelta(minutes=59)) for number in range(2 * _PAGE)]
    events += [event(2 * _PAGE, timedelta(seconds=5)), event(2 * _PAGE + 1, timedelta(0), uid="its-predecessor")]
    issuer = read_issuer(issuer_object())
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", EVENTS, in_pages(events))
        found = await events_about(client, issuer)
    assert len(found) == 2 * _PAGE + 1
    shown = page_of(issuer, found, NOW).events
    assert shown is not None
    assert shown[0].reason == f"Number{2 * _PAGE}"
    assert {seen.query["fieldSelector"] for seen in stub.seen} == {"regarding.kind=OIDCIssuer,regarding.name=prod"}
