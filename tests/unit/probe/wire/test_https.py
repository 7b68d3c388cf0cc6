"""Reading over the network as a stranger: real TLS hosts on loopback, one for each way of going wrong."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import errno
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
import yarl

from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason
from oidc_publisher.probe import BODY_LIMIT_BYTES, Deadline, Fetched, HTTPSWire, Target, Visit, look
from oidc_publisher.probe.wire import addresses
from oidc_publisher.probe.wire.addresses import Gate
from oidc_publisher.probe.wire.connector import Connector
from tests.support.certificates import PublicAuthority
from tests.support.hosts import GOOD, Connection, Host, Script, saying
from tests.support.loopback import localhost_addresses
from tests.support.pki import PKI, Certificate, LaxAuthority
from tests.support.processes import free_port
from tests.support.strictpython import be_strict

TIMEOUT = dt.timedelta(seconds=5)
SHORT = dt.timedelta(seconds=0.3)


@pytest.fixture(autouse=True)
def no_proxy_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may be behind one."""
    for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def wire(pki: PKI, **settings: Any) -> HTTPSWire:
    return HTTPSWire(**{"certificate_authority": pki.ca_pem.decode(), "allow_private_address": True, **settings})


@contextlib.asynccontextmanager
async def visiting(pki: PKI, number: int = 0, **settings: Any) -> AsyncIterator[Visit]:
    async with wire(pki, **settings).visit(number) as visit:
        yield visit


async def fetch(pki: PKI, url: str, *, number: int = 0, timeout: dt.timedelta = TIMEOUT, **settings: Any) -> Fetched:  # noqa: ASYNC109
    async with visiting(pki, number, **settings) as visit:
        return await visit.get(url, Deadline.after(timeout))


async def failure(pki: PKI, url: str, **settings: Any) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await fetch(pki, url, **settings)
    assert caught.value.finding().message.endswith(".")
    assert (
        "localhost" in caught.value.message
        or "example.test" in caught.value.message
        or "probe." in caught.value.message
    )
    return caught.value


# --- certificates -----------------------------------------------------------------------------------------------------

CERTIFICATES: dict[str, tuple[Callable[[PKI], Certificate], Reason, str]] = {
    "expired": (PKI.expired, Reason.CertificateExpired, "has expired"),
    "not yet valid": (PKI.not_yet_valid, Reason.CertificateExpired, "is not yet valid"),
    "for another name": (lambda pki: pki.serving("other.test"), Reason.CertificateNameMismatch, "is for another name"),
    "self-signed": (PKI.self_signed, Reason.CertificateUntrusted, "signed by nobody but itself"),
    "from an unknown CA": (PKI.untrusted, Reason.CertificateUntrusted, "which is no trusted root"),
}


@pytest.mark.parametrize("name", CERTIFICATES)
async def test_a_bad_certificate_is_named(name: str, pki: PKI) -> None:
    """Each has a reason of its own: expired, for another name, untrusted."""
    make, reason, said = CERTIFICATES[name]
    with Host(make(pki).server_context()) as host:
        error = await failure(pki, host.url)
    assert error.reason is reason
    assert said in error.message
    assert (error.finding().advice == "Renew it.") == (name == "expired")


async def test_an_ip_address_needs_a_certificate_of_its_own(pki: PKI) -> None:
    """A certificate for a name does not do."""
    with Host(pki.serving("localhost").server_context()) as host:
        error = (await failure_at(pki, host.url.replace("localhost", "127.0.0.1"))).reason
    assert error is Reason.CertificateNameMismatch


