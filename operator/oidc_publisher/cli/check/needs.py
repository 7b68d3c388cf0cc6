"""The rights that the operator needs, those that an installation needs, and the lines about them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from oidc_publisher.api import (
    APIServerSourceSpec,
    ConfigMapSourceSpec,
    DeletionPolicy,
    KubeconfigSecretSpec,
    OIDCIssuer,
    SecretSourceSpec,
)
from oidc_publisher.api.managed import RING_NAME, RING_PLURAL
from oidc_publisher.cli.check.lines import CheckResult, Line
from oidc_publisher.cluster.access import NEEDED, Right, grant

_RBAC = "rbac.create"
_JWKS = "/openid/v1/jwks"
#: The API servers, and the events of objects without a namespace, are in this one.
_DEFAULT = "default"
_RBAC_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Need:
    """A Need is a right, the chart's value that grants it, and its use. Nothing that was asked for needs an `optional` one."""

    right: Right
    value: str
    use: str
    optional: bool = False


def operator_needs(
    probe: tuple[str, str] | None, issuers: Iterable[OIDCIssuer], *, rings: bool = False
) -> tuple[Need, ...]:
    """Return the rights that the operator needs for these issuers, as charts/oidc-publisher/templates/rbac.yaml grants them.

    `probe` is the (namespace, name) of the ServiceAccount that tokens are minted for. `rings` is whether the cluster
    has the kind SigningKeyRing.
    """
    known = tuple(issuers)
    deletes = any(issuer.spec.deletion_policy is DeletionPolicy.DELETE for issuer in known)
    ring = (_of_ring(),) if rings else ()
    return tuple(dict.fromkeys((*_of_every_pass(probe), *ring, _of_finalizers(deletes=deletes), *_of_sources(known))))


def _of_every_pass(probe: tuple[str, str] | None) -> Iterator[Need]:
    for right in NEEDED:
        yield Need(right, _RBAC, "read OIDCIssuers" if not right.subresource else "report what it found")
    kube_system = Right("get", "namespaces", group="", name="kube-system")
    yield Need(kube_system, _RBAC, "mark the documents as this cluster's")
    reviews = Right("create", "tokenreviews", group="authentication.k8s.io")
    yield Need(reviews, _RBAC, "let API servers review each other's tokens")
    yield Need(Right("get", "", group="", path=_JWKS), _RBAC, "read the key set of each API server")
    slices = Right("list", "endpointslices", group="discovery.k8s.io", namespace=_DEFAULT)
    yield Need(slices, _RBAC, "find the API servers")
    events = Right("create", "events", group="events.k8s.io", namespace=_DEFAULT)
    yield Need(events, _RBAC, "record events")
    repeated = Right("patch", "events", group="events.k8s.io", namespace=_DEFAULT)
    yield Need(repeated, _RBAC, "record what happens again as one event")
    if probe is not None:
        namespace, name = probe
        token = Right("create", "serviceaccounts", "token", group="", namespace=namespace, name=name)
        yield Need(token, f"{_RBAC} and probe.serviceAccount", "mint the tokens that prove an issuer")


def _of_finalizers(*, deletes: bool) -> Need:
    return Need(Right("patch"), "rbac.finalizers", "delete documents (deletionPolicy Delete)", optional=not deletes)


def _of_ring() -> Need:
    # Optional, because the kind stays when managed keys go and the chart keeps its CustomResourceDefinitions.
    right = Right("get", RING_PLURAL, name=RING_NAME)
    return Need(right, "managedKeys.enabled", "name the versions of managed keys", optional=True)


def _of_sources(issuers: Iterable[OIDCIssuer]) -> Iterator[Need]:
    for issuer in issuers:
        for source in issuer.spec.key_sources:
            match source.selected:
                case APIServerSourceSpec(kubeconfig_secret=named) if named is not None:
                    yield from _of_kubeconfig(named)
                case ConfigMapSourceSpec(namespace=namespace, name=name):
                    yield from _of_object("configmaps", "rbac.configMaps", namespace, name)
                case SecretSourceSpec(namespace=namespace, name=name):
                    yield from _of_object("secrets", "rbac.secrets", namespace, name)


def _of_kubeconfig(named: KubeconfigSecretSpec) -> Iterator[Need]:
    granting = f"{{namespace: {named.namespace}, name: {named.name}}} in rbac.secrets"
    for verb, use in (("get", "reach its remote cluster"), ("watch", "follow a renewed kubeconfig at once")):
        yield Need(Right(verb, "secrets", group="", namespace=named.namespace, name=named.name), granting, use)


def _of_object(resource: str, value: str, namespace: str, name: str) -> Iterator[Need]:
    granting = f"{{namespace: {namespace}, name: {name}}} in {value}"
    for verb, use in (("get", "read its keys"), ("watch", "see a change of its keys at once")):
        yield Need(Right(verb, resource, group="", namespace=namespace, name=name), granting, use)


def installer_rights() -> tuple[Right, ...]:
    """Return the rights outside the release's namespace that `helm install` needs with the chart's defaults."""
    return (
        Right("create", "customresourcedefinitions", group="apiextensions.k8s.io"),
        *(Right("create", kind, group=_RBAC_GROUP) for kind in ("clusterroles", "clusterrolebindings")),
        *(Right("create", kind, group=_RBAC_GROUP, namespace=_DEFAULT) for kind in ("roles", "rolebindings")),
    )


def need_line(need: Need, *, allowed: bool) -> Line:
    """Make the line of a right of the operator; one that is missing names the chart's value that grants it."""
    check = described(need.right)
    if allowed:
        return Line(CheckResult.YES, check, f"allowed, to {need.use}")
    result = CheckResult.WARNING if need.optional else CheckResult.NO
    return Line(result, check, f"not allowed; needed to {need.use}", grant(check, need.value))


def installer_line(right: Right, *, allowed: bool) -> Line:
    """Make the line of a right of whoever installs."""
    check = described(right)
    if allowed:
        return Line(CheckResult.YES, check, "you may")
    advice = "Let somebody install who may, or have it allowed: the chart makes such an object."
    return Line(CheckResult.NO, check, "you may not", advice)


def described(right: Right) -> str:
    """Write a right with the object and the namespace it is about: `create serviceaccounts/token probe in default`."""
    if right.path:
        return f"{right.verb} {right.path}"
    resource = right.resource + (f"/{right.subresource}" if right.subresource else "")
    group = f".{right.group}" if right.group else ""
    name, namespace = (f" {right.name}" if right.name else ""), (f" in {right.namespace}" if right.namespace else "")
    return f"{right.verb} {resource}{group}{name}{namespace}"
