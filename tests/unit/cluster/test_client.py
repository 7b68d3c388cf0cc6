"""Requests to an API server: what is sent, what is tried again, and what each failure is called."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from oidc_publisher.cluster import ClusterClient, ConflictError, Credentials
from oidc_publisher.cluster.client import BODY_LIMIT
from oidc_publisher.cluster.credentials.authorization import Fixed
from oidc_publisher.cluster.credentials.clientcontext import client_context
from oidc_publisher.cluster.credentials.login import Login
from oidc_publisher.cluster.failures import ConnectionLostError, ObjectMissingError
from oidc_publisher.errors import AnswerError, CertificateError, ClusterError, UnreachableError
from oidc_publisher.filestate import file_state
from oidc_publisher.findings import Reason
from tests.support.apistub import authority_of, client_of, refuses, says, serving
from tests.support.pki import PKI
from tests.support.processes import free_port
from tests.support.trickle import BODY, HEADERS, TricklingServer

if TYPE_CHECKING:
    from tests.support.pki import Certificate

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def talking(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A TCP or TLS server that does not know HTTP; yields its HOST:PORT."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def failure_of(client: ClusterClient, *, endpoint: str | None = None, timeout_s: float = 5.0) -> ClusterError:
    """The error that a GET ends in."""
    with pytest.raises(ClusterError) as caught:
        await client.request("GET", "/thing", endpoint=endpoint, timeout_s=timeout_s)
    return caught.value


async def test_a_request_carries_the_credentials_and_the_body(pki: PKI) -> None:
    """Authorization, Content-Type, query and body arrive as given."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("PATCH", "/apis/x/y", says({"kind": "Y"}, status=201))
        answer = await client.request(
            "PATCH", "/apis/x/y", body={"a": 1}, content_type="application/merge-patch+json", params={"limit": "2"}
        )
    seen = stub.seen[0]
    assert (answer.status, answer.object(), answer.asked) == (201, {"kind": "Y"}, stub.address)
    assert seen.headers["Authorization"] == "Bearer secret"
    assert seen.headers["Accept"] == "application/json, */*"  # else a key set is a 406
    assert seen.headers["Content-Type"] == "application/merge-patch+json"
    assert (seen.body, seen.query) == ({"a": 1}, {"limit": "2"})


async def test_connections_are_kept(pki: PKI) -> None:
    """A resting read opens no new connection."""
    async with serving(pki) as stub, client_of(pki, stub.address) as client:
        stub.on("GET", "/thing", says({}))
        for _ in range(3):
            await client.request("GET", "/thing")
    assert len({seen.connection for seen in stub.seen}) == 1


async def test_the_server_may_have_a_path(pki: PKI) -> None:
    """A server behind a path (Rancher) is asked below it, and a single endpoint is not."""
    async with serving(pki) as stub:
        tls = client_context(str(pki.ca_file))
        login = Login(f"https://{stub.address}/k8s/clusters/c-1", tls, authority=authority_of(pki))
        async with ClusterClient(Credentials(login)) as client:
            stub.on("GET", "/k8s/clusters/c-1/version", says({}))
            stub.on("GET", "/version", says({}))
            await client.request("GET", "/version")
            await client.request("GET", "/version", endpoint=stub.address)
    assert [seen.path for seen in stub.seen] == ["/k8s/clusters/c-1/version", "/version"]