async def failure_at(pki: PKI, url: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await fetch(pki, url)
    return caught.value


async def test_a_missing_intermediate_is_told_from_an_unknown_ca(pki: PKI, tmp_path: Path) -> None:
    """OpenSSL says the same of both: the chain that the host sends tells."""
    trusted, unknown = PublicAuthority(tmp_path), PublicAuthority(tmp_path, "Unknown")
    trust: dict[str, Any] = {"certificate_authority": trusted.root_pem}
    with Host(trusted.serving(chain=False).server_context()) as host:
        error = await failure(pki, host.url, **trust)
        assert error.reason is Reason.CertificateChainIncomplete
        assert '"CN=Example Trust R1"' in error.message
    with Host(trusted.serving(chain=True).server_context()) as host:
        assert (await fetch(pki, host.url, **trust)).status == 200
    with Host(unknown.serving(chain=True).server_context()) as host:
        error = await failure(pki, host.url, **trust)
        assert error.reason is Reason.CertificateUntrusted
        assert '"CN=Unknown Root"' in error.message
    with Host(unknown.serving(chain=False, issuer_named=False).server_context()) as host:
        assert (await failure(pki, host.url, **trust)).reason is Reason.CertificateUntrusted


async def test_an_intermediate_may_be_named_as_a_root(pki: PKI, tmp_path: Path) -> None:
    """On every Python alike, as Go does."""
    authority = PublicAuthority(tmp_path)
    with Host(authority.serving(chain=False).server_context()) as host:
        assert (await fetch(pki, host.url, certificate_authority=authority.intermediate_pem)).status == 200


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ("key usage", "CA cert does not include key usage extension"),
        ("critical basic constraints", "Basic Constraints of CA cert not marked critical"),
    ],
)
async def test_a_certificate_that_python_3_13_refuses_is_accepted_and_told(
    lacks: str, said: str, pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relying parties in Go or Java accept it; the second visit tries the strict checks, at one more handshake."""
    be_strict(monkeypatch)
    authority = LaxAuthority(tmp_path, lacks)
    trust: dict[str, Any] = {"certificate_authority": authority.ca_pem.decode()}
    with Host(authority.serving().server_context()) as host:
        first, second = [await fetch(pki, host.url, number=number, **trust) for number in (0, 1)]
        assert host.connections == 3
    assert (first.status, first.strict_refusal) == (200, "")
    assert (second.status, second.strict_refusal) == (200, said)


async def test_a_negative_serial_number_is_seen(pki: PKI, tmp_path: Path) -> None:
    """OpenSSL verifies the certificate, cryptography will not even read it, and programs in Go refuse it."""
    authority = PublicAuthority(tmp_path)
    trust: dict[str, Any] = {"certificate_authority": authority.root_pem}
    with Host(authority.serving_a_negative_serial().server_context()) as host:
        answers = [await fetch(pki, host.url, number=number, **trust) for number in (0, 1)]
        port = yarl.URL(host.url).port or 0
        wire = HTTPSWire(certificate_authority=authority.root_pem, allow_private_address=True)
        knocks = await wire.knock("localhost", port, TIMEOUT)
    assert [(answer.status, answer.negative_serial) for answer in answers] == [(200, True)] * 2
    # localhost may have an address of IPv6 where this machine has none.
    assert {(knock.problem, knock.tls_version) for knock in knocks if knock.routed} == {("", "TLSv1.3")}
    with Host(pki.serving().server_context()) as host:
        assert not (await fetch(pki, host.url)).negative_serial


@pytest.mark.parametrize("chain", [True, False])
async def test_an_untrusted_certificate_that_cannot_be_read_has_a_sentence(
    chain: bool,
    pki: PKI,
    tmp_path: Path,
) -> None:
    """Never a crash, though nothing is known of its issuer."""
    authority = PublicAuthority(tmp_path)
    with Host(authority.serving_a_negative_serial(chain=chain).server_context()) as host:
        error = await failure(pki, host.url)
    assert error.reason in (Reason.CertificateUntrusted, Reason.CertificateChainIncomplete)


@pytest.mark.slow
async def test_a_strict_refusal_takes_no_time_from_the_host(
    pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that needs most of the time for one handshake is not too slow because the probe makes two."""
    authority = LaxAuthority(tmp_path)
    begun = ssl.SSLContext.wrap_socket

    def slow(self: ssl.SSLContext, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        time.sleep(1)
        return begun(self, *arguments, **options)

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", slow)
    with Host(authority.serving().server_context()) as host:
        trust: dict[str, Any] = {"certificate_authority": authority.ca_pem.decode()}
        answer = await fetch(pki, host.url, number=1, timeout=dt.timedelta(seconds=1.9), **trust)
    assert answer.strict_refusal
    assert answer.elapsed < dt.timedelta(seconds=1.9)


async def test_a_sound_certificate_costs_the_strict_checks_no_connection(pki: PKI) -> None:
    """The second visit has one connection, as the first."""
    with Host(pki.serving().server_context()) as host:
        async with visiting(pki, 1) as visit:
            answers = [await visit.get(host.url, Deadline.after(TIMEOUT)) for _ in range(2)]
        assert host.connections == 1
    assert [answer.strict_refusal for answer in answers] == ["", ""]


async def test_the_system_s_roots_alone_do_not_trust_a_private_ca(pki: PKI) -> None:
    """Without certificateAuthority the probe is a stranger."""
    with Host(pki.serving().server_context()) as host:
        assert (await failure(pki, host.url, certificate_authority="")).reason is Reason.CertificateUntrusted


async def test_the_system_s_roots_are_read_again_when_they_were_replaced(
    pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator runs for months: a CA that was added counts, and one that was taken out does not."""
    roots, other = tmp_path / "roots.pem", PublicAuthority(tmp_path).root_pem
    roots.write_text(other)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    way = HTTPSWire(allow_private_address=True)

    async def visited(host: Host) -> int:
        async with way.visit(0) as visit:
            return (await visit.get(host.url, Deadline.after(TIMEOUT))).status

    with Host(pki.serving().server_context()) as host:
        with pytest.raises(FetchError):
            await visited(host)
        roots.write_text(other + pki.ca_pem.decode())
        assert await visited(host) == 200
        (tmp_path / "new.pem").write_text(other)
        (tmp_path / "new.pem").rename(roots)  # as update-ca-certificates does, and a volume that is mounted anew
        with pytest.raises(FetchError):
            await visited(host)


async def test_an_unreadable_certificate_authority_says_nothing_about_the_issuer(pki: PKI) -> None:
    """The cause is in the spec, and no host is asked."""
    pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    with Host(pki.serving().server_context()) as host:
        error = await failure(pki, host.url, certificate_authority=pem)
        assert host.connections == 0
    assert error.reason is Reason.ProbeUnavailable
    assert "probe.certificateAuthority" in error.message


async def test_the_certificate_s_end_is_known(pki: PKI) -> None:
    """For the warning before it."""
    with Host(pki.expiring(dt.timedelta(days=3)).server_context()) as host:
        certificate = (await fetch(pki, host.url)).certificate
    assert certificate is not None
    assert dt.timedelta(days=2) < certificate.not_after - dt.datetime.now(dt.UTC) < dt.timedelta(days=4)


# --- TLS versions -----------------------------------------------------------------------------------------------------


async def test_a_fetch_over_a_new_connection_states_its_phases(pki: PKI) -> None:
    """The host is slow between the request and the answer: that is processing, whatever the handshake took."""

    def slow(connection: Connection, _: bytes) -> None:
        time.sleep(0.3)
        connection.send(GOOD)

    with Host(pki.serving("localhost").server_context(), slow) as host:
        async with visiting(pki) as visit:
            first = await visit.get(host.url, Deadline.after(TIMEOUT))
            phases = first.phases
    assert phases is not None
    assert phases.processing >= 0.3
    assert 0 < phases.tls < phases.processing
    assert min(phases.resolve, phases.connect, phases.transfer) >= 0
    whole = phases.resolve + phases.connect + phases.tls + phases.processing + phases.transfer
    assert whole == pytest.approx(first.elapsed.total_seconds(), abs=0.1)


async def test_tls_1_2_must_do(pki: PKI) -> None:
    """The first visit of each look offers nothing newer; later ones do."""
    context = pki.serving().server_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with Host(context) as host:
        assert (await failure(pki, host.url)).reason is Reason.TLSVersionUnsupported
        assert (await fetch(pki, host.url, number=1)).status == 200


async def test_tls_1_2_alone_does(pki: PKI) -> None:
    """Old, but every party speaks it."""
    context = pki.serving().server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Host(context) as host:
        for number in range(2):
            assert (await fetch(pki, host.url, number=number)).status == 200


async def test_no_common_cipher_is_a_matter_of_tls(pki: PKI) -> None:
    """As is a host that refuses the handshake for this name."""
    context = pki.serving().server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES256-SHA256:@SECLEVEL=0")  # the client offers forward secrecy only
    with Host(context) as host:
        assert (await failure(pki, host.url)).reason is Reason.TLSVersionUnsupported


# --- no connection, no answer -------------------------------------------------------------------------------------------


def hanging(connection: Connection, head: bytes) -> None:
    """Say nothing until the reader has gone."""
    del head
    connection.wait_for_end()


def trickling(connection: Connection, head: bytes) -> None:
    """Send the headers at once and the body byte by byte, each in time."""
    del head
    connection.send(GOOD.replace(b"Length: 2", b"Length: 100")[:-2])
    for _ in range(100):
        connection.send(b" ")
        time.sleep(0.02)


def resetting(after: bytes = b"") -> Script:
    def script(connection: Connection, head: bytes) -> None:
        del head
        connection.send(after)
        time.sleep(0.05)
        connection.reset()

    return script


def closing(after: bytes) -> Script:
    def script(connection: Connection, head: bytes) -> None:
        del head
        connection.send(after)
        connection.raw.close()

    return script


BROKEN_HTTP: dict[str, tuple[Script, str]] = {
    "reset before the headers": (resetting(), "closes the connection without an answer"),
    "closed before the headers": (closing(b""), "closes the connection without an answer"),
    "reset in the body": (resetting(GOOD[:-1]), "ends in the middle of the document"),
    "truncated": (closing(GOOD[:-1]), "ends in the middle of the document"),
    "not HTTP": (saying(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "is not HTTP"),
    "broken chunks": (saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"), ""),
    "a header of 20 kB": (saying(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"), "is not HTTP"),
}


@pytest.mark.parametrize("name", BROKEN_HTTP)
async def test_a_broken_transfer_is_no_connection(name: str, pki: PKI) -> None:
    """Whatever aiohttp calls it (it invents a status 400 for some)."""
    script, said = BROKEN_HTTP[name]
    with Host(pki.serving().server_context(), script) as host:
        error = await failure(pki, host.url)
    assert error.reason is Reason.ConnectionFailed
    assert said in error.message


async def test_plain_http_on_the_port_is_no_tls(pki: PKI) -> None:
    """A common mistake of load balancers."""
    with Host(None, saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as host:
        error = await failure(pki, host.url)
    assert error.reason is Reason.ConnectionFailed
    assert "does not speak TLS" in error.message


async def test_a_reset_in_the_handshake_is_no_connection(pki: PKI) -> None:
    """As a firewall does that inspects TLS."""
    with Host(None, resetting()) as host:
        assert (await failure(pki, host.url)).reason is Reason.ConnectionFailed


class Transport(asyncio.Transport):
    """Remembers that it was aborted; `closed` ones are what a TLS transport is in CPython 3.11.1 to 3.11.3 then."""

    def __init__(self, *, closed: bool) -> None:
        super().__init__()
        self.aborted = False
        self._closed = closed

    def abort(self) -> None:
        """Fail as they do, or be aborted."""
        if self._closed:
            raise AttributeError("'NoneType' object has no attribute '_abort'")
        self.aborted = True


async def test_hanging_up_on_a_closed_connection_is_no_error(pki: PKI) -> None:
    """On Debian 12's own Python every pass ended so; the next connection is still hung up on."""
    connector = Connector(Gate(0, allow_private=True), pki.client_context())
    closed, live = Transport(closed=True), Transport(closed=False)
    connector._opened += [closed, live]
    connector.hang_up()
    assert live.aborted
    await connector.close()


async def test_hanging_up_on_asyncio_s_own_closed_connection_is_no_error(pki: PKI) -> None:
    """The same with the real transport, which fails in those versions only: the first close says that it is closed."""
    connector = Connector(Gate(0, allow_private=True), pki.client_context())
    with Host(pki.serving().server_context()) as host:
        port = yarl.URL(host.url).port
        _, writer = await asyncio.open_connection("localhost", port, ssl=pki.client_context())
        connector._opened.append(cast("asyncio.Transport", writer.transport))
        writer.transport.close()
        writer.transport.close()
        connector.hang_up()
        await connector.close()


async def test_a_refused_connection_is_named(pki: PKI) -> None:
    """Nobody listens, and the message says where."""
    port = free_port()
    error = await failure(pki, f"https://localhost:{port}/document")
    assert error.reason is Reason.ConnectionFailed
    assert error.message == f"localhost:{port} refuses connections"
    assert "network policy" in error.hint


async def test_a_handshake_that_hangs_is_no_connection(pki: PKI) -> None:
    """Not slowness: nothing was said at all."""
    with Host(None, hanging) as host:
        error = await failure(pki, host.url, timeout=SHORT)
    assert error.reason is Reason.ConnectionFailed
    assert "accepts no TLS connection within 0.3s" in error.message


async def test_headers_that_do_not_come_are_too_slow(pki: PKI) -> None:
    """The timeout of the spec stands in the message, the measured time does not."""
    with Host(pki.serving().server_context(), hanging) as host:
        error = await failure(pki, host.url, timeout=SHORT)
    assert error.reason is Reason.TooSlow
    assert error.message == f"{host.url} was not read within 0.3s (both documents together)"


@pytest.mark.slow
async def test_a_reader_without_cpu_time_says_nothing_of_the_host(pki: PKI) -> None:
    """The host answers at once; the event loop that should read the answer hardly runs."""

    async def hog() -> None:
        while True:
            time.sleep(0.4)  # noqa: ASYNC251 - it blocks the loop
            await asyncio.sleep(0)

    with Host(pki.serving().server_context()) as host:
        hogging = asyncio.create_task(hog())
        error = await failure(pki, host.url, timeout=dt.timedelta(seconds=1.5))
        hogging.cancel()
    assert error.reason is Reason.ProbeUnavailable
    assert error.finding().unknown
    assert "too little CPU time" in error.message
    with Host(pki.serving().server_context(), hanging) as host:
        assert (await failure(pki, host.url, timeout=dt.timedelta(seconds=1.5))).reason is Reason.TooSlow


@pytest.mark.slow
async def test_a_body_that_trickles_is_too_slow(pki: PKI) -> None:
    """Each byte is in time, the document is not."""
    with Host(pki.serving().server_context(), trickling) as host:
        error = await failure(pki, host.url, timeout=SHORT)
    assert error.reason is Reason.TooSlow


def endless(head: bytes, piece: bytes) -> Script:
    """Return a script that sends pieces, each in time, until the reader has gone or a minute is over."""

    def script(connection: Connection, asked: bytes) -> None:
        del asked
        with contextlib.suppress(OSError):
            connection.raw.sendall(head)
            for _ in range(3000):
                connection.raw.sendall(piece)
                time.sleep(0.02)

    return script


TRICKLES: dict[str, tuple[Script, bool, Reason]] = {
    "the body": (endless(GOOD.replace(b"Length: 2", b"Length: 60000")[:-2], b" "), True, Reason.TooSlow),
    "chunks": (endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), True, Reason.TooSlow),
    "a header": (endless(b"HTTP/1.1 200 OK\r\nX: ", b"x"), True, Reason.TooSlow),
    "answers before the answer": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), True, Reason.TooSlow),
    "a record of the handshake": (
        endless(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xf0", b"x"),
        False,
        Reason.ConnectionFailed,
    ),
}


@pytest.mark.parametrize("name", TRICKLES)
async def test_a_look_at_a_host_that_trickles_ends_in_time(name: str, pki: PKI) -> None:
    """Whatever it trickles, and whatever each read gets: twice the timeout, and not the minute that it goes on."""
    script, encrypted, reason = TRICKLES[name]
    with Host(pki.serving().server_context() if encrypted else None, script) as host:
        began = time.monotonic()
        seen = await look(Target(host.url, f"{host.url}/jwks", SHORT), wire(pki))
        took = time.monotonic() - began
    assert took < 15
    assert host.connections in {1, 2}  # a busy machine may not come to the second one in time
    (read,) = seen.reads
    assert isinstance(read.discovery, FetchError)
    assert read.discovery.reason is reason


@pytest.mark.slow
@pytest.mark.parametrize("second", ["hangs", "trickles"])
async def test_the_question_after_a_failure_has_a_deadline_too(second: str, pki: PKI) -> None:
    """A host may show its chain once, and nothing to whoever asks for it again."""
    context, shown = pki.untrusted().server_context(), []
    slow: dict[str, Script] = {"hangs": hanging, "trickles": endless(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xf0", b"x")}

    def once(connection: Connection, head: bytes) -> None:
        shown.append(head)
        if len(shown) > 1:
            slow[second](connection, head)
            return
        with contextlib.suppress(OSError), context.wrap_socket(connection.raw, server_side=True) as encrypted:
            Connection(encrypted).wait_for_end()

    with Host(None, once) as host:
        began = time.monotonic()
        error = await failure(pki, host.url, timeout=SHORT)
        assert time.monotonic() - began < 15
    assert error.reason is Reason.CertificateUntrusted
    assert len(shown) == 2


async def test_both_documents_have_one_deadline(pki: PKI) -> None:
    """What the first one takes is missing for the second."""

    def slow(connection: Connection, head: bytes) -> None:
        del head
        time.sleep(0.4)
        connection.send(GOOD)

    with Host(pki.serving().server_context(), slow) as host:
        async with visiting(pki) as visit:
            deadline = Deadline.after(dt.timedelta(seconds=0.7))
            await visit.get(host.url, deadline)
            with pytest.raises(FetchError) as caught:
                await visit.get(host.url, deadline)
    assert caught.value.reason is Reason.TooSlow


# --- names and addresses ------------------------------------------------------------------------------------------------


def resolving(table: dict[str, list[str] | int]) -> Callable[..., list[Any]]:
    """Return a getaddrinfo that knows these names; an integer is the error it answers with."""

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[Any]:
        found = table.get(host, socket.EAI_NONAME)
        if isinstance(found, int):
            raise socket.gaierror(found, "made by the test")
        kind = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(kind[":" in address], socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    return getaddrinfo


RESOLVERS: dict[str, tuple[dict[str, list[str] | int], Reason, str]] = {
    "no such name": ({}, Reason.NameNotResolved, "does not resolve"),
    "the resolver is dead": (
        {"oidc.example.test": socket.EAI_AGAIN, "test.": socket.EAI_AGAIN},
        Reason.ProbeUnavailable,
        "resolver gives no answer",
    ),
    "the zone is dead": (
        {"oidc.example.test": socket.EAI_AGAIN},
        Reason.NameNotResolved,
        "name servers of oidc.example.test do not answer",
    ),
    "private": ({"oidc.example.test": ["10.1.2.3"]}, Reason.PrivateAddress, "10.1.2.3"),
    "one of two private": ({"oidc.example.test": ["8.8.8.8", "fd00::1"]}, Reason.PrivateAddress, "fd00::1"),
    "metadata service": ({"oidc.example.test": ["169.254.169.254"]}, Reason.PrivateAddress, "169.254.169.254"),
}


@pytest.mark.parametrize("name", RESOLVERS)
async def test_what_the_resolver_says_is_told_apart(name: str, pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """No name, no resolver, no name server of the zone, no public address."""
    table, reason, said = RESOLVERS[name]
    monkeypatch.setattr(socket, "getaddrinfo", resolving(table))
    error = await failure(pki, "https://oidc.example.test/document", allow_private_address=False)
    assert error.reason is reason
    assert said in error.message


async def test_a_resolver_that_hangs_is_the_operator_s_problem(pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of the issuer then."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(0.6))
    error = await failure(pki, "https://oidc.example.test/document", timeout=SHORT)
    assert error.reason is Reason.ProbeUnavailable


@pytest.mark.parametrize(
    ("found", "refusing"),
    [(["8.8.8.8", "8.8.4.4"], (addresses, "_require_route")), (["8.8.8.8"], (Gate, "open_socket"))],
    ids=["to none of several addresses", "to the only one"],
)
async def test_a_machine_without_a_route_says_nothing_about_the_issuer(
    found: list[str], refusing: tuple[object, str], pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel answers by itself, and has sent nothing."""

    def no_route(*_: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", resolving({"oidc.example.test": found}))
    monkeypatch.setattr(*refusing, no_route)
    error = await failure(pki, "https://oidc.example.test/document", allow_private_address=False)
    assert error.reason is Reason.ProbeUnavailable
    assert "Network is unreachable" in error.message


async def test_no_route_is_asked_for_where_nothing_is_to_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question costs a socket; a visit asks about no more addresses than it needs to find its own."""
    asked: list[str] = []
    monkeypatch.setattr(addresses, "_require_route", lambda _family, address, _port: asked.append(address))
    for found, number, expected in (
        (["127.0.0.1"], 0, []),
        (["127.0.0.1", "127.0.0.2", "127.0.0.3"], 0, ["127.0.0.1"]),
        (["127.0.0.1", "127.0.0.2", "127.0.0.3"], 1, ["127.0.0.1", "127.0.0.2"]),
    ):
        asked.clear()
        monkeypatch.setattr(socket, "getaddrinfo", resolving({"localhost": found}))
        await Gate(number, allow_private=True).resolve("localhost", 443)
        assert asked == expected


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1"])
async def test_a_private_address_is_refused_by_name_and_as_a_literal(address: str, pki: PKI) -> None:
    """Aiohttp bypasses a resolver for literals; no connection is made in either case."""
    with Host(pki.serving().server_context()) as host:
        with pytest.raises(FetchError) as caught:
            await fetch(pki, host.url.replace("localhost", address), allow_private_address=False)
        assert host.connections == 0
    assert caught.value.reason is Reason.PrivateAddress


async def test_a_private_address_that_is_allowed_is_noted(pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes from outside has to be told of it, by name and as a literal."""
    with Host(pki.serving("localhost", "127.0.0.1").server_context()) as host:
        assert (await fetch(pki, host.url)).private_address in localhost_addresses()
        assert (await fetch(pki, host.url.replace("localhost", "127.0.0.1"))).private_address == "127.0.0.1"
        monkeypatch.setattr(addresses, "is_public", lambda _: True)
        assert (await fetch(pki, host.url)).private_address == ""


async def test_a_name_that_is_rebound_after_the_check_is_stopped_at_the_socket(
    pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that is connected to is the one that is checked."""
    resolve, checked = Gate.resolve, Gate._check

    async def unchecked(self: Gate, *arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(Gate, "_check", lambda *_: None)
        found = await resolve(self, *arguments, **options)
        monkeypatch.setattr(Gate, "_check", checked)
        return found

    monkeypatch.setattr(Gate, "resolve", unchecked)
    with Host(pki.serving().server_context()) as host:
        error = await failure(pki, host.url, allow_private_address=False)
        assert host.connections == 0
    assert error.reason is Reason.PrivateAddress


async def test_each_visit_takes_one_address_and_the_next_visit_the_next(
    pki: PKI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So an address that does not work is not hidden by one that does."""
    monkeypatch.setattr(socket, "getaddrinfo", resolving({"localhost": ["127.0.0.1", "127.0.0.2"]}))
    with Host(pki.serving().server_context(), addresses=("127.0.0.1",)) as host:
        assert (await fetch(pki, host.url, number=0)).status == 200
        assert (await failure(pki, host.url, number=1)).reason is Reason.ConnectionFailed
        assert (await fetch(pki, host.url, number=2)).status == 200


# --- what is asked, and what comes back -----------------------------------------------------------------------------------


async def test_the_reader_is_a_stranger(pki: PKI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, no cookies, nothing compressed."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    answer = GOOD.replace(b"Content-Length", b"Set-Cookie: a=b; Path=/\r\nContent-Length")
    with Host(pki.serving().server_context(), saying(answer)) as host:
        async with visiting(pki) as visit:
            for _ in range(2):
                assert (await visit.get(host.url, Deadline.after(TIMEOUT))).status == 200
    for head in host.requests:
        names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
        assert names == {b"host", b"accept", b"accept-encoding", b"user-agent"}
        assert b"\r\nAccept-Encoding: identity" in head


async def test_a_visit_is_one_connection_and_two_visits_are_two(pki: PKI) -> None:
    """A handshake is most of what a look costs; each visit sees another edge."""
    with Host(pki.serving().server_context()) as host:
        way = wire(pki)
        for number in range(2):
            async with way.visit(number) as visit:
                for _ in range(2):
                    await visit.get(host.url, Deadline.after(TIMEOUT))
        assert host.connections == 2
        assert len(host.requests) == 4


async def test_the_path_is_asked_for_byte_for_byte(pki: PKI) -> None:
    """A URL is compared as a string by everybody, so it is not normalised."""
    with Host(pki.serving().server_context()) as host:
        await fetch(pki, f"{host.url}/a%2Fb//c/../d%7e")
        assert host.requests[0].startswith(b"GET /document/a%2Fb//c/../d%7e HTTP/1.1\r\n")


async def test_a_redirect_is_an_answer(pki: PKI) -> None:
    """It is not followed."""
    answer = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    with Host(pki.serving().server_context(), saying(answer)) as host:
        fetched = await fetch(pki, host.url)
        assert len(host.requests) == 1
    assert (fetched.status, fetched.location) == (302, "/elsewhere")


@pytest.mark.parametrize(
    ("size", "oversized"), [(BODY_LIMIT_BYTES, False), (BODY_LIMIT_BYTES + 1, True), (10**7, True)]
)
async def test_a_body_is_read_up_to_the_limit(size: int, oversized: bool, pki: PKI) -> None:
    """In however many pieces it comes, and not beyond."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b" " * size
    with Host(pki.serving().server_context(), saying(answer)) as host:
        fetched = await fetch(pki, host.url)
    assert len(fetched.body) == min(size, BODY_LIMIT_BYTES)
    assert fetched.oversized == oversized


async def test_headers_come_as_they_were_sent(pki: PKI) -> None:
    """Several of one name joined; a compressed body left as it is."""
    head = b"HTTP/1.1 200 OK\r\nCache-Control: public\r\ncache-control: max-age=5\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"
    with Host(pki.serving().server_context(), saying(head + b"\x1f\x8b\x08")) as host:
        fetched = await fetch(pki, host.url)
    assert fetched.cache_control == "public, max-age=5"
    assert fetched.content_encoding == "gzip"
    assert fetched.content_type == ""
    assert fetched.body == b"\x1f\x8b\x08"


DATES: dict[str, tuple[bytes, int | None]] = {
    "ahead": (b"", 3600),
    "behind": (b"Age: 0\r\n", -3600),
    "from a cache": (b"Age: 7\r\n", None),
}


@pytest.mark.parametrize("name", DATES)
async def test_the_host_s_clock_is_read_unless_a_cache_answers(name: str, pki: PKI) -> None:
    """A cache's Date is when the answer was made, or passed on: nobody knows which."""
    age, hours = DATES[name]
    there = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=hours or 0)
    date = there.strftime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n").encode()
    answer = GOOD.replace(b"Content-Length", age + date + b"Content-Length")
    with Host(pki.serving().server_context(), saying(answer)) as host:
        offset = (await fetch(pki, host.url)).date_offset
    assert (offset is None) == (hours is None)
    assert offset is None or abs(offset - dt.timedelta(seconds=hours or 0)) < dt.timedelta(seconds=3)


@pytest.mark.parametrize(
    "date", [b"yesterday", b"", b"Mon, 99 Nov 2026 12:00:00 GMT", b"Sun, 22 Nov 99999 12:00:00 GMT"]
)
async def test_a_date_that_is_none_is_no_clock(date: bytes, pki: PKI) -> None:
    """And no failure."""
    answer = GOOD.replace(b"Content-Length", b"Date: " + date + b"\r\nContent-Length")
    with Host(pki.serving().server_context(), saying(answer)) as host:
        assert (await fetch(pki, host.url)).date_offset is None


@pytest.mark.parametrize(
    "url", ["http://localhost/x", "https://me:secret@localhost/x", "https:///x", "ftp://localhost/x"]
)
async def test_only_https_urls_without_credentials_are_read(url: str, pki: PKI) -> None:
    """As relying parties do."""
    error = (await failure_at(pki, url)).reason
    assert error is Reason.ConnectionFailed


@pytest.mark.parametrize("host", ["a" * 64 + ".example.test", "..example.test", "example.test:99999"])
async def test_a_host_that_cannot_be_is_no_crash(host: str, pki: PKI) -> None:
    """Every foreign exception is translated where it enters."""
    error = await failure_at(pki, f"https://{host}/x")
    assert error.reason in (Reason.NameNotResolved, Reason.ConnectionFailed, Reason.ProbeUnavailable)
