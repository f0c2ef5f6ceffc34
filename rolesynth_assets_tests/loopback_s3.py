"""An S3 service on loopback (moto's server), and a bucket in it."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

SECRET = "loopback-secret"
KEY = "loopback-key"


@dataclass(frozen=True)
class LoopbackS3:
    """The service's address and a client of it.

    Attributes:
        client: boto3's.
        endpoint: `http://127.0.0.1:PORT`.
        server: werkzeug's, whose `app` answers the requests.
    """

    client: Any
    endpoint: str
    server: Any

    def fill(self, bucket: str, objects: Mapping[str, bytes]) -> str:
        """Make a bucket of these objects alone and return its URL."""
        self.client.create_bucket(Bucket=bucket)
        for old in self.client.list_objects_v2(Bucket=bucket).get("Contents", ()):
            self.client.delete_object(Bucket=bucket, Key=old["Key"])
        for key, body in objects.items():
            self.put(bucket, key, body)
        return f"s3://{bucket}"

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def delete(self, bucket: str, key: str) -> None:
        self.client.delete_object(Bucket=bucket, Key=key)

    def set_environment(self, patch: pytest.MonkeyPatch) -> None:
        """Point the library at the service, with its keys and no one else's."""
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_SKIP_SIGNATURE"):
            patch.delenv(name, raising=False)
        for name, value in {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            patch.setenv(name, value)


@contextmanager
def loopback_s3() -> Iterator[LoopbackS3]:
    """Run the service; what is stored goes with it."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line a request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
        yield LoopbackS3(client, endpoint, server._server)
    finally:
        server.stop()
