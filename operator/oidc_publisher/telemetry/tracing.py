"""Send traces by OTLP over HTTP where OTEL_EXPORTER_OTLP_ENDPOINT names a receiver and the extra `otel` is installed.

Elsewhere nothing of OpenTelemetry is imported. All settings are the environment variables of OpenTelemetry itself.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import structlog

from oidc_publisher.telemetry.steps import OpenSpan, no_span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = structlog.stdlib.get_logger(__name__)

#: OpenTelemetry's own names: the endpoint of all signals, and that of traces alone.
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SERVICE = "oidc-publisher"
_RESOURCES, _TRACE, _EXPORT = (f"opentelemetry.sdk.{name}" for name in ("resources", "trace", "trace.export"))
_OTLP = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
#: The end of the operator waits for the last spans for so long.
_FLUSH_S = 0.5


class Tracing:
    """Tracing opens the spans of passes. Spans are sent in batches, from a thread."""

    def __init__(self, version: str, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(_SERVICE, version)

    def open_span(self, name: str, attributes: dict[str, str]) -> AbstractContextManager[object]:
        """Open a span, below the one that is open in this task."""
        return self._tracer.start_as_current_span(name, attributes=attributes)

    def flush(self) -> None:
        """Send what is left, for half a second at most; this call blocks.

        A receiver that does not answer would keep force_flush for ten seconds, whatever timeout it is given.
        """
        sending = threading.Thread(target=self._provider.force_flush, name="traces", daemon=True)
        sending.start()
        sending.join(_FLUSH_S)


def import_sdk(environment: Mapping[str, str] = os.environ) -> None:
    """Import what `tracing_for` needs, if the environment asks for it; where the extra is missing, that function says so."""
    if _is_asked_for(environment):
        with contextlib.suppress(ImportError):
            for name in (_RESOURCES, _TRACE, _EXPORT, _OTLP):
                importlib.import_module(name)


def tracing_for(environment: Mapping[str, str] = os.environ, *, version: str) -> Tracing | None:
    """Return the tracing that the environment asks for, None without an endpoint or without the extra."""
    if not _is_asked_for(environment):
        return None
    try:
        return _tracing(environment, version)
    except ImportError as error:
        log.warning("No traces are sent: install the extra, oidc-publisher[otel].", why=str(error))
        return None


def span_of(tracing: Tracing | None) -> OpenSpan:
    """Return what opens spans, which does nothing without tracing."""
    return tracing.open_span if tracing else no_span


def _is_asked_for(environment: Mapping[str, str]) -> bool:
    return any(environment.get(name) for name in ENDPOINTS)


def _tracing(environment: Mapping[str, str], version: str) -> Tracing:
    resources, trace = importlib.import_module(_RESOURCES), importlib.import_module(_TRACE)
    export, otlp = importlib.import_module(_EXPORT), importlib.import_module(_OTLP)
    named = {} if environment.get("OTEL_SERVICE_NAME") else {"service.name": _SERVICE}
    resource = resources.Resource.create({**named, "service.version": version})
    provider = trace.TracerProvider(resource=resource, shutdown_on_exit=False)  # `flush` is called instead
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    return Tracing(version, provider)
