"""Texts that wrap an error and say nothing by themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WrapperText:
    """A WrapperText is said by `party` round the error that it reports; `text` is literal."""

    name: str
    party: str
    text: str


WRAPPERS = (
    WrapperText("wrapper-go-credentials", "aws-sdk-go", "failed to retrieve credentials"),
    WrapperText("wrapper-go-refresh", "aws-sdk-go", "failed to refresh cached credentials"),
    WrapperText("wrapper-botocore", "botocore", "when calling the AssumeRoleWithWebIdentity operation"),
    WrapperText("wrapper-actions", "configure-aws-credentials", "Could not assume role with OIDC"),
    WrapperText("wrapper-google-code", "google-auth", "Error code invalid_grant"),
    WrapperText("wrapper-google-refresh", "google-auth", "google.auth.exceptions.RefreshError"),
    WrapperText("wrapper-google-go", "Google's libraries for Go", "oauth2/google: status code 400"),
    WrapperText(
        "wrapper-google-admission",
        "GitHub's action for Google Cloud",
        "failed to generate Google Cloud federated token",
    ),
    WrapperText(
        "wrapper-google-impersonation", "GitHub's action for Google Cloud", "Failed to generate OAuth 2.0 Access Token"
    ),
    WrapperText("wrapper-msal", "MSAL for Go", "FromAssertion(): http call("),
    WrapperText("wrapper-kubelet-mount", "kubelet", "MountVolume.SetUp failed"),
    WrapperText("wrapper-kubelet-fetch", "kubelet", "failed to fetch token:"),
    WrapperText("wrapper-kube-request", "kube-apiserver", "Unable to authenticate the request"),
    WrapperText("wrapper-kube-bearer", "kube-apiserver", "invalid bearer token"),
    WrapperText("wrapper-vault-token", "Vault", "error validating token:"),
    WrapperText("wrapper-vault-claims", "Vault", "error validating claims:"),
    WrapperText("wrapper-goidc-token", "go-oidc", "oidc: verify token:"),
    WrapperText("wrapper-goidc-signature", "go-oidc", "failed to verify signature:"),
    WrapperText("wrapper-spring", "Spring Security", "An error occurred while attempting to decode the Jwt:"),
    WrapperText("wrapper-openidconnect-rs", "openidconnect for Rust", "Validation error:"),
    WrapperText("wrapper-invalid-grant", "Google STS", '"error": "invalid_grant"'),
)
