"""The dashboard's row about the operator itself: its passes, its queue, its watches, what it costs."""

from __future__ import annotations

from hack.chart.dashboard import GREEN, RED, Panel, Query, Row

_RATE = "[$__rate_interval]"
#: process_... is what every Python program has: only those of ours are meant.
_OURS = "and on (job, instance) oidc_publisher_build_info"

OPERATOR = Row(
    "Operator",
    (
        Panel(
            "Passes",
            "Passes by their result.",
            "timeseries",
            (Query(f"sum by (result) (rate(oidc_publisher_reconciles_total{_RATE}))", "{{result}}"),),
            unit="ops",
            stacked=True,
        ),
        Panel(
            "Duration of the steps",
            "95 of 100 passes take less in each step.",
            "timeseries",
            (
                Query(
                    f"histogram_quantile(0.95, sum by (step, le) (rate(oidc_publisher_reconcile_step_duration_seconds_bucket{_RATE})))",
                    "{{step}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            "Queue",
            "Issuers that wait for their turn, and passes that run; slow ones wait for servers, and take no place from the others.",
            "timeseries",
            (
                Query("sum(oidc_publisher_queue_depth)", "waiting"),
                Query("sum(oidc_publisher_queue_running)", "running"),
                Query("sum(oidc_publisher_queue_slow_running)", "slow ones of them"),
            ),
        ),
        Panel(
            "Longest wait and longest pass",
            "Of those that wait and run now; and for how long a shard has not renewed its Lease. Minutes are too long: see the "
            "alerts OIDCPublisherQueueStuck and OIDCPublisherShardDown.",
            "timeseries",
            (
                Query("max(oidc_publisher_queue_longest_wait_seconds)", "waits"),
                Query("max(oidc_publisher_queue_oldest_running_seconds)", "runs"),
                Query("max(oidc_publisher_queue_standstill_seconds)", "nothing begins"),
                Query("max(oidc_publisher_event_loop_beat_age_seconds)", "event loop stands still"),
                Query("max by (shard) (oidc_publisher_shard_silent_seconds)", "shard {{shard}} is silent"),
            ),
            unit="s",
        ),
        Panel(
            "API server",
            "Whether it answered the watch of OIDCIssuers when that was asked last.",
            "state-timeline",
            (Query("min by (instance) (oidc_publisher_api_server_reachable)", "{{instance}}"),),
            words={"0": ("no answer", RED), "1": ("answers", GREEN)},
        ),
        Panel(
            "Watches begun anew",
            "A few in an hour are ordinary: API servers end watches now and then.",
            "timeseries",
            (Query(f"sum by (watch) (increase(oidc_publisher_watch_restarts_total{_RATE}))", "{{watch}}"),),
        ),
        Panel(
            "CPU",
            "Processor cores in use.",
            "timeseries",
            (Query(f"rate(process_cpu_seconds_total{_RATE}) {_OURS}", "{{instance}}"),),
            width=12,
        ),
        Panel(
            "Memory",
            "Resident memory.",
            "timeseries",
            (Query(f"process_resident_memory_bytes {_OURS}", "{{instance}}"),),
            unit="bytes",
            width=12,
        ),
    ),
)
