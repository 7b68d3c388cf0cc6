"""Define spec.keySources, which names where the public keys of the cluster are read."""

import re
from typing import Annotated

import re2
from pydantic import Field

from oidc_publisher.api.celrules import ListType, Rule, matches
from oidc_publisher.api.common import NO_PRIVATE_KEY, PORT, APIModel, Label, ObjectName, has_dot_segment


def _is_regular_expression(pattern: str) -> bool:
    # RE2 has the syntax of the API server, whose rule in CEL is the same. Go has no memory limit, C++ has 8 MiB.
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error:
        return False
    return True


EntryPatternText = Annotated[
    str,
    Field(min_length=1, max_length=253),
    Rule("!self.contains('(?<')", "name a group as (?P<version>...), not (?<version>...)", lambda v: "(?<" not in v),
    NO_PRIVATE_KEY,
    Rule(
        "''.matches(self) || !''.matches(self)",
        "must be a regular expression (RE2 syntax), of at most 8 MiB once it is compiled",
        _is_regular_expression,
        silent=True,  # the rule is true or fails to evaluate, and then only the regex compiler's message is shown
    ),
]

#: Link-local addresses as people write them. At the socket the operator refuses them in any form and behind any name.
_LINK_LOCAL = r"^(169\.254\.|\[[Ff][Ee][89ABab])"

ServerAddress = Annotated[
    str,
    Field(min_length=3, max_length=261),
    matches(
        rf"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):{PORT}$",
        "must be HOST:PORT or [IPv6]:PORT with a port up to 65535 and no scheme",
    ),
    Rule(
        rf"!self.matches(r'{_LINK_LOCAL}')",
        "must not be a link-local address, where clouds keep their metadata and no cluster its API servers",
        lambda v: re.match(_LINK_LOCAL, v) is None,
    ),
]


class KubeconfigSecretSpec(APIModel):
    """The Secret with the kubeconfig of a remote cluster."""

    namespace: Label
    """Namespace of the Secret."""
    name: ObjectName
    """Name of the Secret. The operator needs a Role that lets it get and watch this one object."""
    key: Annotated[
        str,
        Field(min_length=1, max_length=253),
        matches("^[-._a-zA-Z0-9]+$", "must be the name of an entry: letters, digits, -, _ and ."),
    ] = "value"
    """The entry of the Secret that holds the kubeconfig. Cluster API calls it value."""


class ProbeServiceAccountSpec(APIModel):
    """The ServiceAccount of a remote cluster for which tokens are minted as proof."""

    namespace: Label
    """Namespace of the ServiceAccount, in the remote cluster."""
    name: ObjectName
    """Name of the ServiceAccount. It needs no rights, and nothing else should use it."""


class APIServerSourceSpec(APIModel):
    """The key set that every API server of a cluster serves; the member can be empty, as in `apiServer: {}`.

    The tokens that prove the issuer are minted through the same endpoints, so an issuer without this source is proven
    without a token.
    """

    rules = (
        Rule(
            "has(self.kubeconfigSecret) == has(self.probeServiceAccount)",
            "kubeconfigSecret and probeServiceAccount go together: name the ServiceAccount of the remote cluster that tokens "
            "are minted for (that of the operator's own cluster is named with --probe-service-account)",
            lambda s: (s.kubeconfig_secret is None) == (s.probe_service_account is None),
        ),
    )

    addresses: Annotated[tuple[ServerAddress, ...], Field(min_length=1, max_length=16), ListType("set")] | None = None
    """API servers to read, each as HOST:PORT or [IPv6]:PORT. When absent, these are all ready endpoints in the
    EndpointSlices of the Service default/kubernetes. Name the API servers where a load balancer hides them. The
    cluster's CA has to issue each one's certificate, for kubernetes.default.svc or a name that --api-server-name of the
    operator allows."""
    kubeconfig_secret: KubeconfigSecretSpec | None = None
    """The Secret with the kubeconfig of the remote cluster whose keys and tokens these are, such as a hosted control
    plane. When absent, the cluster is the one that the operator runs in. The kubeconfig has to hold its CA and its
    credentials itself: no credential plugins, no files, no proxy, no unverified server. Whoever may write to the Secret
    can forge every identity of this issuer."""
    probe_service_account: ProbeServiceAccountSpec | None = None
    """The ServiceAccount of the remote cluster for which tokens are minted as proof. It goes with kubeconfigSecret, and
    only with it."""


class ConfigMapSourceSpec(APIModel):
    """PEM public keys in the entries of a ConfigMap, such as the one in which OpenShift publishes them."""

    namespace: Label
    """Namespace of the ConfigMap."""
    name: ObjectName
    """Name of the ConfigMap. The operator needs a Role that lets it get and watch this one object."""
    entry_pattern: EntryPatternText = ".*"
    """RE2 expression for the entries to read, which has to match an entry's whole name. The group
    (?P<version>[0-9]+), if there is one, captures the version of the key, as in
    `service-account-(?P<version>[0-9]+)\\.pub`."""


