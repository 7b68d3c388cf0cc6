"""Known texts of the kubelet, and of kube-apiserver about the kubelet."""

from __future__ import annotations

from oidc_publisher.relyingparties.texts.knowntext import KnownText
from oidc_publisher.relyingparties.texts.knowntext import RefusalCause as Cause
from oidc_publisher.relyingparties.texts.knowntext import SettlingCheck as Check

KUBELET = (
    KnownText(
        name="kubelet-no-endpoints",
        party="kubelet",
        text="the API server does not have TokenRequest endpoints enabled",
        causes=(Cause.FLAG,),
        checks=(Check.FLAGS,),
        meaning="The API server has no issuer or no signing key configured.",
        advice="Set --service-account-issuer and --service-account-signing-key-file.",
        sources=("https://github.com/dapr/dapr/issues/6568",),
        verify_for="kubernetes",
    ),
    KnownText(
        name="kubelet-no-resource",
        party="kubelet",
        text="failed to fetch token: the server could not find the requested resource",
        causes=(Cause.FLAG,),
        checks=(Check.FLAGS,),
        meaning="Older words for an API server without an issuer or a signing key.",
        advice="Set --service-account-issuer and --service-account-signing-key-file.",
        sources=("https://github.com/kubernetes/kubernetes/issues/87147",),
        verify_for="kubernetes",
    ),
    KnownText(
        name="kubelet-volume-audience",
        party="kube-apiserver (NodeRestriction)",
        text="not found in pod spec volume",
        causes=(Cause.AUDIENCE,),
        checks=(Check.AUDIENCE,),
        meaning="A kubelet asks, for a CSI driver or a credential provider, for an audience that the pod does not name.",
        advice="Grant the verb request-serviceaccounts-token-audience, or name the audience in the CSIDriver's tokenRequests. A dummy volume is no cure.",
        sources=("https://github.com/kubernetes/kubernetes/issues/139046",),
        verify_for="kubernetes",
    ),
    KnownText(
        name="kubelet-token-audience",
        party="kube-apiserver (NodeRestriction)",
        text="is not authorized to request tokens for audience",
        causes=(Cause.AUDIENCE,),
        checks=(Check.AUDIENCE,),
        meaning="A kubelet asks for an audience that the pod does not name: the words since Kubernetes 1.37.",
        advice="Grant the verb request-serviceaccounts-token-audience, or name the audience in the CSIDriver's tokenRequests.",
        sources=("https://github.com/kubernetes/kubernetes/issues/139046",),
        verify_for="kubernetes",
    ),
    KnownText(
        name="kubelet-no-relationship",
        party="kubelet",
        text="no relationship found between node '{any}' and this object",
        causes=(Cause.FLAG,),
        checks=(Check.CONTAINER,),
        meaning="It is transient while the node graph of a restarted API server fills, but the token file may stay old for hours.",
        advice="Compare `exp` of the file with the time; restart the pod if it has passed.",
        sources=("https://github.com/kubernetes/kubernetes/issues/138689",),
        verify_for="kubernetes",
    ),
    KnownText(
        name="kubelet-refresh-failed",
        party="kubelet",
        text="expired and refresh failed",
        causes=(Cause.TIME,),
        checks=(
            Check.CONTAINER,
            Check.TIME,
        ),
        meaning="The kubelet could not refresh a token until its `exp` passed: every relying party will refuse it now.",
        advice="Find out why TokenRequest fails on this node first; the kubelet's log has the cause before this line.",
        sources=("https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/kubelet/token/token_manager.go",),
        verify_for="kubernetes",
    ),
)
