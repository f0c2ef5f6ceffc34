"""Objects in buckets of S3 or Google Cloud Storage, which are opened by URL.

Credentials come from where the vendor's own tools look, see
`rolesynth_assets.files.cloud_settings`. A URL holds none.

obstore 0.12 would not do instead of pyarrow: one key with an empty part (`a//b`) or a part `.`
stops its listing of a whole bucket, and it reports a refused or missing bucket as a `GenericError`
when it lists. A data root, whose keys are our own, is read and written by obstore.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import IO

from pyarrow import NativeFile, fs

from rolesynth_assets.files.cloud_settings import (
    CONNECT_TIMEOUT_S,
    REQUEST_TIMEOUT_S,
    is_set,
    s3_endpoint,
    s3_region,
    way_in,
)
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.descriptor import is_url

CHUNK_BYTES = 8 * 2**20  # of a tar or table per request, so that latency is a small part
READS_AT_ONCE = 8  # an object takes two round trips of some 20 ms each, whatever its size
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NO_BUCKET = re.compile(r"AWS Error NO_SUCH_BUCKET|[Bb]ucket does not exist|Bucket '\S+' not found")
_REFUSED = re.compile(
    r"AWS Error \w*(ACCESS_DENIED|ACCESS_KEY|SIGNATURE|TOKEN)|HTTP status 40[13]|provided token|"
    r"PERMISSION_DENIED|UNAUTHENTICATED"
)
_SCHEMES = ("s3", "gs")
_MAY = "list and read"


class BucketError(RuntimeError):
    """A bucket is missing, refuses access or does not answer; the message names it.

    It stops the reader, since an object that could not be requested may still exist.
    """


class AccessRefusedError(BucketError):
    """A bucket or an object may not be read with the given credentials."""


class Bucket:
    """A bucket, and the prefix or object in it that a URL names; threads may share it.

    The part after the bucket's name is used literally: it has no escapes and no query.
    """

    def __init__(self, url: str) -> None:
        """Parse the URL; at most one request is sent, for the bucket's region.

        Args:
            url: `s3://bucket`, `s3://bucket/prefix`, `s3://bucket/object`, or the same with gs.

        Raises:
            ValueError: the URL has another form.
            BucketError: the bucket's region cannot be determined.
        """
        self.scheme, _, path = url.partition("://")
        self.name, _, key = path.partition("/")
        if self.scheme not in _SCHEMES:
            raise ValueError(f"{self.scheme}:// cannot be read; give a path, s3:// or gs://.")
        if not _BUCKET.fullmatch(self.name):  # it may contain a key, so the message omits it
            raise ValueError(
                f"A URL is {self.scheme}://bucket/prefix, without keys or options; those belong "
                f"in the environment: {way_in(self.scheme, _MAY)}."
            )
        self.url = f"{self.scheme}://{self.name}/{key}".rstrip("/")
        self._exists = False
        try:
            self._files = _s3(self.name) if self.scheme == "s3" else _gs()
        except OSError as error:
            raise self._error(self.url, str(error)) from None

    def listing(self) -> list[tuple[str, float]]:
        """List the objects below the prefix with the times of their last writes, sorted by URL.

        Returns:
            (URL, seconds since the epoch); the list takes a little under 1 kB of memory an object.

        Raises:
            FileNotFoundError: no object is below the prefix.
            BucketError: the bucket cannot be listed.
        """
        with self._explained(self.url):
            found = self._files.get_file_info(fs.FileSelector(self._path(self.url), recursive=True))
        return sorted(
            (f"{self.scheme}://{info.path}", info.mtime.timestamp())
            for info in found
            if info.type == fs.FileType.File
        )

    def written(self) -> float:
        """Return the time of the last write of the URL's object, in seconds since the epoch.

        Raises:
            FileNotFoundError: the object does not exist.
            BucketError: the object cannot be requested.
        """
        with self._explained(self.url):
            info = self._files.get_file_info(self._path(self.url))
            if info.type != fs.FileType.File:
                raise FileNotFoundError
        return info.mtime.timestamp()

    @contextmanager
    def open(self, url: str) -> Iterator[IO[bytes]]:
        """Open an object of the bucket, which is read in chunks of `CHUNK_BYTES`.

        Raises:
            FileNotFoundError: the object does not exist.
            BucketError: the object cannot be requested, or was replaced during the reading.
        """
        with self._opened(url) as file:
            before = file.metadata()  # includes its ETag
            yield io.BufferedReader(_Raw(self, url, file), CHUNK_BYTES)
            with self._opened(url) as now:
                if now.metadata() != before:
                    raise BucketError(f"{url} was replaced while it was read; read it again.")

    def read(self, url: str, max_bytes: int) -> bytes | Reject:
        """Read a whole object of at most `max_bytes`, or return a reject.

        Raises:
            BucketError: the object cannot be requested.
        """
        try:
            with self._opened(url) as file, self._explained(url):
                if file.size() <= max_bytes:
                    return file.read()
        except FileNotFoundError as gone:
            return Reject(RejectReason.SOURCE_MISSING, gone.strerror or "gone")
        return Reject(RejectReason.TOO_MANY_BYTES, f"more than the limit of {max_bytes} bytes")

    def head(self, url: str, size: int) -> bytes:
        """Read the first `size` bytes of an object; none if it no longer exists.

        Raises:
            BucketError: the object cannot be requested.
        """
        try:
            with self._opened(url) as file, self._explained(url):
                return file.read(size)
        except FileNotFoundError:
            return b""

    def _opened(self, url: str) -> NativeFile:
        with self._explained(url):
            return self._files.open_input_file(self._path(url))

    def _path(self, url: str) -> str:
        return url.removeprefix(f"{self.scheme}://")

    @contextmanager
    def _explained(self, url: str) -> Iterator[None]:
        """Turn errors into `FileNotFoundError` for a missing object, or else a `BucketError`."""
        try:
            yield
        except OSError as error:
            if not isinstance(error, FileNotFoundError) and "No such file" not in str(error):
                raise self._error(url, str(error)) from None
            self._must_exist()
            raise FileNotFoundError(2, "no such object", url) from None
        except ValueError:  # S3 can hold a//b, and Arrow cannot ask for it
            raise FileNotFoundError(2, "a name with an empty part", url) from None

    def _must_exist(self) -> None:
        if self._exists:
            return
        try:
            info = self._files.get_file_info(self.name)
        except OSError:  # credentials that may read objects need not have access to the bucket
            return
        if info.type == fs.FileType.NotFound:
            raise self._error(f"{self.scheme}://{self.name}", "The bucket does not exist")
        self._exists = True

    def _error(self, url: str, said: str) -> BucketError:
        place = f"bucket {self.name!r} ({url})"
        if _NO_BUCKET.search(said):
            where = ", and AWS_ENDPOINT_URL if it is not on AWS" if self.scheme == "s3" else ""
            return BucketError(f"There is no {place}; check its name{where}.")
        detail = " ".join(said.split())
        if _REFUSED.search(said):
            way_out = way_in(self.scheme, _MAY)
            return AccessRefusedError(f"Access refused to {place}; {way_out}. {detail}")
        where = "the network, AWS_REGION and AWS_ENDPOINT_URL"
        where = where if self.scheme == "s3" else "the network"
        return BucketError(f"No answer from {place}; check {where}, then run it again. {detail}")


@contextmanager
def open_source(uri: str) -> Iterator[IO[bytes]]:
    """Open a local file by its path, or an object by its URL, for reading.

    Raises:
        OSError: the file or object does not exist, or the file cannot be read.
        BucketError: the bucket cannot be read, or the object was replaced during the reading.
    """
    if is_url(uri):
        with Bucket(uri).open(uri) as file:
            yield file
    else:
        with open(uri, "rb") as file:
            yield file


class _Raw(io.RawIOBase):
    """An object with the interface that `io.BufferedReader` needs, and with errors explained."""

    def __init__(self, bucket: Bucket, url: str, file: NativeFile) -> None:
        self._bucket, self._url, self._file = bucket, url, file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with self._bucket._explained(self._url):
            return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _s3(bucket: str) -> fs.FileSystem:
    endpoint, region = s3_endpoint(), s3_region()
    if not endpoint and not region:
        region = fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(
        anonymous=is_set("AWS_SKIP_SIGNATURE"),
        region=region,
        endpoint_override=endpoint,
        connect_timeout=CONNECT_TIMEOUT_S,
        request_timeout=REQUEST_TIMEOUT_S,
    )


def _gs() -> fs.FileSystem:
    return fs.GcsFileSystem(
        anonymous=is_set("GOOGLE_SKIP_SIGNATURE"),
        retry_time_limit=timedelta(seconds=REQUEST_TIMEOUT_S),
    )
