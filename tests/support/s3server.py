"""Run a real S3 server (versitygw) over TLS, as the store and the public endpoint."""

from __future__ import annotations

import collections
import json
import os
import re
import secrets
import subprocess
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support import binaries
from tests.support.loopback import host_port, localhost_addresses
from tests.support.processes import Process, accepts_connections, free_port, https_origin
from tests.support.startable import Startable

if TYPE_CHECKING:
    from pathlib import Path

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

    from tests.support.pki import PKI

REGION: Final = "eu-central-1"
# One line of the access log, in the order of Amazon's format: ... requester id operation key URI status error ...
_LOG_LINE = re.compile(
    r"^\S+ (?P<bucket>\S+) \[[^\]]*\] \S+ (?P<requester>\S+) \S+ (?P<operation>\S+) (?P<key>\S+) \S+ (?P<status>\d+)"
)


class S3Server(Startable):
    """versitygw at a port of localhost, with a root user made for this run.

    With `address` it listens there instead, under the certificate of `host`, so that pods reach it too.
    """

    def __init__(
        self, folder: Path, pki: PKI, *, port: int | None = None, address: str | None = None, host: str | None = None
    ) -> None:
        self.folder = folder
        self.pki = pki
        self.port = port or free_port()
        self._address = address
        self._certificate = pki.serving(*([host, address] if host and address else []))
        self.access_key = f"root{secrets.token_hex(6)}"
        self.secret_key = secrets.token_hex(20)
        self._log = folder / "access.log"
        self._log_offset = 0
        for name in ("iam", "data"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.process = Process("versitygw", self._argv(), folder / "log", env=None)
        self.process.env |= {"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key}
        self.client = self.make_client()

    @property
    def endpoint_url(self) -> str:
        """The origin of the S3 API and of the public objects."""
        return https_origin(self.port) if self._address is None else f"https://{self._address}:{self.port}"

    @property
    def credentials(self) -> dict[str, str]:
        """The root user's credentials and region, as environment variables."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def public_url(self, bucket: str, prefix: str = "") -> str:
        """Return the URL under which everybody finds a bucket's objects, once reading is allowed."""
        return "/".join([self.endpoint_url, bucket, *([prefix] if prefix else [])])

    def start(self) -> None:
        """Start the server, with whatever it stored before, and wait until it listens."""
        self.process.start()
        self.process.wait_until(lambda: all(accepts_connections(address, self.port) for address in self._addresses()))

    def stop(self) -> None:
        """Kill the server; its objects stay."""
        self.client.close()
        self.process.kill()

    def restart(self) -> None:
        """Kill the server and start it again on the same port."""
        self.stop()
        self.start()

    def make_client(self, *, endpoint_url: str | None = None, **overrides: Any) -> S3Client:
        """Return a boto3 client of the root user, or of other credentials, or through another endpoint."""
        options: dict[str, Any] = {
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "region_name": REGION,
            "verify": str(self.pki.ca_file),
            "config": client_config(),
        }
        session = boto3.session.Session()
        client: S3Client = session.client("s3", endpoint_url=endpoint_url or self.endpoint_url, **(options | overrides))
        return client

    def create_bucket(self, name: str) -> str:
        """Create a private bucket and return its name."""
        self.client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def allow_anonymous_read(self, bucket: str, prefix: str = "") -> None:
        """Let everybody read the objects below a prefix."""
        self.set_policy(bucket, everybody_reads(bucket, prefix))

    def block_anonymous_read(self, bucket: str) -> None:
        """Remove the bucket's policy, so that anonymous readers get 403 again."""
        self.client.delete_bucket_policy(Bucket=bucket)

    def set_policy(self, bucket: str, *statements: dict[str, Any]) -> None:
        """Replace the bucket's policy; versitygw never applies one to the root user: refuse writes by `Edge.fail`."""
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        self.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    def create_user(self, access_key: str, secret_key: str) -> None:
        """Create a user without rights, to whom policies apply."""
        command = [str(binaries.find("versitygw")), "admin", "--access", self.access_key, "--secret", self.secret_key]
        command += ["--endpoint-url", self.endpoint_url, "--allow-insecure", "create-user"]
        command += ["--access", access_key, "--secret", secret_key, "--role", "user"]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"ADMIN_REGION": REGION})

    def put(self, bucket: str, key: str, body: bytes, **headers: Any) -> None:
        """Write an object as somebody else would, with any further arguments of PutObject."""
        self.client.put_object(Bucket=bucket, Key=key, Body=body, **headers)

    def get(self, bucket: str, key: str) -> bytes | None:
        """Return an object's bytes, None where there is none."""
        found = self.get_object(bucket, key)
        return None if found is None else found["Body"].read()

    def get_object(self, bucket: str, key: str) -> GetObjectOutputTypeDef | None:
        """Return an object with its headers and metadata, None where there is none."""
        try:
            return self.client.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object."""
        self.client.delete_object(Bucket=bucket, Key=key)

    def keys(self, bucket: str) -> list[str]:
        """Return the keys of all objects of a bucket, sorted."""
        return sorted(item["Key"] for item in self.client.list_objects_v2(Bucket=bucket).get("Contents", []))

    def forget_requests(self) -> None:
        """Begin to count anew."""
        self._log_offset = self._log.stat().st_size if self._log.exists() else 0

    def requests(self, bucket: str | None = None) -> collections.Counter[str]:
        """Count requests by S3 operation (`PutObject`, `GetObject`, ...) since the last `forget_requests`."""
        text = self._log.read_bytes()[self._log_offset :].decode() if self._log.exists() else ""
        lines = (_LOG_LINE.match(line) for line in text.splitlines())
        chosen = (line for line in lines if line and bucket in (None, line["bucket"]))
        return collections.Counter(line["operation"].removeprefix("s3_") for line in chosen)

    def writes(self, bucket: str | None = None) -> int:
        """Count attempts to write or delete objects since the last `forget_requests`, refused ones too."""
        counted = self.requests(bucket)
        return counted["PutObject"] + counted["DeleteObject"] + counted["DeleteObjects"]

    def _addresses(self) -> list[str]:
        return list(localhost_addresses()) if self._address is None else [self._address]

    def _argv(self) -> list[str | Path]:
        return [
            binaries.find("versitygw"),
            *(f"--port={host_port(address, self.port)}" for address in self._addresses()),
            f"--cert={self._certificate.chain_file}",
            f"--key={self._certificate.key_file}",
            f"--region={REGION}",
            f"--iam-dir={self.folder / 'iam'}",
            f"--access-log={self._log}",
            "--iam-cache-disable",
            "--quiet",
            "posix",
            self.folder / "data",
        ]


def client_config() -> Config:
    """How a client speaks to a server that is not Amazon's."""
    # With botocore's default checksums an S3-compatible server stores objects as aws-chunked and serves them so.
    return Config(
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=2,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 2},
        s3={"addressing_style": "path"},
    )


def everybody_reads(bucket: str, prefix: str) -> dict[str, Any]:
    """The statement of a policy that lets everybody read the objects below a prefix."""
    resource = f"arn:aws:s3:::{bucket}/{prefix}*"
    return {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"], "Resource": resource}
