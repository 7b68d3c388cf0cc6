"""Traces: a real receiver of OTLP over HTTP gets the five steps of a real pass; without an endpoint there is nothing."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from structlog.testing import capture_logs

from oidc_publisher.telemetry.steps import no_span
from oidc_publisher.telemetry.tracing import import_sdk, span_of, tracing_for
from tests.support.memorypass import memory_pass
from tests.support.publickeys import mixed_pem

if TYPE_CHECKING:
    from tests.support.pki import PKI


class Receiver(http.server.ThreadingHTTPServer):
    """Receives OTLP over HTTP, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[ExportTraceServiceRequest] = []
        self.paths: set[str] = set()

    @property
    def url(self) -> str:
        """The endpoint, as OTEL_EXPORTER_OTLP_ENDPOINT takes it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def spans(self) -> list[Span]:
        """Every span, in the order in which they began."""
        found = [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda span: span.start_time_unix_nano)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Keep a request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.paths.add(self.path)
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its signature
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


async def test_a_receiver_gets_the_five_steps_of_a_pass(
    receiver: Receiver, pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One trace for each pass, named after the issuer; the plan is made while publishing."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    tracing = tracing_for(version="1.2.3")
    assert tracing is not None
    async with memory_pass(pki, tmp_path, open_span=span_of(tracing)) as one:
        one.write_keys([mixed_pem(0)])
        await one.run()
        await one.run()
    await asyncio.to_thread(tracing.flush)
    assert receiver.paths == {"/v1/traces"}
    traces: dict[bytes, list[Span]] = {}
    for span in receiver.spans:
        traces.setdefault(span.trace_id, []).append(span)
    assert len(traces) == 2
    first, second = traces.values()
    assert [span.name for span in second] == ["reconcile", "read", "publish", "plan", "prove", "report"]
    for spans in (first, second):
        root, ids = spans[0], {span.span_id: span.name for span in spans}
        assert {(each.key, each.value.string_value) for each in root.attributes} == {("oidc_publisher.issuer", "prod")}
        assert {ids[span.parent_span_id] for span in spans if span.name == "plan"} == {"publish"}
        others = [span for span in spans[1:] if span.name != "plan"]
        assert {ids[span.parent_span_id] for span in others} == {"reconcile"}
    (resource,) = {request.resource_spans[0].resource.SerializeToString() for request in receiver.requests}
    assert b"oidc-publisher" in resource
    assert b"1.2.3" in resource


@pytest.mark.slow
def test_the_end_waits_for_a_receiver_that_does_not_answer_no_longer_than_half_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pod that stops must not hang on its traces."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "4")  # how long force_flush alone would take
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as silent:  # it accepts, and never answers
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.server_address[1]}")
        tracing = tracing_for(version="1")
        assert tracing is not None
        with tracing.open_span("reconcile", {}):
            pass
        began = time.monotonic()
        tracing.flush()
        assert time.monotonic() - began < 2
    for thread in [one for one in threading.enumerate() if one.name == "traces"]:
        thread.join(30)  # it tries again for those 4 s, and a test that comes meanwhile would see its connections
        assert not thread.is_alive()


@pytest.mark.parametrize("environment", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}])
def test_without_an_endpoint_nothing_is_traced(environment: dict[str, str]) -> None:
    """Nor imported: see test_operator.py."""
    tracing = tracing_for(environment, version="1")
    assert tracing is None
    assert span_of(tracing) is no_span


def test_an_endpoint_without_the_extra_is_said_once_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator runs as before."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    asked_for = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    with capture_logs() as told:
        import_sdk(asked_for)
        assert tracing_for(asked_for, version="1") is None
    (line,) = told
    assert line["event"] == "No traces are sent: install the extra, oidc-publisher[otel]."
