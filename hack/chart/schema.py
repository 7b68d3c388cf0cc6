"""The JSON schema of the chart's values: every object is closed, so that a misspelt name is refused and named.

Helm validates the merged values at install, upgrade, template and lint. A member that somebody removed with `null` is
named as missing, which is why all that the templates rest on are required. Nothing is referred to: Helm would have to fetch it.
"""

from __future__ import annotations

from typing import Any

from hack.chart.alerts import alert_names

Schema = dict[str, Any]

_TITLE = "Values of the chart oidc-publisher"

BOOLEAN: Schema = {"type": "boolean"}
TEXT: Schema = {"type": "string"}
#: Objects and lists that belong to Kubernetes: the API server knows what may be in them. `null` takes such an object away.
OPEN: Schema = {"type": "object"}
OPEN_LIST: Schema = {"type": "array", "items": {"type": "object"}}
#: Values of labels and annotations are text: `true` and 1 would be refused by the API server, without the value's name.
STRINGS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
#: The same, where `null` takes the default away.
REMOVABLE = dict(STRINGS)

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_OPTIONAL_NAME: Schema = {"type": "string", "maxLength": 253, "pattern": rf"^({_SUBDOMAIN})?$"}
_NAMESPACE: Schema = {"type": "string", "maxLength": 63, "pattern": rf"^{_LABEL}$"}
_OPTIONAL_NAMESPACE: Schema = {"type": "string", "maxLength": 63, "pattern": rf"^({_LABEL})?$"}
_SOURCES: Schema = {
    "type": "array",
    "uniqueItems": True,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["namespace", "name"],
        "properties": {
            "namespace": _NAMESPACE,
            # 253, as the API server has it, less what the Role's name has before it.
            "name": {"type": "string", "maxLength": 253 - 52 - len("-configmaps-"), "pattern": rf"^{_SUBDOMAIN}$"},
        },
    },
}
_OPTIONAL_DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(ms|[smhd]))*$"}
_PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}


def closed(*rules: Schema, **properties: Schema) -> Schema:
    """An object of exactly these members; `rules` hold beside them, of which each speaks of one member in the end."""
    required = [name for name, schema in properties.items() if schema is not OPEN and schema is not REMOVABLE]
    schema: Schema = {"type": "object", "additionalProperties": False, "required": required, "properties": properties}
    return schema | ({"allOf": list(rules)} if rules else {})


def whole(minimum: int, maximum: int) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


def one_of(*values: str) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(values)}


def needs(when: str, is_: Schema, member: str, must: Schema) -> Schema:
    """While one member is such, another must be such."""
    return {"if": {"properties": {when: is_}}, "then": {"properties": {member: must}}}


_FILLED: Schema = {"minLength": 1}
_EMPTY: Schema = {"maxLength": 0}


def _account(**more: Schema) -> Schema:
    return closed(needs("create", {"const": False}, "name", _FILLED), create=BOOLEAN, name=_OPTIONAL_NAME, **more)


