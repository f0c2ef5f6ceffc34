"""The settings of clouds as their own tools name them: variables of the environment, no URL's part.

AWS_ACCESS_KEY_ID and its companions, a profile or the machine's role; AWS_ENDPOINT_URL (or
AWS_ENDPOINT_URL_S3) names another S3 service; AWS_SKIP_SIGNATURE=true asks without credentials.
GOOGLE_APPLICATION_CREDENTIALS. AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or another
way that Azure's tools know.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from rolesynth_assets.errors import InputError

SCHEMES = {"s3": "s3", "gs": "gs", "az": "az", "abfs": "az", "gcs": "gs"}
"""The schemes of URLs, and the one that each of them is written as."""
CONNECT_TIMEOUT_S, REQUEST_TIMEOUT_S = 10, 60
_TRUE = {"1", "true", "yes"}
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_WAYS_OUT = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to credentials that "
    "may {do} it",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS to credentials that may {do} it",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY to credentials that may "
    "{do} it",
}
_PUBLIC = {
    "s3": ", or AWS_SKIP_SIGNATURE=true if it is public",
    "gs": ", or GOOGLE_SKIP_SIGNATURE=true if it is public",
    "az": ", or AZURE_SKIP_SIGNATURE=true if it is public",
}


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket, and the prefix or object in it.

    Attributes:
        scheme: `s3`, `gs` or `az`.
        bucket: the bucket's name; Azure calls it a container.
        key: without slashes at either end; empty for the bucket itself.
    """

    scheme: str
    bucket: str
    key: str

    @property
    def url(self) -> str:
        """The URL, without a slash at the end."""
        return f"{self.scheme}://{self.bucket}/{self.key}".rstrip("/")


def location(url: str) -> Location:
    """Take a URL apart.

    Raises:
        InputError: it has another form; the message repeats no part that may be a key.
    """
    scheme, separator, path = url.partition("://")
    bucket, _, key = path.partition("/")
    if not separator or scheme not in SCHEMES:
        raise InputError(f"{scheme}:// is no bucket; give s3://, gs:// or az://, or a folder.")
    written = SCHEMES[scheme]
    parts = [part for part in key.split("/") if part]
    if not _BUCKET.fullmatch(bucket) or "?" in key or "#" in key or {".", ".."} & {*parts}:
        raise InputError(
            f"A URL is {written}://bucket/prefix, without keys, options or `..`; those belong in "
            f"the environment: {way_in(written)}."
        )
    return Location(written, bucket, "/".join(parts))


def way_in(scheme: str, do: str = "read and write") -> str:
    """Return how a user gives credentials for a cloud, as a part of a sentence."""
    way = _WAYS_OUT[scheme].format(do=do)
    return way if "write" in do else way + _PUBLIC[scheme]


def s3_endpoint() -> str | None:
    """Return the URL of the S3 service; None for Amazon's own."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def s3_region() -> str | None:
    """Return the region that the environment names."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None


def is_set(variable: str) -> bool:
    """Whether a variable of the environment says yes."""
    return os.environ.get(variable, "").lower() in _TRUE


def is_loopback(endpoint: str) -> bool:
    """Whether a service is on this machine, where plain HTTP is safe."""
    host = endpoint.partition("://")[2].partition("/")[0].rpartition("@")[2]
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name in {"localhost", "::1"} or re.fullmatch(r"127(\.\d{1,3}){3}", name) is not None
