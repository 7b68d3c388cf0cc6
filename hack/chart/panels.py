"""What the dashboard shows: rows of panels, each with its queries.

`$issuer` is what the reader has chosen, and Grafana fills in `$__rate_interval`. An operator that was restarted goes on
with the series of the one before it, because every query adds up over pods.
"""

from __future__ import annotations

from hack.chart.dashboard import AMBER, BLUE, GREEN, RED, Panel, Query, Row
from hack.chart.operatorpanels import OPERATOR

_ISSUER = 'issuer=~"$issuer"'
_RATE = "[$__rate_interval]"


def _per(labels: str, metric: str, *matchers: str) -> str:
    """The metric of the chosen issuers, once for each combination of these labels."""
    return f"max by ({labels}) ({metric}{{{', '.join([_ISSUER, *matchers])}}})"


def _ready(status: str) -> str:
    return _per("issuer", "oidc_publisher_condition", 'type="Ready"', f'status="{status}"')


_SINCE_PROOF = f"min by (issuer) (oidc_publisher_last_proof_age_seconds{{{_ISSUER}}})"
_CERTIFICATE = f"min by (issuer) (oidc_publisher_certificate_remaining_seconds{{{_ISSUER}}})"
_FINDINGS = "oidc_publisher_findings"
_CRITICAL = _per("issuer, reason", _FINDINGS, 'severity="Critical"')
_NOT_TRUE = _per("issuer, type", "oidc_publisher_condition", 'status!="True"', 'type!~"Reconciling|Stalled"')

GLANCE = Row(
    "At a glance",
    (
        Panel(
            "Issuers that are Ready",
            "OIDCIssuers of which it is proven that relying parties can verify this cluster's tokens.",
            "stat",
            (Query(f"sum({_ready('True')})", "ready"), Query(f"count({_ready('True')})", "in all")),
            steps=((BLUE, None),),
            width=4,
            height=4,
        ),
        Panel(
            "Critical findings",
            "Findings that break something for a relying party, or will.",
            "stat",
            (Query(f"sum({_CRITICAL}) or vector(0)"),),
            steps=((GREEN, None), (RED, 1)),
            width=4,
            height=4,
        ),
        Panel(
            "Oldest proof",
            "How long ago the issuer was proven that waits longest.",
            "stat",
            (Query(f"max({_SINCE_PROOF})"),),
            unit="s",
            steps=((GREEN, None), (AMBER, 600), (RED, 3600)),
            width=4,
            height=4,
        ),
        Panel(
            "Issuers with all keys safe",
            "SafeToSign: every listed key is known to every cache. Others have a key that must wait.",
            "stat",
            (Query(f"sum({_per('issuer', 'oidc_publisher_all_keys_safe')})"),),
            steps=((BLUE, None),),
            width=4,
            height=4,
        ),
        Panel(
            "Next certificate ends in",
            "The certificate of a public URL that expires first.",
            "stat",
            (Query(f"min({_CERTIFICATE})"),),
            unit="s",
            steps=((RED, None), (AMBER, 3 * 86_400), (GREEN, 14 * 86_400)),
            width=4,
            height=4,
        ),
        Panel(
            "Operators",
            "Running operators by version; with shards there is one for each.",
            "stat",
            (Query("count by (version) (oidc_publisher_build_info)", "{{version}}"),),
            steps=((BLUE, None),),
            width=4,
            height=4,
        ),
    ),
)

ISSUERS_ROW = Row(
    "Issuers",
    (
        Panel(
            "Ready",
            "Ready of each issuer over time.",
            "state-timeline",
            (Query(f"2 * {_ready('True')} + {_ready('Unknown')}", "{{issuer}}"),),
            words={"0": ("not Ready", RED), "1": ("Unknown", AMBER), "2": ("Ready", GREEN)},
            width=12,
        ),
        Panel(
            "What is found",
            "Every finding of now. `oidc-publisher explain REASON` says what to do.",
            "table",
            (Query(_per("issuer, reason, severity", _FINDINGS)),),
            columns=("severity", "issuer", "reason"),
            width=6,
            empty="Nothing is wrong.",
        ),
        Panel(
            "Conditions that are not True",
            "How many issuers lack each condition: the step at which something broke.",
            "timeseries",
            (Query(f"sum by (type) ({_NOT_TRUE})", "{{type}}"),),
            width=6,
        ),
    ),
)