def values_schema() -> Schema:
    """The schema of values.yaml, member for member."""
    schema = closed(
        crds=closed(enabled=BOOLEAN, keep=BOOLEAN),
        image=closed(
            # Empty is refused by the template, which can say what to do about it.
            repository=TEXT,
            tag=TEXT,
            digest={"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            pullPolicy=one_of("Always", "IfNotPresent", "Never"),
        ),
        imagePullSecrets=OPEN_LIST,
        nameOverride={"type": "string", "maxLength": 63, "pattern": rf"^({_LABEL})?$"},
        fullnameOverride={"type": "string", "maxLength": 52, "pattern": rf"^({_LABEL})?$"},
        namespaceOverride=_OPTIONAL_NAMESPACE,
        shards=whole(1, 64),
        maxConcurrent=whole(1, 256),
        log=closed(level=one_of("debug", "info", "warning", "error"), format=one_of("auto", "json", "text")),
        health=closed(port=whole(1024, 65535)),
        metrics=_metrics(),
        storeEndpoints={"type": "array", "items": {"type": "string", "pattern": "^https?://[^/]+/?$"}},
        # As spec.probe.proxyURL has it: a password would be in the release's history.
        probeProxies={
            "type": "array",
            "items": {"type": "string", "pattern": r"^http://[A-Za-z0-9.\[\]:-]+:[0-9]{1,5}$"},
        },
        apiServerNames={"type": "array", "items": {"type": "string", "minLength": 1}},
        probe=closed(serviceAccount=_account(namespace=_OPTIONAL_NAMESPACE)),
        serviceAccount=_account(annotations=STRINGS),
        automountServiceAccountToken=BOOLEAN,
        rbac=closed(
            create=BOOLEAN,
            finalizers=BOOLEAN,
            configMaps=_SOURCES,
            secrets=_SOURCES,
            aggregateToView=BOOLEAN,
            aggregateToEdit=BOOLEAN,
        ),
        managedKeys=closed(enabled=BOOLEAN, signerGroup={"type": "string", "minLength": 1, "maxLength": 64}),
        keyFiles=closed(
            needs("hostPath", _FILLED, "existingVolume", _EMPTY),
            hostPath={"type": "string", "pattern": "^(/.*)?$"},
            existingVolume=TEXT,
        ),
        cloudIdentity=closed(aws=_aws(), gcp=_gcp()),
        extraEnv={"type": "array", "items": {"type": "object", "required": ["name"]}},
        extraEnvFrom=OPEN_LIST,
        extraArgs={"type": "array", "items": {"type": "string", "pattern": "^--"}},
        extraVolumes=OPEN_LIST,
        extraVolumeMounts=OPEN_LIST,
        extraObjects={"type": "array", "items": {"type": ["object", "string"]}},
        commonLabels=STRINGS,
        commonAnnotations=STRINGS,
        deploymentAnnotations=STRINGS,
        podLabels=STRINGS,
        podAnnotations=STRINGS,
        podSecurityContext=OPEN,
        securityContext=OPEN,
        resources=OPEN,
        livenessProbe=OPEN,
        readinessProbe=OPEN,
        startupProbe=OPEN,
        terminationGracePeriodSeconds=whole(0, 600),
        revisionHistoryLimit=whole(0, 100),
        nodeSelector=REMOVABLE,
        tolerations=OPEN_LIST,
        affinity=OPEN,
        topologySpreadConstraints=OPEN_LIST,
        priorityClassName=TEXT,
        runtimeClassName=TEXT,
        hostNetwork=BOOLEAN,
        dnsPolicy=one_of("", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
        dnsConfig=OPEN,
        hostAliases=OPEN_LIST,
        podDisruptionBudget=closed(enabled=BOOLEAN),
        networkPolicy=closed(
            enabled=BOOLEAN,
            apiServerPorts={"type": "array", "minItems": 1, "uniqueItems": True, "items": _PORT},
            extraEgress=OPEN_LIST,
        ),
    )
    # Helm hands `global` to every chart, and a parent chart may say `enabled` of a dependency.
    schema["properties"] |= {"global": OPEN, "enabled": BOOLEAN}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": _TITLE, **schema}


def _metrics() -> Schema:
    on = {"properties": {"enabled": {"const": True}}}
    off = {"properties": {"enabled": {"const": False}}}
    return closed(
        needs("serviceMonitor", on, "podMonitor", off),
        port=whole(1024, 65535),
        service=closed(enabled=BOOLEAN, annotations=STRINGS),
        serviceMonitor=closed(
            enabled=BOOLEAN,
            namespace=_OPTIONAL_NAMESPACE,
            labels=STRINGS,
            interval=_OPTIONAL_DURATION,
            scrapeTimeout=_OPTIONAL_DURATION,
            honorLabels=BOOLEAN,
            relabelings=OPEN_LIST,
            metricRelabelings=OPEN_LIST,
        ),
        podMonitor=closed(enabled=BOOLEAN),
        prometheusRule=closed(
            enabled=BOOLEAN,
            namespace=_OPTIONAL_NAMESPACE,
            labels=STRINGS,
            disabled={"type": "array", "uniqueItems": True, "items": one_of(*alert_names())},
            extraRules={"type": "array", "items": {"type": "object", "required": ["expr"]}},
            runbookURL={"type": "string", "pattern": r"^https?://.*\{alert\}"},
        ),
        dashboard=closed(
            enabled=BOOLEAN,
            namespace=_OPTIONAL_NAMESPACE,
            sidecarLabel={"type": "string", "minLength": 1},
            sidecarLabelValue=TEXT,
            annotations=STRINGS,
            extraLabels=STRINGS,
        ),
    )


def _aws() -> Schema:
    return closed(
        needs("roleARN", _FILLED, "region", _FILLED),
        roleARN={"type": "string", "pattern": "^(arn:aws[a-z-]*:iam::[0-9]{12}:role/.+)?$"},
        region={"type": "string", "pattern": "^([a-z0-9-]+)?$"},
        audience=_FILLED | TEXT,
        tokenExpirationSeconds=whole(600, 86400),
    )


def _gcp() -> Schema:
    provider = "projects/[0-9]+/locations/global/workloadIdentityPools/[^/]+/providers/[^/]+"
    return closed(
        provider={"type": "string", "pattern": f"^({provider})?$"},
        serviceAccount={"type": "string", "pattern": "^([^@]+@[^@]+)?$"},
        tokenExpirationSeconds=whole(600, 86400),
    )
