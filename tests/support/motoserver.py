"""Run moto's server: a second implementation of S3, and the only CloudFront and STS that run on loopback.

It is never the public endpoint of an issuer, because it answers anonymous requests for `.well-known` with a document of
Cognito. It accepts any secret, any expected bucket owner and any bucket policy.
"""

from __future__ import annotations

import contextlib
import http.client
import sys
from pathlib import Path
from typing import Any, Final

import botocore.session
from botocore.config import Config

from tests.support.processes import Process, accepts_connections, free_port
from tests.support.startable import Startable

REGION: Final = "eu-central-1"
ACCOUNT: Final = "123456789012"  # moto's own


class MotoServer(Startable):
    """moto on a loopback port over plain HTTP; what it keeps is in memory, so a restart forgets everything."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.port = port or free_port()
        program = Path(sys.executable).with_name("moto_server")
        self.process = Process("moto", [program, "--host", "127.0.0.1", "--port", str(self.port)], folder / "log")

    @property
    def endpoint_url(self) -> str:
        """The origin of every AWS API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def credentials(self) -> dict[str, str]:
        """Credentials and region, as environment variables; moto takes any."""
        return {
            "AWS_ACCESS_KEY_ID": "AKIAMOTOMOTOMOTOMOTO",
            "AWS_SECRET_ACCESS_KEY": "moto",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def start(self) -> None:
        """Start the server, which remembers nothing, and wait until it listens."""
        self.process.start()
        self.process.wait_until(lambda: accepts_connections("127.0.0.1", self.port))

    def stop(self) -> None:
        """Kill the server."""
        self.process.kill()

    def reset(self) -> None:
        """Forget every bucket, distribution and role."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            connection.request("POST", "/moto-api/reset")
            connection.getresponse().read()

    def make_client(self, service: str) -> Any:
        """Return botocore's client of an AWS service, for what a test sets up or looks at."""
        return botocore.session.get_session().create_client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.credentials["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def create_bucket(self, name: str) -> str:
        """Create a bucket and return its name."""
        self.make_client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name
