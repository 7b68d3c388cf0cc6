"""The page of metrics is served by a thread of its own."""

from __future__ import annotations

import gc
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from oidc_publisher.controller.metrics import metriclist as m
from oidc_publisher.controller.metrics.metricspage import MetricsPage
from oidc_publisher.controller.metrics.served import ServedMetrics
from oidc_publisher.telemetry.address import Address
from oidc_publisher.telemetry.health import ListenError
from tests.support.loopback import has_ipv6
from tests.support.processes import free_port


@pytest.fixture
def served() -> Iterator[ServedMetrics]:
    metrics = ServedMetrics(Address("127.0.0.1", 0), per_key=False)
    metrics.start(lambda: ((m.SHARDS, (), 8),))
    yield metrics
    metrics.stop()


def get(url: str, **headers: str) -> tuple[str, str]:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
        return answer.headers["Content-Type"], answer.read().decode()


async def test_it_answers_while_the_event_loop_is_stuck(served: ServedMetrics) -> None:
    """This test never awaits, so the loop has no turn: what would show a stuck loop must not depend on the loop."""
    kind, text = get(served.url)
    assert kind.startswith("text/plain")
    assert "oidc_publisher_shards 8.0" in text
    assert "process_resident_memory_bytes" in text
    assert "python_gc_collections_total" in text


def test_a_scrape_starts_no_collection_of_garbage() -> None:
    """Its samples would start a full one, in which no other thread has a turn: 80 ms of CPU with 1,000 issuers."""
    metrics, begun = ServedMetrics(Address("127.0.0.1", 0), per_key=False), []

    def note(phase: str, _: object) -> None:
        if phase == "start" and threading.current_thread() is not threading.main_thread():
            begun.append(phase)

    metrics.start(lambda: ((m.WATCH_RUNNING, (str(number),), 1) for number in range(20_000)))
    gc.collect()
    gc.callbacks.append(note)
    try:
        _, text = get(metrics.url)
    finally:
        gc.callbacks.remove(note)
        metrics.stop()
    assert 'watch_running{watch="19999"} 1.0' in text
    assert len(begun) <= 1, "one may come before the page is made, or after it"
    assert gc.isenabled()


def test_prometheus_may_ask_for_openmetrics(served: ServedMetrics) -> None:
    """As a real Prometheus does; counters keep one _total."""
    kind, text = get(served.url, Accept="application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert "_total_total" not in text
    assert text.endswith("# EOF\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", None])
def test_it_listens_where_it_is_told(host: str | None) -> None:
    """An address, a name, or every interface: of both versions of IP where the machine has both."""
    page = MetricsPage(Address(host, 0), CollectorRegistry())
    page.start()
    assert get(page.url)[0].startswith("text/plain")
    if host is None and has_ipv6():
        assert get(f"http://[::1]:{page.port}/metrics")[0].startswith("text/plain")
    page.stop()


def test_a_port_that_is_taken_is_named_with_its_option() -> None:
    """The command line says which option to correct."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        page = MetricsPage(Address("127.0.0.1", port), CollectorRegistry())
        with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{port}: address already in use") as caught:
            page.start()
    assert caught.value.option == "--metrics-address"


def test_no_name_server_is_asked_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """http.server asks for the machine's own name, which takes seconds where no name server answers."""

    def fails(*_: object) -> str:
        raise AssertionError("asked for the machine's name")

    monkeypatch.setattr(socket, "getfqdn", fails)
    page = MetricsPage(Address("127.0.0.1", free_port()), CollectorRegistry())
    page.start()
    page.stop()


def test_a_client_that_sends_nothing_keeps_no_other_from_its_answer(served: ServedMetrics) -> None:
    """Each has a thread of its own."""
    port = int(served.url.rpartition(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port)):
        began = time.monotonic()
        get(served.url)
        assert time.monotonic() - began < 5