ROTATION = Row(
    "Rotation",
    (
        Panel(
            "Published keys by state",
            "A rotation is one key that goes through Published, Served and SafeToSign to Signing, while the former retires.",
            "timeseries",
            (Query(f"sum by (state) ({_per('issuer, state', 'oidc_publisher_keys')})", "{{state}}"),),
            stacked=True,
            width=9,
        ),
        Panel(
            "Time until a key is safe or retires",
            "When the next key may sign, and when the next unused key leaves. Nothing is shown while no key waits.",
            "timeseries",
            (
                Query(_per("issuer", "oidc_publisher_next_key_safe_seconds"), "{{issuer}}: safe to sign"),
                Query(_per("issuer", "oidc_publisher_next_retirement_seconds"), "{{issuer}}: retires"),
            ),
            unit="s",
            width=9,
            empty="No key waits.",
        ),
        Panel(
            "Age of the signing key",
            "Since the key that signs was first seen. A line that falls is a rotation.",
            "timeseries",
            (Query(_per("issuer", "oidc_publisher_signing_key_age_seconds"), "{{issuer}}"),),
            unit="s",
            width=6,
        ),
    ),
)

PUBLIC_URL = Row(
    "Public URL",
    (
        Panel(
            "Time since the last proof",
            "Goes up to the interval and back to zero. What goes on rising is not proven any more.",
            "timeseries",
            (Query(_SINCE_PROOF, "{{issuer}}"),),
            unit="s",
        ),
        Panel(
            "Phases of a fetch",
            "How long the parts of a fetch of the public documents take on average.",
            "timeseries",
            (
                Query(
                    f"avg by (phase) ({_per('issuer, phase', 'oidc_publisher_probe_duration_seconds')})",
                    "{{phase}}",
                ),
            ),
            unit="s",
            stacked=True,
        ),
        Panel(
            "Certificate's time left",
            "Of the public URL. Below 14 days the renewal has failed.",
            "timeseries",
            (Query(_CERTIFICATE, "{{issuer}}"),),
            unit="s",
        ),
    ),
)

STORE = Row(
    "Store",
    (
        Panel(
            "Calls",
            "Calls of S3, GCS and CloudFront by operation.",
            "timeseries",
            (Query(f"sum by (operation) (rate(oidc_publisher_store_calls_total{_RATE}))", "{{operation}}"),),
            unit="reqps",
            stacked=True,
        ),
        Panel(
            "Failed calls",
            "By the reason of the finding. A lost race (412) does not count: it is tried again at once.",
            "timeseries",
            (
                Query(
                    f'sum by (operation, code) (rate(oidc_publisher_store_calls_total{{code!~"ok|PreconditionFailed"}}{_RATE}))',
                    "{{operation}} {{code}}",
                ),
            ),
            unit="reqps",
            empty="No call fails.",
        ),
        Panel(
            "Repaired changes",
            "Somebody else changed a document, and it was put right.",
            "timeseries",
            (
                Query(
                    f"sum by (issuer) (increase(oidc_publisher_drift_repairs_total{{{_ISSUER}}}{_RATE}))",
                    "{{issuer}}",
                ),
            ),
            empty="No document was changed by others.",
        ),
    ),
)

ROWS = (GLANCE, ISSUERS_ROW, ROTATION, PUBLIC_URL, STORE, OPERATOR)
#: What the variable `$issuer` offers.
ISSUERS = "label_values(oidc_publisher_condition, issuer)"
