"""The API servers' key sets: the union, what makes a reading complete, and what each fault is called."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from oidc_publisher.cluster import ClusterClient, Credentials
from oidc_publisher.cluster.credentials.authorization import Fixed
from oidc_publisher.cluster.credentials.clientcontext import client_context
from oidc_publisher.cluster.credentials.login import Login
from oidc_publisher.findings import Reason
from oidc_publisher.keys import read_cluster_jwks, to_jwk
from oidc_publisher.keys.pem import read_entry
from oidc_publisher.sources import APIServerSource, SourceResult
from oidc_publisher.sources.apiserver import ENDPOINT_SLICE
from tests.support.apistub import APIStub, Handler, client_of, refuses, says, serving
from tests.support.processes import free_port
from tests.support.signingkeys import signing_key

if TYPE_CHECKING:
    from tests.support.pki import PKI

SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
JWKS = "/openid/v1/jwks"


def jwk(name: str, kid: str | None = None) -> dict[str, str]:
    """The JWK of a P-256 key of that name."""
    (key,) = read_entry(signing_key("P-256", name).public_pem).keys
    return {**to_jwk(key), **({"kid": kid} if kid else {})}


def kid(name: str) -> str:
    """The kid of that key."""
    return signing_key("P-256", name).kid


def key_set(*members: Mapping[str, Any]) -> Handler:
    """An API server's key set."""
    return says({"keys": list(members)})


def reasons(result: SourceResult) -> dict[str, Reason]:
    """Reason by subject."""
    return {finding.subject: finding.reason for finding in result.findings}


def kids(result: SourceResult) -> list[str]:
    """The kids listed."""
    return [listing.key.key_id for listing in result.reading.listings]


async def read(pki: PKI, *stubs: APIStub, addresses: tuple[str, ...] | None = None) -> SourceResult:
    """Read these servers by their addresses."""
    async with client_of(pki, stubs[0].address if stubs else "127.0.0.1:1") as client:
        places = addresses if addresses is not None else tuple(stub.address for stub in stubs)
        return await APIServerSource(client, "api", places).read()


async def test_the_union_of_all_servers(pki: PKI) -> None:
    """During a rollout the servers list different keys; what two of them list is listed once."""
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(serving(pki)) for _ in range(2)]
        one.on("GET", JWKS, key_set(jwk("a"), jwk("b")))
        two.on("GET", JWKS, key_set(jwk("b"), jwk("c")))
        result = await read(pki, one, two)
    assert kids(result) == [kid("a"), kid("b"), kid("c")]
    assert (result.reading.name, result.reading.complete) == ("api", True)
    assert (result.findings, result.endpoints) == ((), (one.address, two.address))
    assert all(listing.entry is None and listing.version is None for listing in result.reading.listings)


async def test_who_lists_what_is_known_of_each_server(pki: PKI) -> None:
    """R15 asks for it: one that cannot be read, or not in full, is not one that does not list a key."""
    down = f"127.0.0.1:{free_port()}"
    garbage = {"kty": "EC", "kid": "x", "crv": "P-256", "x": "AA", "y": "AA"}
    async with AsyncExitStack() as stack:
        one, part, none = [await stack.enter_async_context(serving(pki)) for _ in range(3)]
        one.on("GET", JWKS, key_set(jwk("a"), jwk("b")))
        part.on("GET", JWKS, key_set(jwk("b"), garbage))
        none.on("GET", JWKS, key_set())
        stubs = one.address, part.address, none.address
        result = await read(pki, one, addresses=(*stubs, down))
    listed = {server.address: ({key.key_id for key in server.keys}, server.whole) for server in result.reading.servers}
    assert listed == {
        one.address: ({kid("a"), kid("b")}, True),
        part.address: ({kid("b")}, False),
        none.address: (set(), True),
        down: (set(), False),
    }


async def test_two_materials_under_one_kid_are_both_listed(pki: PKI) -> None:
    """Which one is right is not the source's to decide (R8)."""
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(serving(pki)) for _ in range(2)]
        one.on("GET", JWKS, key_set(jwk("a", kid="signer-1")))
        two.on("GET", JWKS, key_set(jwk("b", kid="signer-1")))
        result = await read(pki, one, two)
    assert kids(result) == ["signer-1", "signer-1"]
    assert len({listing.key.spki for listing in result.reading.listings}) == 2


