"""Rights that the operator lacks: somebody hears of it beside the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from oidc_publisher.controller.rights import RightsCheck
from oidc_publisher.reconcile.passes import Outcome
from oidc_publisher.reconcile.ports import PortOpener
from oidc_publisher.reconcile.reconciler import Reconciler
from tests.support.apistub import APIStub, Handler, client_of, refuses, says, serving

if TYPE_CHECKING:
    from tests.support.pki import PKI

ISSUERS = "/apis/oidc-publisher.io/v1alpha1/oidcissuers"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
OBJECT: dict[str, Any] = {
    "metadata": {"name": "prod", "uid": "u-1", "generation": 1, "resourceVersion": "7"},
    "spec": {"issuerURL": "https://a.example.com", "store": {"gcs": {"bucket": "abc"}}, "suspend": True},
}
CANNOT = refuses(403, "Forbidden", 'oidcissuers "prod" is forbidden: User "sa" cannot get resource "oidcissuers"')


def allowing(*refused: tuple[str, str | None]) -> Handler:
    """An API server that grants all but these (verb, subresource)."""

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = (await request.json())["spec"]["resourceAttributes"]
        assert (asked["group"], asked["resource"]) == ("oidc-publisher.io", "oidcissuers")
        return web.json_response({"status": {"allowed": (asked["verb"], asked.get("subresource")) not in refused}})

    return answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (allowing(), None),
        (
            allowing(("get", None)),
            "the operator lacks rights: get on oidcissuers.oidc-publisher.io (value rbac.create of the Helm chart)",
        ),
        (
            allowing(("watch", None), ("patch", "status")),
            (
                "the operator lacks rights: watch on oidcissuers.oidc-publisher.io, "
                "patch on oidcissuers.oidc-publisher.io/status (value rbac.create of the Helm chart)"
            ),
        ),
        (refuses(403, "Forbidden", "no"), None),
        (says({"status": None}), None),
    ],
)
async def test_the_readiness_page_names_what_is_missing(pki: PKI, answer: Handler, said: str | None) -> None:
    """Without them no status can be written, so that none can tell; what cannot be asked is not missing."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("POST", REVIEWS, answer)
        assert await RightsCheck(client).check() == said


async def test_rights_are_asked_for_again_when_one_is_missing(pki: PKI) -> None:
    """What is granted shows at once; what is there costs four requests a minute."""
    now = [0.0]
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        check = RightsCheck(client, lambda: now[0])
        stub.on("POST", REVIEWS, allowing(("get", None)))
        assert await check.check() is not None
        stub.on("POST", REVIEWS, allowing())
        assert await check.check() is None
        asked = len(stub.seen)
        now[0] = 59.0
        assert await check.check() is None
        assert len(stub.seen) == asked
        now[0] = 61.0
        await check.check()
        assert len(stub.seen) == asked + 4


def events(stub: APIStub) -> list[Any]:
    """The events that were posted."""
    return [seen.body for seen in stub.seen if seen.path == EVENTS]


async def test_without_get_the_object_has_an_event(pki: PKI) -> None:
    """Kubectl describe shows it, for the operator learns the UID where it may list; once, until it is over."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", f"{ISSUERS}/prod", CANNOT)
        stub.on("GET", ISSUERS, says({"items": [OBJECT]}))
        stub.on("PATCH", f"{ISSUERS}/prod/status", says(OBJECT))
        stub.on("POST", EVENTS, says({}))
        reconciler = Reconciler(client, PortOpener(client).open)
        assert await reconciler.reconcile("prod") == Outcome(failed=True)
        await reconciler.reconcile("prod")
        (event,) = events(stub)
        assert (event["regarding"]["uid"], event["type"], event["reason"]) == ("u-1", "Warning", "WaitingForOperator")
        assert "cannot get resource" in event["note"]
        assert "Allow its ServiceAccount get" in event["note"]
        stub.on("GET", f"{ISSUERS}/prod", says(OBJECT))
        await reconciler.reconcile("prod")
        stub.on("GET", f"{ISSUERS}/prod", CANNOT)
        await reconciler.reconcile("prod")
        (again,) = [seen for seen in stub.seen if seen.method == "PATCH" and seen.path.startswith(EVENTS)]
        assert again.path == f"{EVENTS}/{event['metadata']['name']}"
        assert again.body["series"]["count"] == 2
        await reconciler.close()


async def test_without_patch_on_the_status_the_object_has_an_event(pki: PKI) -> None:
    """The status stays at the last word for ever otherwise."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", f"{ISSUERS}/prod", says(OBJECT))
        stub.on("PATCH", f"{ISSUERS}/prod/status", CANNOT)
        stub.on("POST", EVENTS, says({}))
        reconciler = Reconciler(client, PortOpener(client).open)
        assert await reconciler.reconcile("prod") == Outcome(failed=True)
        await reconciler.close()
        assert [event["regarding"]["uid"] for event in events(stub)] == ["u-1"]


def findings_reported(stub: APIStub) -> list[Any]:
    """The findings of the last status that was written."""
    patches = [seen.body for seen in stub.seen if seen.method == "PATCH"]
    found: list[Any] = [patch["status"]["findings"] for patch in patches if "findings" in patch["status"]][-1]
    return found


async def test_without_the_right_to_record_events_the_status_says_so_until_it_is_granted(pki: PKI) -> None:
    """Kubectl describe shows no event, and why is otherwise in the log alone; a resting issuer has no event to try it with."""

    async def review(request: web.Request) -> web.StreamResponse:
        asked = (await request.json())["spec"]["resourceAttributes"]
        assert asked == {"verb": "create", "resource": "events", "group": "events.k8s.io", "namespace": "default"}
        return web.json_response({"status": {"allowed": granted}})

    granted = False
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", f"{ISSUERS}/prod", says(OBJECT))
        stub.on("PATCH", f"{ISSUERS}/prod/status", says(OBJECT))
        stub.on("POST", EVENTS, CANNOT)
        stub.on("POST", REVIEWS, review)
        reconciler = Reconciler(client, PortOpener(client).open)
        await reconciler.reconcile("prod")
        await reconciler.reconcile("prod")
        (finding,) = findings_reported(stub)
        assert (finding["reason"], finding["severity"]) == ("EventsForbidden", "Warning")
        assert "create events (events.k8s.io) in namespace default" in finding["advice"]
        assert "rbac.create" in finding["advice"]
        granted = True
        stub.on("GET", f"{ISSUERS}/prod", says(OBJECT | {"status": {"findings": [finding]}}))
        await reconciler.reconcile("prod")
        assert findings_reported(stub) in ([], None)
        await reconciler.close()
