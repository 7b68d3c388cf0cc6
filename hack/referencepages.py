"""Make the pages of docs/reference about metrics and logs from the lists in the code."""

from __future__ import annotations

from collections.abc import Iterable

from oidc_publisher.controller.metrics import metriclist as m
from oidc_publisher.reconcile.status import passlog

_METRICS = """\
# Metrics

Made by `make gen` from `operator/oidc_publisher/controller/metrics/metriclist.py`.

`oidc-publisher run --metrics-address :9090` serves them at `/metrics`, in Prometheus' text format and as OpenMetrics.
Without the option nothing is kept and nothing is served.
A thread of its own serves the page, so that it answers while the event loop is stuck, and passes go on meanwhile.

- What depends on time is computed at the scrape: no value grows stale between two passes.
- Series of an issuer go when the object goes, or when it leaves the shard.
- A gauge is absent until its value is known; after a restart it comes with the first read of the object, from its status.
- Counters begin with 0, so that the first event is an increase.
- No key ID is a label, for each rotation makes new ones; `--metrics-per-key` adds the last table.

prometheus-client's own metrics are there too: `process_*`, `python_gc_*` and `python_info`.
"""

_LOGS = """\
# Logs

Made by `make gen` from `operator/oidc_publisher/reconcile/status/passlog.py`.

The operator logs to stderr: text on a terminal, else one JSON object a line; `--log-format` chooses one of them.
The names of members are stable: a query of today works with a later version.

Every line has `timestamp` (UTC), `level` (`debug`, `info`, `warning`, `error`), `message` (the sentence) and `logger`.
A traceback stands in `exception`.
Nothing that looks like a token, a private key or a password of HTTP authentication is printed, whoever logs it.

## One line for each pass

`message` is "{message}".
A pass that changed something has it at level info, a pass at rest at level debug.
"""

_LOGS_END = """\

What changed for people has a line with its sentence beside it: each condition (`issuer`, `condition`, `status`, `reason`), and each event (`issuer`, `reason`, `subject`, `advice`).

## Traces

Where `OTEL_EXPORTER_OTLP_ENDPOINT` is set and the extra is installed (`pip install 'oidc-publisher[otel]'`), each pass is a trace, sent by OTLP over HTTP.
The span `reconcile` has the attribute `oidc_publisher.issuer`, and a span for each step below it: `read`, `publish` with `plan` in it, `prove`, `report`.
All settings are the environment variables of OpenTelemetry itself.
Without an endpoint nothing of OpenTelemetry is imported.
"""


def metrics_page() -> str:
    """Return docs/reference/metrics.md."""
    tables = (
        ("The operator", m.OF_OPERATOR),
        ("One OIDCIssuer", m.OF_ISSUER),
        ("One key, with `--metrics-per-key`", m.OF_KEY),
    )
    return _METRICS + "".join(f"\n## {title}\n\n{_table(metrics)}" for title, metrics in tables)


def _table(metrics: Iterable[m.Metric]) -> str:
    rows = ["| name | type | labels | meaning |", "|---|---|---|---|"]
    for each in metrics:
        labels = ", ".join(f"`{label}`" for label in each.labels)
        rows.append(f"| `{each.full_name}` | {each.kind} | {labels} | {each.meaning} |")
    return "\n".join(rows) + "\n"


def logs_page() -> str:
    """Return docs/reference/logs.md."""
    rows = [
        "",
        "| member | meaning |",
        "|---|---|",
        *(f"| `{name}` | {text} |" for name, text in passlog.FIELDS.items()),
    ]
    return _LOGS.format(message=passlog.MESSAGE) + "\n".join(rows) + "\n" + _LOGS_END
