"""Every known text, one module a party; a text is known once."""

from __future__ import annotations

from oidc_publisher.relyingparties.texts.known.aws import AWS
from oidc_publisher.relyingparties.texts.known.awssdks import AWSSDKS
from oidc_publisher.relyingparties.texts.known.elsewhere import ELSEWHERE
from oidc_publisher.relyingparties.texts.known.entra import ENTRA
from oidc_publisher.relyingparties.texts.known.golang import GOLANG
from oidc_publisher.relyingparties.texts.known.googlecloud import GOOGLECLOUD
from oidc_publisher.relyingparties.texts.known.javaanddotnet import JAVAANDDOTNET
from oidc_publisher.relyingparties.texts.known.kubelet import KUBELET
from oidc_publisher.relyingparties.texts.known.kubernetesapi import KUBERNETESAPI
from oidc_publisher.relyingparties.texts.known.node import NODE
from oidc_publisher.relyingparties.texts.known.python import PYTHON
from oidc_publisher.relyingparties.texts.known.vault import VAULT
from oidc_publisher.relyingparties.texts.knowntext import KnownText

KNOWN: tuple[KnownText, ...] = (
    *AWS,
    *AWSSDKS,
    *GOOGLECLOUD,
    *ENTRA,
    *KUBERNETESAPI,
    *KUBELET,
    *VAULT,
    *GOLANG,
    *PYTHON,
    *NODE,
    *JAVAANDDOTNET,
    *ELSEWHERE,
)
