"""Learn whom the operator's credentials belong to. The calls block; stores/s3/store.py runs them in a thread."""

from __future__ import annotations

from oidc_publisher.stores.s3.clients import S3Clients
from oidc_publisher.stores.s3.endpoint import S3Call, S3Endpoint
from oidc_publisher.stores.s3.errors import translated


def caller(clients: S3Clients, endpoint: S3Endpoint, call: S3Call) -> str:
    """Return the ARN that STS knows the credentials by, or the access key for a server that is not Amazon's.

    GetCallerIdentity needs no permission. Other servers have no STS of Amazon's, and know access keys alone.
    """
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415 - clouds are imported only when used

    with translated(call):
        session = clients.session()
        credentials = session.core.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        if not endpoint.is_amazon:
            return f"access key {credentials.get_frozen_credentials().access_key} ({credentials.method})"
        answer = session.boto.client("sts", region_name=endpoint.region).get_caller_identity()
        return str(answer["Arn"])