class TestIncomplete:
    """Whatever keeps a reading from being complete leaves what the other servers list."""

    async def test_one_is_down(self, pki: PKI) -> None:
        """It is named, in the finding and in what is missing."""
        down = f"127.0.0.1:{free_port()}"
        async with serving(pki) as stub:
            stub.on("GET", JWKS, key_set(jwk("a")))
            result = await read(pki, stub, addresses=(stub.address, down))
        assert kids(result) == [kid("a")]
        assert (result.reading.complete, result.reading.missing) == (False, (f"API server {down}",))
        assert reasons(result) == {down: Reason.APIServerUnreachable}
        assert result.endpoints == (stub.address, down)

    @pytest.mark.slow
    async def test_one_hides(self, pki: PKI) -> None:
        """A server that swallows packets costs a connect timeout once, not twice."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            hidden = f"127.0.0.1:{silent.getsockname()[1]}"
            async with serving(pki) as stub:
                stub.on("GET", JWKS, key_set(jwk("a")))
                began = time.monotonic()
                result = await read(pki, stub, addresses=(stub.address, hidden))
        assert time.monotonic() - began < 2.6
        assert reasons(result) == {hidden: Reason.APIServerUnreachable}

    async def test_one_has_another_certificate(self, pki: PKI) -> None:
        """Its key set is not read at all."""
        async with serving(pki) as stub, serving(pki, pki.untrusted()) as stranger:
            stub.on("GET", JWKS, key_set(jwk("a")))
            stranger.on("GET", JWKS, key_set(jwk("evil")))
            result = await read(pki, stub, stranger)
        assert kids(result) == [kid("a")]
        assert reasons(result) == {stranger.address: Reason.APIServerCertificateInvalid}
        assert not result.reading.complete

    @pytest.mark.parametrize(
        ("answer", "reason", "said"),
        [
            (refuses(404, "NotFound", "no"), Reason.ClusterDiscoveryMissing, "its first issuer is no https URL"),
            (refuses(403, "Forbidden", "no"), Reason.SourceForbidden, "system:service-account-issuer-discovery"),
            (refuses(401, "Unauthorized", "no"), Reason.SourceForbidden, "does not accept the operator's credentials"),
            (refuses(500, "InternalError", "no"), Reason.APIServerUnreachable, "answered 500"),
            (key_set(), Reason.SourceEmpty, "names no usable key"),
            (says("<html>"), Reason.EntryUnreadable, "key set"),
            (says({"keys": "?"}), Reason.EntryUnreadable, "key set"),
        ],
    )
    async def test_each_fault_has_its_reason(self, pki: PKI, answer: Handler, reason: Reason, said: str) -> None:
        """And a sentence that says what to do."""
        async with serving(pki) as stub:
            stub.on("GET", JWKS, answer)
            result = await read(pki, stub)
        assert [finding.reason for finding in result.findings] == [reason]
        assert said in result.findings[0].sentence
        assert stub.address in result.findings[0].message
        assert (result.reading.complete, result.reading.missing, kids(result)) == (
            False,
            (f"API server {stub.address}",),
            [],
        )

    async def test_an_unreadable_key_may_be_one_that_was_listed(self, pki: PKI) -> None:
        """So nothing may be delisted by this reading; its good keys count."""
        broken = {**jwk("b"), "x": "!"}
        async with serving(pki) as stub:
            stub.on("GET", JWKS, key_set(jwk("a"), broken))
            result = await read(pki, stub)
        assert kids(result) == [kid("a")]
        assert reasons(result) == {"api": Reason.EntryUnreadable}
        assert not result.reading.complete


async def test_an_unsupported_key_is_known_and_left_out(pki: PKI) -> None:
    """It is reported once for all servers that list it, and the reading is complete."""
    quantum = {"kty": "AKP", "alg": "ML-DSA-44", "kid": "q", "pub": "AA"}
    async with AsyncExitStack() as stack:
        stubs = [await stack.enter_async_context(serving(pki)) for _ in range(2)]
        for stub in stubs:
            stub.on("GET", JWKS, key_set(jwk("a"), quantum))
        result = await read(pki, *stubs)
    assert (result.reading.complete, kids(result)) == (True, [kid("a")])
    (finding,) = result.findings
    assert (finding.reason, finding.subject) == (Reason.KeyUnsupported, "api")
    assert finding.message.startswith(f"The key set of {stubs[0].address}, {stubs[1].address}: key 2 (kid ")


async def test_only_unsupported_keys_is_empty(pki: PKI) -> None:
    """A complete reading names a usable key."""
    async with serving(pki) as stub:
        stub.on("GET", JWKS, key_set({"kty": "AKP", "kid": "q"}))
        result = await read(pki, stub)
    assert {finding.reason for finding in result.findings} == {Reason.KeyUnsupported, Reason.SourceEmpty}
    assert not result.reading.complete


@pytest.mark.parametrize("status", [403, 500])
async def test_a_failure_is_confirmed_by_a_second_try(pki: PKI, status: int) -> None:
    """An API server that has just started answers 403 for a moment: no finding, no pause in retirement."""
    async with serving(pki) as stub:
        stub.on("GET", JWKS, refuses(status, "Because", "starting"), key_set(jwk("a")))
        result = await read(pki, stub)
    assert (result.reading.complete, result.findings) == (True, ())


async def test_servers_are_asked_side_by_side(pki: PKI) -> None:
    """Slow ones do not add up."""

    async def slow(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.4)
        return web.json_response({"keys": [jwk("a")]})

    async with AsyncExitStack() as stack:
        stubs = [await stack.enter_async_context(serving(pki)) for _ in range(4)]
        for stub in stubs:
            stub.on("GET", JWKS, slow)
        began = time.monotonic()
        result = await read(pki, *stubs)
    assert time.monotonic() - began < 1.2
    assert result.reading.complete


class TestEndpointSlice:
    """Which servers there are, when the spec does not say."""

    async def test_every_ready_endpoint(self, pki: PKI) -> None:
        """They are asked by their own address."""
        async with serving(pki) as main, serving(pki) as other:
            endpoints = [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}]
            main.on("GET", SLICES, says({"items": [{"endpoints": endpoints, "ports": [{"port": other.port}]}]}))
            other.on("GET", JWKS, key_set(jwk("a")))
            async with client_of(pki, main.address) as client:
                result = await APIServerSource(client, "api").read()
        assert (result.endpoints, result.reading.complete) == ((other.address,), True)

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (says({"items": []}), Reason.APIServerUnreachable),
            (refuses(403, "Forbidden", "no"), Reason.SourceForbidden),
            (says({"kind": "Status"}), Reason.APIServerUnreachable),
        ],
    )
    async def test_unknown_endpoints(self, pki: PKI, answer: Handler, reason: Reason) -> None:
        """Then the reading is never complete, but the keys of the server we know enter early all the same."""
        async with serving(pki) as stub:
            stub.on("GET", SLICES, answer)
            stub.on("GET", JWKS, key_set(jwk("a")))
            async with client_of(pki, stub.address) as client:
                result = await APIServerSource(client, "api").read()
        assert kids(result) == [kid("a")]
        assert [finding.reason for finding in result.findings] == [reason]
        assert result.endpoints is None
        assert (result.reading.complete, result.reading.missing) == (False, (ENDPOINT_SLICE,))

    async def test_nobody_answers(self, pki: PKI) -> None:
        """One finding, not one for each thing that was asked."""
        address = f"127.0.0.1:{free_port()}"
        async with client_of(pki, address) as client:
            result = await APIServerSource(client, "api").read()
        assert reasons(result) == {address: Reason.APIServerUnreachable}
        assert len(result.findings) == 1
        assert result.endpoints is None


class TestAddressOfNobody:
    """An address at which nobody is any more: whoever is to remove it learns where it stands."""

    async def test_of_the_spec(self, pki: PKI) -> None:
        """The source's own addresses."""
        down = f"127.0.0.1:{free_port()}"
        result = await read(pki, addresses=(down,))
        assert "spec.keySources[].apiServer.addresses" in result.findings[0].advice
        assert "key source api" in result.findings[0].advice

    async def test_of_the_cluster(self, pki: PKI) -> None:
        """The EndpointSlice, and how to look at it."""
        port = free_port()
        async with serving(pki) as stub:
            endpoints = [{"addresses": ["127.0.0.1"]}]
            stub.on("GET", SLICES, says({"items": [{"endpoints": endpoints, "ports": [{"port": port}]}]}))
            async with client_of(pki, stub.address) as client:
                result = await APIServerSource(client, "api").read()
        assert "kubectl get endpointslices -n default" in result.findings[0].advice
        assert "addresses" not in result.findings[0].sentence


