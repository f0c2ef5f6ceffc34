"""One client of each bucket, and its errors in words.

obstore does the transport: its puts are atomic, `mode="create"` is refused where the object exists,
and it repeats what a service refuses for a moment. Images are read by pyarrow instead, for the
reasons in `rolesynth_assets.images.places.buckets`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rolesynth_assets.errors import InputError
from rolesynth_assets.files.cloud_settings import (
    CONNECT_TIMEOUT_S,
    REQUEST_TIMEOUT_S,
    Location,
    is_loopback,
    is_set,
    location,
    s3_endpoint,
    s3_region,
    way_in,
)

if TYPE_CHECKING:
    from obstore.store import ObjectStore

RETRY_S = 60
"""How long a request is repeated that a service refuses for a moment or does not answer."""
_VARIABLES = re.compile(r"AWS_|GOOGLE_|AZURE_|ALLOW_HTTP$|HOME$")
_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|bucket does not exist", re.IGNORECASE)
_REFUSED = re.compile(
    r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|"
    r"\b40[13] (Forbidden|Unauthorized)|AuthenticationFailed|PERMISSION_DENIED|UNAUTHENTICATED"
)


class StorageError(OSError):
    """A bucket is missing, refuses access or does not answer; the message names it."""


class StorageRefusedError(StorageError):
    """A bucket may not be used with the given credentials."""


def open_object_store(url: str) -> ObjectStore:
    """Return the client of a bucket; below a prefix, where the URL has one.

    Args:
        url: `s3://bucket` or `s3://bucket/prefix`, or the same with gs or az.

    Raises:
        InputError: the URL has another form, or plain HTTP would leave this machine.
        StorageRefusedError: there are no credentials.
    """
    settings = frozenset(i for i in os.environ.items() if _VARIABLES.match(i[0]))
    return _open(location(url), settings)


def object_store_options(url: str) -> dict[str, str]:
    """Return what another client of the `object_store` family, such as Lance, needs beside the URL.

    Credentials are not among them: those clients read the same variables.

    Raises:
        InputError: see `open_object_store`.
    """
    if location(url).scheme != "s3":
        return {}
    options = {"aws_region": s3_region() or ("us-east-1" if s3_endpoint() else "")}
    if endpoint := s3_endpoint():
        options |= {"aws_endpoint": endpoint, "allow_http": str(_plain_http(endpoint)).lower()}
    if is_set("AWS_SKIP_SIGNATURE"):
        options["aws_skip_signature"] = "true"
    return {name: value for name, value in options.items() if value}


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn errors into `FileNotFoundError` for a missing object, or else a `StorageError`.

    What a conditional put raises (`AlreadyExistsError`, `PreconditionError`) is left as it is.
    """
    from obstore import exceptions as failed

    try:
        yield
    except (failed.AlreadyExistsError, failed.PreconditionError, failed.NotModifiedError):
        raise
    except FileNotFoundError as error:
        if _NO_BUCKET.search(str(error)):
            raise storage_error(url, str(error)) from None
        raise FileNotFoundError(2, "no such object", url) from None
    except (failed.PermissionDeniedError, failed.UnauthenticatedError) as error:
        raise _refused(url, str(error)) from None
    except failed.BaseError as error:
        raise storage_error(url, str(error)) from None


@lru_cache(maxsize=16)
def _open(place: Location, settings: frozenset[tuple[str, str]]) -> ObjectStore:
    from obstore.store import AzureStore, GCSStore, S3Store

    given: dict[str, Any] = {
        "prefix": place.key or None,
        "retry_config": {"retry_timeout": timedelta(seconds=RETRY_S)},
    }
    client: Any = {
        "connect_timeout": f"{CONNECT_TIMEOUT_S}s",
        "timeout": f"{REQUEST_TIMEOUT_S}s",
    }
    if place.scheme == "gs":
        if is_set("GOOGLE_SKIP_SIGNATURE"):
            given["config"] = {"skip_signature": True}
        return GCSStore(place.bucket, client_options=client, **given)
    if place.scheme == "az":
        return AzureStore(place.bucket, client_options=client, **given)
    config: Any = {"region": s3_region() or "us-east-1"}
    if endpoint := s3_endpoint():
        config["endpoint"] = endpoint
        client["allow_http"] = _plain_http(endpoint)
    if is_set("AWS_SKIP_SIGNATURE"):
        config["skip_signature"] = True
    elif not os.environ.get("AWS_ACCESS_KEY_ID"):
        given["credential_provider"] = _profile_or_role(place)
        if not s3_region() and (region := given["credential_provider"].config.get("region")):
            config["region"] = region
    return S3Store(place.bucket, config=config, client_options=client, **given)


def _profile_or_role(place: Location) -> Any:
    """Return the credentials of AWS's own chain: profile, web identity, container, machine."""
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return Boto3CredentialProvider()
    except Exception as error:  # botocore has many, such as a profile that does not exist
        raise _refused(place.url, str(error)) from None


def _plain_http(endpoint: str) -> bool:
    """Whether an endpoint asks for plain HTTP, which is taken on this machine or when allowed."""
    if not endpoint.startswith("http://"):
        return False
    if is_loopback(endpoint) or is_set("AWS_ALLOW_HTTP"):
        return True
    raise InputError(
        "AWS_ENDPOINT_URL begins with http://, so data would cross the network in plain text; "
        "use https://, or set AWS_ALLOW_HTTP=true if the network is your own."
    )


def _refused(url: str, said: str) -> StorageError:
    place = location(url)
    return StorageRefusedError(
        f"Access refused to bucket {place.bucket!r} ({url}); {way_in(place.scheme)}. {_short(said)}"
    )


def storage_error(url: str, said: str) -> StorageError:
    """Return a client's error as one that names the bucket and the way out."""
    place = location(url)
    where = f"bucket {place.bucket!r} ({url})"
    s3 = place.scheme == "s3"
    if _NO_BUCKET.search(said):
        also = ", and AWS_ENDPOINT_URL if it is not on AWS" if s3 else ""
        return StorageError(f"There is no {where}; check its name{also}.")
    if _REFUSED.search(said):
        return _refused(url, said)
    check = "the network, AWS_REGION and AWS_ENDPOINT_URL" if s3 else "the network"
    return StorageError(f"No answer from {where}; check {check}, then run it again. {_short(said)}")


def _short(said: str) -> str:
    """Return a client's message in one line of at most 300 characters."""
    line = " ".join(said.split("\n\nDebug source:")[0].split())
    return line if len(line) <= 300 else f"{line[:299]}…"
