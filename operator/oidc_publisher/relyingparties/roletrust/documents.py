"""Tell which document says what a role trusts, and judge a token by it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import yaml

from oidc_publisher.relyingparties.roletrust.awspolicy import judge_policy
from oidc_publisher.relyingparties.roletrust.federatedcredential import judge_credentials
from oidc_publisher.relyingparties.roletrust.googleprovider import judge_condition, judge_provider
from oidc_publisher.relyingparties.roletrust.judged import NoRoleTrustError, Presented, RoleTrust

MAX_ROLE_TRUST_BYTES = 64 * 1024
_NONE_OF_THEM = (
    "is no trust policy of an IAM role (JSON), no provider or attribute condition of Google Cloud, and no federated"
    " credential of Entra"
)
#: The members by which YAML is known as one of the documents.
_MEMBERS = frozenset(
    {"Role", "AssumeRolePolicyDocument", "Statement", "attributeCondition", "attributeMapping", "oidc", "issuer"}
)
#: An attribute condition names one of these; other text is not taken for one.
_NAMES_OF_CEL = ("assertion", "google.", "attribute.")


def judge_role_trust(data: bytes, token: Presented) -> RoleTrust:
    """Judge a token by a document, which may be as the clouds' command lines write it.

    Raises:
        NoRoleTrustError: the bytes are no such document. The message repeats nothing of it.
    """
    if len(data) > MAX_ROLE_TRUST_BYTES:
        raise NoRoleTrustError("is longer than any trust policy")
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise NoRoleTrustError("is a binary file") from None
    if "PRIVATE KEY" in text:
        raise NoRoleTrustError("holds a private key; nothing of it was used")
    value = _read(text)
    if isinstance(value, str):
        return _condition(text, token)
    if isinstance(value, dict):
        return _of_object(value, token)
    if isinstance(value, list) and value and all(map(_is_credential, value)):
        return judge_credentials(value, token)
    raise NoRoleTrustError(_NONE_OF_THEM)


def _read(text: str) -> Any:
    if text.startswith("%7B"):  # the raw API of IAM escapes the policy
        text = unquote(text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError, TypeError):
        return text  # PyYAML raises the last three for a value that its tag does not fit
    known = isinstance(value, list) or (isinstance(value, dict) and _MEMBERS & value.keys())
    return value if known else text  # CEL with a colon in it is an object in YAML


def _condition(text: str, token: Presented) -> RoleTrust:
    if not any(name in text for name in _NAMES_OF_CEL):
        raise NoRoleTrustError(_NONE_OF_THEM)
    return judge_condition(text, token)


def _of_object(value: Mapping[str, Any], token: Presented) -> RoleTrust:
    role = value.get("Role")  # as `aws iam get-role` writes it
    inner = role.get("AssumeRolePolicyDocument") if isinstance(role, dict) else value.get("AssumeRolePolicyDocument")
    policy = _read(inner) if isinstance(inner, str) else inner
    if isinstance(policy, dict):
        return judge_policy(policy, token)
    if "Statement" in value:
        return judge_policy(value, token)
    if {"attributeCondition", "attributeMapping", "oidc"} & value.keys():
        return judge_provider(value, token)
    if _is_credential(value):
        return judge_credentials((value,), token)
    raise NoRoleTrustError(_NONE_OF_THEM)


def _is_credential(value: Any) -> bool:
    return (
        isinstance(value, dict) and "issuer" in value and bool({"subject", "claimsMatchingExpression"} & value.keys())
    )
