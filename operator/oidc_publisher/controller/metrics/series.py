"""Keep all series of the operator, as the observer of its passes, and give them to Prometheus at a scrape.

What depends on time or on the state of the operator is computed at the scrape, by the clock of that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Histogram,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from oidc_publisher.api import OIDCIssuer, OIDCIssuerStatus
from oidc_publisher.controller.metrics import metriclist as m
from oidc_publisher.controller.metrics.issuerseries import IssuerSeries, Sample
from oidc_publisher.findings import Finding
from oidc_publisher.probe.wire.port import Fetched
from oidc_publisher.reconcile.passes import PassDone
from oidc_publisher.telemetry.steps import Step
from oidc_publisher.timing.clock import Clock, SystemClock

#: Returns the samples of the operator's own state, at each scrape, in the thread of the scrape.
OwnSamples = Callable[[], Iterable[Sample]]

_FAMILIES: dict[m.Kind, Callable[..., CounterMetricFamily | GaugeMetricFamily]] = {
    m.Kind.COUNTER: CounterMetricFamily,
    m.Kind.GAUGE: GaugeMetricFamily,
}


class Series(Collector):
    """Series observes every pass, and collects the samples of all issuers and of the operator.

    `own` gives the samples of the operator. `per_key` adds the metrics of single keys.
    """

    def __init__(self, *, own: OwnSamples = tuple, per_key: bool = False, clock: Clock | None = None) -> None:
        self.own = own
        self._per_key = per_key
        self._clock = clock or SystemClock()
        self._issuers: dict[str, IssuerSeries] = {}
        self.registry = CollectorRegistry(auto_describe=False)
        histogram = partial(Histogram, registry=self.registry)
        self._passes, self._steps, self._calls = (
            histogram(each.full_name, each.meaning, each.labels, buckets=each.buckets)
            for each in (m.PASS_SECONDS, m.STEP_SECONDS, m.STORE_SECONDS)
        )
        for step in Step:
            self._steps.labels(step.value)
        for collector in (self, PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            self.registry.register(collector)

    # The observer of the passes

    def seen(self, issuer: OIDCIssuer) -> None:
        """Note an object as it was read, before its pass."""
        name, uid = issuer.metadata.name, issuer.metadata.uid
        known = self._of(name)
        if known.uid not in ("", uid):  # the object was deleted, and one of the same name created, between two passes
            known = self._issuers[name] = IssuerSeries(name)
        known.uid = uid
        known.seen(issuer)

    def passed(self, done: PassDone) -> None:
        """Note what a pass did."""
        self._of(done.issuer.metadata.name).passed(done, self._clock.now())
        self._passes.observe(done.took_s)
        for step, seconds in done.seconds.items():
            self._steps.labels(step.value).observe(seconds)

    def failed(self, name: str) -> None:
        """Note a pass that ended before it could report; an issuer that was never read has no series."""
        if name in self._issuers:
            self._issuers[name].results["failed"] += 1

    def happened(self, name: str, events: Sequence[Finding]) -> None:
        """Note what happened in a pass that somebody's change of the object ended."""
        self._of(name).happened(events)

    def refused(self, name: str, status: OIDCIssuerStatus) -> None:
        """Note an object whose spec this version cannot read."""
        series = self._of(name)
        series.status = status
        series.results["failed"] += 1

    def gone(self, name: str) -> None:
        """Drop all series of an issuer."""
        self._issuers.pop(name, None)

    def notes_of(self, name: str) -> PortNotes:
        """Return what takes the notes of an issuer's ports."""
        return PortNotes(self, name)

    def called(self, name: str, operation: str, code: str, seconds: float, *, error: bool) -> None:
        """Note a call of an issuer's store. A call that ends after its issuer has gone brings no series back."""
        self._calls.labels(operation).observe(seconds)
        if name in self._issuers:
            self._issuers[name].called(operation, code, error=error)

    def fetched(self, name: str, answer: Fetched) -> None:
        """Note an answer of an issuer's public URL."""
        series = self._issuers.get(name)
        if series is None:
            return
        if answer.certificate is not None:
            series.expires_at = answer.certificate.not_after
        if answer.phases is not None:
            series.phases = answer.phases

    def _of(self, name: str) -> IssuerSeries:
        return self._issuers.setdefault(name, IssuerSeries(name))

    # The collector of prometheus_client

    def collect(self) -> Iterator[Family]:
        """Yield every metric with its samples of this moment. Each metric is there, if need be without samples."""
        kept = {metric: _family(metric) for metric in m.METRICS if self._collects(metric)}
        for metric, labels, value in self._samples():
            kept[metric].add_metric(labels, value)
        yield from kept.values()

    def _samples(self) -> Iterator[Sample]:
        now, issuers = self._clock.now(), tuple(self._issuers.values())
        yield m.ISSUERS, (), len(issuers)
        yield from self.own()
        for series in issuers:
            yield from series.samples(now, per_key=self._per_key)

    def _collects(self, metric: m.Metric) -> bool:
        return metric.kind is not m.Kind.HISTOGRAM and (self._per_key or not metric.per_key)


class PortNotes:
    """PortNotes takes the notes of the ports of one issuer."""

    def __init__(self, series: Series, name: str) -> None:
        self._series = series
        self._name = name

    def called(self, operation: str, code: str, seconds: float, *, error: bool) -> None:
        """Note a call of the store."""
        self._series.called(self._name, operation, code, seconds, error=error)

    def fetched(self, answer: Fetched) -> None:
        """Note an answer of the public URL."""
        self._series.fetched(self._name, answer)


def _family(metric: m.Metric) -> CounterMetricFamily | GaugeMetricFamily:
    return _FAMILIES[metric.kind](metric.full_name, metric.meaning, labels=metric.labels)
