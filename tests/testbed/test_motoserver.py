"""moto behaves as AWS where the operator depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.support.motoserver import ACCOUNT

if TYPE_CHECKING:
    from tests.support.motoserver import MotoServer

pytestmark = pytest.mark.live


def test_conditional_writes_are_enforced(moto: MotoServer) -> None:
    """If-None-Match and If-Match refuse a write that would overwrite what the writer has not seen."""
    bucket, s3 = moto.create_bucket("conditional"), moto.make_client("s3")
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"00000000000000000000000000000000"'}):
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket=bucket, Key="k", Body=b"2", **condition)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=first["ETag"])


def test_a_reset_forgets_everything(moto: MotoServer) -> None:
    """A test that needs an empty cloud can have one."""
    moto.create_bucket("forgotten")
    moto.reset()
    assert moto.make_client("s3").list_buckets()["Buckets"] == []


def test_a_web_identity_is_exchanged_for_credentials(moto: MotoServer) -> None:
    """STS answers with credentials of the role that was asked for; it verifies nothing."""
    role = f"arn:aws:iam::{ACCOUNT}:role/publisher"
    answer = moto.make_client("sts").assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="one", WebIdentityToken="a.b.c"
    )
    assert answer["AssumedRoleUser"]["Arn"].endswith("assumed-role/publisher/one")