class SecretSourceSpec(APIModel):
    """PEM public keys or certificates in the entries of a Secret.

    An entry that holds a private key is never used, so the pattern has to single out the public ones.
    """

    namespace: Label
    """Namespace of the Secret."""
    name: ObjectName
    """Name of the Secret. The operator needs a Role that lets it get and watch this one object."""
    entry_pattern: EntryPatternText
    """RE2 expression for the entries to read; it has to match an entry's whole name, and must be given. The group
    (?P<version>[0-9]+), if there is one, captures the version of the key."""


class FilesSourceSpec(APIModel):
    """PEM public keys in files of a folder that is mounted into the operator's container."""

    directory: Annotated[
        str,
        Field(min_length=1, max_length=512),
        Rule(
            "self.startsWith('/') && !self.matches(r'/[.]{1,2}(/|$)')",
            "must be an absolute path without . or .. segments",
            lambda v: v.startswith("/") and not has_dot_segment(v),
        ),
    ]
    """Absolute path of the folder, which has to lie below the folder that --key-files-root of the operator names."""
    entry_pattern: EntryPatternText = r".*\.pub"
    """RE2 expression for the files to read; it has to match a file's whole name. The group (?P<version>[0-9]+), if
    there is one, captures the version of the key."""


class KeySourceSpec(APIModel):
    """A source of public keys of the cluster: a name and exactly one of the other members."""

    rules = (
        Rule(
            "[has(self.apiServer), has(self.configMap), has(self.secret), has(self.files)].exists_one(x, x)",
            "exactly one of apiServer, configMap, secret and files must be set (for the API server write "
            "`apiServer: {}`)",
            lambda s: sum(m is not None for m in (s.api_server, s.config_map, s.secret, s.files)) == 1,
        ),
    )

    name: Label = "default"
    """Name of this source in the status, in metrics and in messages."""
    api_server: APIServerSourceSpec | None = None
    """Read the key set of every API server of the cluster; `apiServer: {}` suffices. Tokens are minted through the same
    endpoints to prove the issuer. With kubeconfigSecret it is a remote cluster."""
    config_map: ConfigMapSourceSpec | None = None
    """Read the entries of a ConfigMap. Anybody who may write to the ConfigMap can forge every identity of this
    issuer."""
    secret: SecretSourceSpec | None = None
    """Read the entries of a Secret. Anybody who may write to the Secret can forge every identity of this issuer."""
    files: FilesSourceSpec | None = None
    """Read files that are mounted into the operator, such as /etc/kubernetes/pki of a control plane node."""

    @property
    def selected(self) -> APIServerSourceSpec | ConfigMapSourceSpec | SecretSourceSpec | FilesSourceSpec:
        """The member that is set."""
        for member in (self.api_server, self.config_map, self.secret, self.files):
            if member is not None:
                return member
        raise AssertionError("a rule of this model says that one is set")


#: The key sources of a spec that names none.
DEFAULT_KEY_SOURCES = (KeySourceSpec(name="default", api_server=APIServerSourceSpec()),)


def _name_one_cluster(sources: tuple[KeySourceSpec, ...]) -> bool:
    servers = [s.api_server for s in sources if s.api_server is not None]
    return len({(s.kubeconfig_secret, s.probe_service_account) for s in servers}) <= 1


def _same(member: str) -> str:
    """Return the CEL rule that the apiServer members of `a` and `b` have the same optional member, or both have none."""
    of_a, of_b = f"a.apiServer.{member}", f"b.apiServer.{member}"
    return f"(has({of_a}) ? has({of_b}) && {of_a} == {of_b} : !has({of_b}))"


KeySources = Annotated[
    tuple[KeySourceSpec, ...],
    Field(min_length=1, max_length=16),
    ListType("atomic"),
    Rule(
        "self.all(a, self.exists_one(b, b.name == a.name))",
        "every source needs a name of its own (a source without a name is called default)",
        lambda sources: len({s.name for s in sources}) == len(sources),
    ),
    Rule(
        "self.all(a, !has(a.apiServer) || self.all(b, !has(b.apiServer) || "
        f"({_same('kubeconfigSecret')} && {_same('probeServiceAccount')})))",
        "all apiServer sources of one issuer must name the same cluster: the same kubeconfigSecret and the same "
        "probeServiceAccount, or neither",
        _name_one_cluster,
    ),
]


def remote_cluster(sources: tuple[KeySourceSpec, ...]) -> APIServerSourceSpec | None:
    """Return the apiServer source that names the remote cluster of an issuer, None where it reads the operator's own."""
    servers = (s.api_server for s in sources if s.api_server is not None)
    return next((s for s in servers if s.kubeconfig_secret is not None), None)
