"""The list of all metrics, from which the operator makes the series, and `make gen` docs/reference/metrics.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX = "oidc_publisher_"


class Kind(StrEnum):
    """A Kind is the type of a metric."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A Metric has a name without PREFIX (and a counter without `_total`), its labels, and its meaning for people.

    `buckets` are the upper bounds of a histogram in seconds. `per_key` says that the metric exists with --metrics-per-key
    only.
    """

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    per_key: bool = False

    @property
    def full_name(self) -> str:
        """The name as Prometheus stores it; a histogram has it with the suffixes _bucket, _sum and _count."""
        return f"{PREFIX}{self.name}{'_total' if self.kind is Kind.COUNTER else ''}"


_G, _C, _H = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM
_ISSUER: Final = ("issuer",)
#: A step takes some ms at rest, a few seconds where a server is slow, and PASS_S (90 s) at most.
_PASS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0)
_CALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)

# The operator
BUILD_INFO = Metric("build_info", _G, "Always 1; the version is a label.", ("version",))
SHARD_INFO = Metric(
    "shard_info", _G, 'Always 1; for `--shard 2/8` the labels are `shard="2",shards="8"`.', ("shard", "shards")
)
SHARDS = Metric("shards", _G, "Into how many parts the OIDCIssuers are divided; 1 without --shard.")
SHARD_SILENT = Metric(
    "shard_silent_seconds",
    _G,
    "For how long another shard has not been seen renewing its Lease; above 60 it is down. "
    "Each shard looks at the next one, and beyond it while that one is silent; absent without --shard-leases.",
    ("shard",),
)
ISSUERS = Metric("issuers", _G, "OIDCIssuers that this replica looks after.")
PASS_SECONDS = Metric("reconcile_duration_seconds", _H, "Duration of a whole pass over one issuer.", (), _PASS_BUCKETS)
STEP_SECONDS = Metric(
    "reconcile_step_duration_seconds",
    _H,
    "Duration of a step of a pass: read, plan, publish (without plan), prove, report.",
    ("step",),
    _PASS_BUCKETS,
)
STORE_SECONDS = Metric(
    "store_call_duration_seconds",
    _H,
    "Duration of a call of a store: read, write, delete.",
    ("operation",),
    _CALL_BUCKETS,
)
QUEUE_DEPTH = Metric("queue_depth", _G, "Issuers that wait for a place.")
QUEUE_RUNNING = Metric("queue_running", _G, "Passes in progress.")
QUEUE_SLOW = Metric(
    "queue_slow_running",
    _G,
    "Passes in progress that take none of the places: they have taken longer than 5 s, or the last pass over the issuer had.",
)
QUEUE_CAPACITY = Metric(
    "queue_capacity", _G, "Places: how many passes may run at once beside the slow ones (--max-concurrent)."
)
QUEUE_WAIT = Metric(
    "queue_longest_wait_seconds",
    _G,
    "How long the issuer that waits longest for a place has waited; 0 while none waits.",
)
QUEUE_OLDEST = Metric(
    "queue_oldest_running_seconds",
    _G,
    "Age of the oldest pass in progress; 0 while none runs. A pass is ended after 90 s, so a greater age is a stuck step.",
)
QUEUE_STANDSTILL = Metric(
    "queue_standstill_seconds",
    _G,
    "How long all places have been taken without a pass beginning; /livez fails above 180.",
)
BEAT_AGE = Metric(
    "event_loop_beat_age_seconds", _G, "Seconds since the event loop was last seen to run; /livez fails above 30."
)
LONGEST_TURN = Metric(
    "event_loop_longest_turn_seconds",
    _G,
    "Longest turn of the event loop within the last 2 minutes, while which nothing else has a turn: by the `wall` clock, and "
    "the `cpu` time of its thread. Where the wall's is much longer, others took the processor, or a CPU limit did.",
    ("clock",),
)
REACHABLE = Metric(
    "api_server_reachable",
    _G,
    "1 while the API server answers the watch of OIDCIssuers, else 0; absent before the first answer.",
)
OUTAGES = Metric("api_server_outages", _C, "How often the API server stopped answering.")
WATCH_RUNNING = Metric(
    "watch_running",
    _G,
    "Watches that run: of OIDCIssuers (`issuers`), of single ConfigMaps and Secrets (`objects`).",
    ("watch",),
)
WATCH_RESTARTS = Metric("watch_restarts", _C, "Watches that ended early and were begun again.", ("watch",))
WATCH_AGE = Metric(
    "watch_contact_age_seconds",
    _G,
    "Seconds since the watch last asked the API server for something, which it does every 5 minutes; /livez fails above 900.",
    ("watch",),
)

# One issuer
SUSPENDED = Metric("issuer_suspended", _G, "1 where spec.suspend is true, else 0.", _ISSUER)
INTERVAL = Metric("issuer_interval_seconds", _G, "spec.interval.", _ISSUER)
RECONCILES = Metric(
    "reconciles",
    _C,
    "Passes: `changed` (the status or a document), `unchanged`, or `failed` (they come again after a backoff).",
    (*_ISSUER, "result"),
)
LAST_PASS = Metric(
    "last_reconcile_timestamp_seconds", _G, "When the last pass of this process ended, as Unix time.", _ISSUER
)
CONDITION = Metric(
    "condition",
    _G,
    "1 for the status that the condition has, 0 for the other two; no series where the object has no such condition.",
    (*_ISSUER, "type", "status"),
)
FINDINGS = Metric(
    "findings", _G, "Findings at present; the series goes with the last finding.", (*_ISSUER, "reason", "severity")
)
PROOF_TIME = Metric(
    "last_proof_timestamp_seconds",
    _G,
    "When everything was last proven, as Unix time; after a restart from status.lastProvenTime, which is up to 5 minutes older.",
    _ISSUER,
)
PROOF_AGE = Metric("last_proof_age_seconds", _G, "Seconds since everything was last proven.", _ISSUER)
KEYS = Metric("keys", _G, "Keys of the ledger by state; all seven states are there.", (*_ISSUER, "state"))
PUBLISHED_KEYS = Metric("published_keys", _G, "Keys of the stored key set.", _ISSUER)
NEXT_SAFE = Metric(
    "next_key_safe_seconds",
    _G,
    "Seconds until the next waiting key may sign; negative where the forecast has passed; absent where no key waits.",
    _ISSUER,
)
NEXT_RETIREMENT = Metric(
    "next_retirement_seconds",
    _G,
    "Seconds until the next key may leave the published set; negative where that is overdue; absent where no key retires.",
    _ISSUER,
)
SIGNER_AGE = Metric(
    "signing_key_age_seconds",
    _G,
    "Seconds since the key that signs was first seen, of several the oldest; absent where none is known to sign.",
    _ISSUER,
)
ALL_SAFE = Metric(
    "all_keys_safe", _G, "1 where every key that is in use may sign, else 0; absent without such keys.", _ISSUER
)
CERTIFICATE = Metric(
    "certificate_remaining_seconds",
    _G,
    "Seconds until the certificate of the public URL expires; negative once it has expired; absent until it was seen.",
    _ISSUER,
)
PROBE_SECONDS = Metric(
    "probe_duration_seconds",
    _G,
    "Phases of the last fetch from the public URL over a new connection: resolve, connect, tls, processing, transfer.",
    (*_ISSUER, "phase"),
)
STORE_CALLS = Metric(
    "store_calls",
    _C,
    "Calls of the store: read, write, delete. The code is `ok`, a reason of the catalogue, or `PreconditionFailed` (a lost race).",
    (*_ISSUER, "operation", "code"),
)
STORE_ERRORS = Metric("store_errors", _C, "Calls of the store that failed; lost races are not counted.", _ISSUER)
DRIFT_REPAIRS = Metric(
    "drift_repairs", _C, "How often documents were written again that somebody had changed.", _ISSUER
)

# One key
KEY_STATE = Metric("key_state", _G, "1 for the state that the key has.", (*_ISSUER, "key_id", "state"), per_key=True)
KEY_SAFE = Metric("key_safe_seconds", _G, "Seconds until a waiting key may sign.", (*_ISSUER, "key_id"), per_key=True)
KEY_RETIREMENT = Metric(
    "key_retirement_seconds", _G, "Seconds until a retiring key may leave.", (*_ISSUER, "key_id"), per_key=True
)

OF_OPERATOR = (
    BUILD_INFO, SHARD_INFO, SHARDS, SHARD_SILENT, ISSUERS, PASS_SECONDS, STEP_SECONDS, STORE_SECONDS, QUEUE_DEPTH,
    QUEUE_RUNNING, QUEUE_SLOW, QUEUE_CAPACITY, QUEUE_WAIT, QUEUE_OLDEST, QUEUE_STANDSTILL, BEAT_AGE, LONGEST_TURN,
    REACHABLE, OUTAGES,
    WATCH_RUNNING, WATCH_RESTARTS, WATCH_AGE,
)  # fmt: skip
OF_ISSUER = (
    SUSPENDED, INTERVAL, RECONCILES, LAST_PASS, CONDITION, FINDINGS, PROOF_TIME, PROOF_AGE, KEYS, PUBLISHED_KEYS,
    NEXT_SAFE, NEXT_RETIREMENT, SIGNER_AGE, ALL_SAFE, CERTIFICATE, PROBE_SECONDS, STORE_CALLS, STORE_ERRORS,
    DRIFT_REPAIRS,
)  # fmt: skip
OF_KEY = (KEY_STATE, KEY_SAFE, KEY_RETIREMENT)
METRICS = (*OF_OPERATOR, *OF_ISSUER, *OF_KEY)
