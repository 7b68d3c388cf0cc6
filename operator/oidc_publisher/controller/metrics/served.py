"""Put together what `--metrics-address` asks for: the series of the operator, and the page that serves them."""

from __future__ import annotations

from oidc_publisher.controller.metrics.metricspage import MetricsPage
from oidc_publisher.controller.metrics.series import OwnSamples, Series
from oidc_publisher.telemetry.address import Address


class ServedMetrics:
    """ServedMetrics are the series, which observe the passes, and their page; `url` is that of the page once it is served."""

    def __init__(self, address: Address, *, per_key: bool) -> None:
        self.series = Series(per_key=per_key)
        self._page = MetricsPage(address, self.series.registry)

    @property
    def url(self) -> str:
        """The URL of the page."""
        return self._page.url

    def start(self, own: OwnSamples) -> None:
        """Serve the page from now on, with the samples of the operator's own state that `own` gives.

        Raises:
            ListenError: the operator cannot listen on the address.
        """
        self.series.own = own
        self._page.start()

    def stop(self) -> None:
        """Stop listening."""
        self._page.stop()