class TestWithoutAuthority:
    """A kubeconfig without a CA: the system's CAs know every host, and an object could name one that logs tokens."""

    @staticmethod
    @asynccontextmanager
    async def client(pki: PKI, stub: APIStub) -> AsyncIterator[ClusterClient]:
        """Credentials that name no CA; the stub's is trusted as if it were one of the system's."""
        login = Login(f"https://{stub.address}", client_context(str(pki.ca_file)), Fixed("Bearer secret"))
        async with ClusterClient(Credentials(login)) as client:
            yield client

    async def test_addresses_are_unsupported(self, pki: PKI) -> None:
        """`plan -f` of a stranger's manifest sent the admin's token to the host that it named."""
        async with serving(pki) as main, serving(pki) as stranger:
            stranger.on("GET", JWKS, key_set(jwk("evil")))
            async with self.client(pki, main) as client:
                result = await APIServerSource(client, "api", (stranger.address,)).read()
        assert (stranger.seen, kids(result), result.endpoints) == ([], [], None)
        assert [finding.reason for finding in result.findings] == [Reason.SpecUnsupported]
        assert "certificate-authority" in result.findings[0].advice
        assert result.reading.missing == (f"API server {stranger.address}",)

    async def test_only_the_own_server_is_asked(self, pki: PKI) -> None:
        """Its keys enter; how many API servers there are, and what they list, nobody knows."""
        async with serving(pki) as main, serving(pki) as other:
            endpoints = [{"addresses": ["127.0.0.1"]}]
            main.on("GET", SLICES, says({"items": [{"endpoints": endpoints, "ports": [{"port": other.port}]}]}))
            main.on("GET", JWKS, key_set(jwk("a")))
            async with self.client(pki, main) as client:
                result = await APIServerSource(client, "api").read()
        assert (other.seen, kids(result), result.endpoints) == ([], [kid("a")], None)
        assert [finding.reason for finding in result.findings] == [Reason.APIServerCertificateInvalid]
        assert not result.reading.complete


def test_the_helper_speaks_as_an_api_server() -> None:
    """The key sets of these tests are what the parser takes for one."""
    assert read_cluster_jwks(json.dumps({"keys": [jwk("a")]}).encode()).keys[0].key_id == kid("a")