class TestUnreachable:
    """Nobody answered."""

    async def test_refused(self, pki: PKI) -> None:
        """A closed port is named with its cause."""
        address = f"127.0.0.1:{free_port()}"
        async with client_of(pki, address) as client:
            error = await failure_of(client)
        assert isinstance(error, UnreachableError)
        assert error.reason is Reason.APIServerUnreachable
        assert error.message == f"{address} cannot be connected to (connection refused)"
        assert (error.retryable, error.subject) == (True, address)

    @pytest.mark.slow
    async def test_no_answer(self, pki: PKI) -> None:
        """A server that accepts and says nothing costs the connect timeout, for its handshake never ends."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            began = time.monotonic()
            async with client_of(pki, address) as client:
                error = await failure_of(client)
        assert error.message == f"{address} does not answer in time"
        assert 1.9 < time.monotonic() - began < 3

    @pytest.mark.parametrize("begin", [HEADERS, BODY], ids=["headers", "body"])
    async def test_an_answer_that_trickles(self, pki: PKI, begin: bytes) -> None:
        """A server that sends a byte now and then is never silent; it costs the whole time given all the same."""
        with TricklingServer(begin, context=pki.serving().server_context()) as server:
            async with client_of(pki, server.address) as client:
                error = await failure_of(client, timeout_s=0.3)
        assert error.message == f"{server.address} does not answer in time"

    async def test_no_headers(self, pki: PKI) -> None:
        """A server that takes the request and does not answer costs the whole time given."""

        async def hang(_: web.Request) -> web.StreamResponse:
            await asyncio.sleep(30)
            raise AssertionError

        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", "/thing", hang)
            error = await failure_of(client, timeout_s=0.3)
        assert error.message == f"{stub.address} does not answer in time"

    async def test_unknown_name(self, pki: PKI) -> None:
        """A name that does not resolve."""
        async with client_of(pki, "nowhere.invalid:6443") as client:
            error = await failure_of(client)
        assert error.message == "nowhere.invalid:6443 has a name that cannot be resolved"

    async def test_plain_http(self, pki: PKI) -> None:
        """A port that speaks plain HTTP has no certificate to judge."""

        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()

        async with talking(plain) as address, client_of(pki, address) as client:
            error = await failure_of(client)
        assert isinstance(error, UnreachableError)
        assert "does not speak TLS as an API server does" in error.message

    async def test_no_http(self, pki: PKI) -> None:
        """TLS is right, and what follows is not HTTP."""

        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"SSH-2.0-dropbear\r\n\r\n")
            await writer.drain()

        async with talking(babble, pki.serving().server_context()) as address, client_of(pki, address) as client:
            error = await failure_of(client)
        assert error.message == f"{address} does not speak HTTP as an API server does"

    async def test_half_an_answer(self, pki: PKI) -> None:
        """A connection that ends inside the body is no answer."""

        async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"keys":')
            await writer.drain()

        async with talking(half, pki.serving().server_context()) as address, client_of(pki, address) as client:
            error = await failure_of(client)
        assert isinstance(error, ConnectionLostError)


class TestCertificates:
    """Who answers."""

    @pytest.mark.parametrize("kind", ["untrusted", "self_signed", "expired", "incomplete_chain"])
    async def test_not_of_the_ca(self, pki: PKI, kind: str) -> None:
        """A certificate that the cluster's CA does not vouch for now is refused under its own reason."""
        certificate: Certificate = getattr(pki, kind)()
        async with serving(pki, certificate) as stub, client_of(pki, stub.address) as client:
            error = await failure_of(client)
            second = await failure_of(client, endpoint=stub.address)
        assert isinstance(error, CertificateError)
        assert error.reason is second.reason is Reason.APIServerCertificateInvalid
        assert error.message.startswith(
            f"{stub.address} has a certificate that the cluster's CA did not issue for it ("
        )
        assert stub.seen == []  # no token was shown to it
        assert ("Renew" if kind == "expired" else "Compare the CA") in error.finding().advice

    async def test_an_endpoint_is_known_by_the_cluster_name(self, pki: PKI) -> None:
        """A single API server is asked by its address and known as kubernetes.default.svc."""
        certificate = pki.serving("kubernetes.default.svc")
        async with serving(pki, certificate) as stub, client_of(pki, "127.0.0.1:1") as client:
            stub.on("GET", "/thing", says({}))
            answer = await client.request("GET", "/thing", endpoint=stub.address)
        assert answer.asked == stub.address

    async def test_an_endpoint_may_be_known_by_the_name_of_the_kubeconfigs_server(self, pki: PKI) -> None:
        """A certificate for that host alone will do, and is remembered: the second request tries nothing else."""
        async with (
            serving(pki, pki.serving("api.example.test")) as stub,
            client_of(pki, "api.example.test:6443") as client,
        ):
            stub.on("GET", "/thing", says({}))
            await client.request("GET", "/thing", endpoint=stub.address)
            await client.request("GET", "/thing", endpoint=stub.address)
        assert len({seen.connection for seen in stub.seen}) == 1

    async def test_an_endpoint_may_change_its_name(self, pki: PKI) -> None:
        """What was remembered of its certificate holds until it has another one."""
        async with client_of(pki, "api.example.test:6443") as client:
            port = free_port()
            for name in ("api.example.test", "kubernetes.default.svc", "api.example.test"):
                async with serving(pki, pki.serving(name), port=port) as stub:
                    stub.on("GET", "/thing", says({}))
                    assert (await client.request("GET", "/thing", endpoint=stub.address)).status == 200

    @pytest.mark.parametrize("name", ["worker-3", "127.0.0.1", "localhost"])
    async def test_a_machine_that_is_no_api_server_gets_no_credentials(self, pki: PKI, name: str) -> None:
        """The CA vouches for another machine: a kubelet's certificate has its own address, and with k3s localhost."""
        async with serving(pki, pki.serving(name)) as stub, client_of(pki, "127.0.0.1:1") as client:
            error = await failure_of(client, endpoint=stub.address)
        assert isinstance(error, CertificateError)
        assert "for none of the names of an API server (kubernetes.default.svc)" in error.message
        assert "--api-server-name" in error.hint
        assert stub.seen == []

    async def test_whoever_runs_the_operator_may_allow_more_names(self, pki: PKI) -> None:
        """The flag does what no object can."""
        async with serving(pki, pki.serving("api-1.internal")) as stub:
            stub.on("GET", "/thing", says({}))
            async with client_of(pki, "127.0.0.1:1", "api-1.internal") as client:
                assert (await client.request("GET", "/thing", endpoint=stub.address)).status == 200

    @pytest.mark.parametrize("insecure", [False, True])
    async def test_without_a_ca_no_endpoint_is_asked(
        self, pki: PKI, monkeypatch: pytest.MonkeyPatch, insecure: bool
    ) -> None:
        """Every host with a public certificate would get the token; without verification every host at all."""
        monkeypatch.setenv("SSL_CERT_FILE", str(pki.ca_file))  # the CA is the system's: everybody's
        tls = client_context(str(pki.ca_file) if insecure else None, verify=not insecure)
        authority = authority_of(pki) if insecure else None
        async with serving(pki) as stub:
            stub.on("GET", "/thing", says({}))
            login = Login(f"https://{stub.address}", tls, Fixed("Bearer secret"), authority=authority)
            async with ClusterClient(Credentials(login)) as client:
                assert (await client.request("GET", "/thing")).status == 200
                error = await failure_of(client, endpoint=stub.address)
        assert isinstance(error, CertificateError)
        assert "name no CA" in error.message
        assert len(stub.seen) == 1

    async def test_credentials_that_lose_their_ca_are_not_sent(self, pki: PKI) -> None:
        """A refusal loads them anew, and the kubeconfig may have been written meanwhile: the second try is judged too."""
        async with serving(pki) as stub:
            stub.on("GET", "/thing", refuses(401, "Unauthorized", "no"))
            tls = client_context(str(pki.ca_file))
            old = Login(f"https://{stub.address}", tls, Fixed("Bearer old"), authority=authority_of(pki))
            new = Login(f"https://{stub.address}", tls, Fixed("Bearer new"))
            async with ClusterClient(Credentials(old, reload=lambda: new)) as client:
                assert isinstance(await failure_of(client, endpoint=stub.address), CertificateError)
        assert [seen.headers["Authorization"] for seen in stub.seen] == ["Bearer old"]

    async def test_a_stranger_sees_no_client_certificate(self, pki: PKI) -> None:
        """A client certificate says who asks as a token does: the handshake ends before it is sent."""
        certificate = pki.serving("worker-3")
        context = certificate.server_context()
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(str(pki.ca_file))
        shown: list[object] = []

        async def look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            shown.append(writer.get_extra_info("peercert"))
            await reader.read(1)

        mine = pki.serving("admin")
        tls = client_context(str(pki.ca_file), str(mine.chain_file), str(mine.key_file))
        async with talking(look, context) as address:
            login = Login("https://127.0.0.1:1", tls, authority=authority_of(pki))
            async with ClusterClient(Credentials(login)) as client:
                assert isinstance(await failure_of(client, endpoint=address), CertificateError)
        assert not any(shown)

    async def test_the_kubeconfigs_server_with_another_name(self, pki: PKI) -> None:
        """It is the right CA; what is wrong is the name, and the advice is about that."""
        async with serving(pki, pki.serving("worker-3")) as stub, client_of(pki, stub.address) as client:
            error = await failure_of(client)
        assert error.message == f"{stub.address} has a certificate of the right CA, but for another name"
        assert "tls-server-name" in error.hint
        assert "Compare the CA" not in error.finding().sentence

    @pytest.mark.parametrize(
        "host",
        [
            "169.254.169.254",
            "[::ffff:169.254.169.254]",
            "[fe80::1]",
            "0.0.0.0",
            "[fd00:ec2::254]",
            "[fd20:ce::254]",
            "[::ffff:0:a9fe:a9fe]",
        ],
    )
    async def test_no_object_sends_the_operator_to_a_metadata_service(self, pki: PKI, host: str) -> None:
        """In no form of the address: no connection is opened."""
        async with client_of(pki, "127.0.0.1:1") as client:
            error = await failure_of(client, endpoint=f"{host}:443")
        assert error.reason is Reason.SpecUnsupported
        assert "link-local or metadata address" in error.message

    async def test_a_name_does_not_lead_there_either(self, pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
        """What counts is the address that is connected to, not the text."""
        real = asyncio.get_running_loop().getaddrinfo

        async def leads(host: str, port: int, **options: int) -> object:
            return await real("169.254.169.254" if host == "innocent.test" else host, port, **options)

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", leads)
        async with client_of(pki, "127.0.0.1:1") as client:
            error = await failure_of(client, endpoint="innocent.test:443")
        assert error.reason is Reason.SpecUnsupported

    async def test_tls_server_name(self, pki: PKI) -> None:
        """The kubeconfig may say under which name the server is to be known."""
        async with serving(pki, pki.serving("api.example.test")) as stub:
            login = Login(
                f"https://{stub.address}", client_context(str(pki.ca_file)), tls_server_name="api.example.test"
            )
            async with ClusterClient(Credentials(login)) as client:
                stub.on("GET", "/thing", says({}))
                assert (await client.request("GET", "/thing")).status == 200

    async def test_an_intermediate_may_be_the_ca(self, pki: PKI, tmp_path: Path) -> None:
        """A CA that is itself issued by another is trusted because the credentials name it, as kubectl does."""
        certificate = pki.complete_chain()
        chain = x509.load_pem_x509_certificates(certificate.chain_file.read_bytes())
        (tmp_path / "ca.crt").write_bytes(chain[1].public_bytes(serialization.Encoding.PEM))
        tls = client_context(str(tmp_path / "ca.crt"))
        assert not tls.verify_flags & ssl.VERIFY_X509_STRICT  # on from Python 3.13, and refuses CAs of plain openssl
        async with serving(pki, certificate) as stub:
            client = ClusterClient(Credentials(Login(f"https://{stub.address}", tls)))
            stub.on("GET", "/thing", says({}))
            assert (await client.request("GET", "/thing")).status == 200
            await client.close()

    async def test_verification_can_be_waived(self, pki: PKI) -> None:
        """insecure-skip-tls-verify is honoured."""
        async with serving(pki, pki.untrusted()) as stub:
            login = Login(f"https://{stub.address}", client_context(str(pki.ca_file), verify=False))
            async with ClusterClient(Credentials(login)) as client:
                stub.on("GET", "/thing", says({}))
                assert (await client.request("GET", "/thing")).status == 200

    async def test_a_ca_that_was_replaced_is_read_again(self, pki: PKI, tmp_path: Path) -> None:
        """The mounted CA may be renewed while the operator runs; a certificate error is the moment to look."""
        authority = tmp_path / "ca.crt"
        authority.write_bytes(PKI(tmp_path / "old").ca_pem)

        def load() -> Login:
            tls = client_context(str(authority))
            return Login(f"https://{stub.address}", tls, authority=(str(authority), file_state(authority)))

        async with serving(pki) as stub, ClusterClient(Credentials(load(), reload=load)) as client:
            stub.on("GET", "/thing", says({}))
            assert isinstance(await failure_of(client), CertificateError)
            authority.write_bytes(pki.ca_pem)
            assert (await client.request("GET", "/thing")).status == 200


class TestAnswers:
    """A status that is not success."""

    @pytest.mark.parametrize(
        ("status", "reason", "retryable"),
        [
            (400, Reason.InternalError, False),
            (401, Reason.SourceForbidden, False),
            (403, Reason.SourceForbidden, False),
            (404, Reason.SourceNotFound, False),
            (409, Reason.APIServerUnreachable, True),
            (429, Reason.APIServerUnreachable, True),
            (307, Reason.InternalError, False),
        ],
    )
    async def test_refusals_repeat_the_servers_words(
        self, pki: PKI, status: int, reason: Reason, retryable: bool
    ) -> None:
        """What the API server says of a refusal is stable and names the right that is missing."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", "/thing", refuses(status, "Because", "things is forbidden:\n  User cannot get"))
            error = await failure_of(client)
        assert isinstance(error, AnswerError)
        assert (error.status, error.reason, error.retryable) == (status, reason, retryable)
        assert error.message == f"{stub.address} answered {status} to GET /thing: things is forbidden: User cannot get"

    async def test_server_errors_do_not(self, pki: PKI) -> None:
        """What it says of its own troubles differs each time, and each new text would be a PATCH."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", "/thing", refuses(503, "ServiceUnavailable", "request 42 failed after 3.1 s"))
            error = await failure_of(client)
        assert error.message == f"{stub.address} answered 503 to GET /thing"
        assert error.retryable

    async def test_an_object_that_is_missing_is_not_a_resource_that_is_missing(self, pki: PKI) -> None:
        """Only a Status that says NotFound speaks of the object."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            assert not isinstance(await failure_of(client), ObjectMissingError)
            stub.on("GET", "/thing", refuses(404, "NotFound", 'things "x" not found'))
            assert isinstance(await failure_of(client), ObjectMissingError)

    async def test_a_conflict_has_a_name(self, pki: PKI) -> None:
        """409 is what a writer decides by."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", "/thing", refuses(409, "Conflict", "the object has been modified"))
            assert isinstance(await failure_of(client), ConflictError)

    async def test_a_body_without_end_is_cut(self, pki: PKI) -> None:
        """More than the limit is not read."""

        async def flood(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(BODY_LIMIT // 2**20 + 4):
                await response.write(bytes(2**20))
            return response

        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", "/thing", flood)
            error = await failure_of(client, timeout_s=20)
        assert error.message.endswith("with more than 16 MiB")

    @pytest.mark.parametrize(
        "body", [{"kind": "Status", "items": []}, {"kind": "List"}, {"items": None}, {"items": [1]}, [], "x"]
    )
    async def test_a_list_without_items_is_not_empty(self, pki: PKI, body: object) -> None:
        """API servers that are being restarted answer a list with something else: that is not read."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", "/thing", says(body))
            answer = await client.request("GET", "/thing")
            with pytest.raises(AnswerError) as caught:
                answer.items()
        assert caught.value.retryable


class TestTriedAgain:
    """What is sent a second time."""

    @pytest.mark.slow
    async def test_busy(self, pki: PKI) -> None:
        """429 with Retry-After is obeyed: custom resources answer so just after the API server's start."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            busy = refuses(429, "TooManyRequests", "storage is (re)initializing", {"Retry-After": "1"})
            stub.on("GET", "/thing", busy, says({}))
            assert (await client.request("GET", "/thing")).status == 200
        assert len(stub.seen) == 2

    async def test_busy_for_ever(self, pki: PKI) -> None:
        """The tries are counted, however short the pauses."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", "/thing", refuses(429, "TooManyRequests", "busy", {"Retry-After": "0"}))
            await failure_of(client)
        assert len(stub.seen) == 4

    async def test_busy_for_longer_than_there_is_time(self, pki: PKI) -> None:
        """The time given to a request ends the waiting."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", "/thing", refuses(429, "TooManyRequests", "busy", {"Retry-After": "9"}))
            error = await failure_of(client, timeout_s=1)
        assert isinstance(error, AnswerError)
        assert error.status == 429
        assert len(stub.seen) == 1

    @pytest.mark.parametrize(
        ("method", "repeatable", "survives"), [("GET", False, True), ("POST", True, True), ("PATCH", False, False)]
    )
    async def test_a_kept_connection_that_was_closed(
        self, pki: PKI, method: str, repeatable: bool, survives: bool
    ) -> None:
        """The server closed the connection while the request was on its way: only what may be sent twice is."""

        async def one_answer_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
            await reader.readuntil(b"\r\n\r\n")

        tls = pki.serving().server_context()
        async with talking(one_answer_each, tls) as address, client_of(pki, address) as client:
            await client.request("GET", "/thing")
            if survives:
                assert (await client.request(method, "/thing", repeatable=repeatable)).status == 200
            else:
                with pytest.raises(ConnectionLostError):
                    await client.request(method, "/thing")

    async def test_a_server_that_only_closes_is_not_asked_for_ever(self, pki: PKI) -> None:
        """At most one more try."""
        connections = 0

        async def close(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.readuntil(b"\r\n\r\n")

        async with talking(close, pki.serving().server_context()) as address, client_of(pki, address) as client:
            with pytest.raises(ConnectionLostError):
                await client.request("POST", "/thing", repeatable=True)
        assert connections == 2

    async def test_credentials_that_are_refused_are_loaded_again_once(self, pki: PKI) -> None:
        """A 401 may mean that the token was renewed where it came from; a second one means that it does not help."""

        async def know(request: web.Request) -> web.StreamResponse:
            return web.json_response({}, status=200 if request.headers["Authorization"] == "Bearer new" else 401)

        async with serving(pki) as stub:
            old = Login(f"https://{stub.address}", client_context(str(pki.ca_file)), Fixed("Bearer old"))
            new = dataclasses.replace(old, authorization=Fixed("Bearer new"))
            stub.on("GET", "/thing", know)
            async with ClusterClient(Credentials(old, reload=lambda: new)) as client:
                answers = await asyncio.gather(*(client.request("GET", "/thing") for _ in range(5)))
            assert [answer.status for answer in answers] == [200] * 5
            async with ClusterClient(Credentials(old, reload=lambda: old)) as client:
                stub.seen.clear()
                for _ in range(3):
                    await failure_of(client)
        assert len(stub.seen) == 4


class TestClocks:
    """Date headers, for R13."""

    async def test_offsets_are_kept_by_endpoint_and_since(self, pki: PKI) -> None:
        """The Date of every answer is compared with our time, refusals too; older ones than asked for do not count."""
        later = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            began = time.monotonic()
            stub.on("GET", "/thing", says({}, headers={"Date": later}))
            await client.request("GET", "/thing")
            offsets = client.clock_offsets(began)
            assert list(offsets) == [stub.address]
            assert timedelta(seconds=595) < offsets[stub.address] <= timedelta(seconds=600)
            assert client.clock_offsets(began) == offsets
            assert client.clock_offsets(time.monotonic()) == {}

    @pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Foo 2026 99:00:00 GMT"])
    async def test_no_date(self, pki: PKI, date: str) -> None:
        """A Date that is none says nothing."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("GET", "/thing", says({}, headers={"Date": date}))
            await client.request("GET", "/thing")
            assert client.clock_offsets(0) == {}
