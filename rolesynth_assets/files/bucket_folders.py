"""Folders in a bucket that are read as a whole: all files first, then one object that names them.

`FOLDER/folder.json` lists the files with their digests; they lie below `FOLDER/DIGEST/`, where
DIGEST is that of the list. A reader finds the old folder or the new one, whatever happens between,
and reads from a local copy that is named by the digest and checked against it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from rolesynth_assets.files.cache import cache_folder, make_room, max_cache_bytes
from rolesynth_assets.files.object_path import ObjectPath
from rolesynth_assets.files.object_store import StorageError
from rolesynth_assets.parallel.lookahead import in_order

LISTED = "folder.json"
UPLOADS = 4  # at a time; each one uploads its parts at the same time as well
ATTEMPTS = 3  # a folder may be replaced while it is read
LEFT_DRAFT_S = 24 * 3600.0  # a download that is older belongs to a killed process


class FolderFile(BaseModel):
    """A file of a folder: its path below it, its size in bytes and its sha256."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    size: int
    sha256: str


class FolderList(BaseModel):
    """The files of a folder, sorted by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[FolderFile, ...]

    @property
    def digest(self) -> str:
        """The sha256 over names and contents."""
        text = "".join(f"{file.sha256} {file.name}\n" for file in self.files)
        return sha256(text.encode()).hexdigest()

    @property
    def below(self) -> str:
        """The name of the prefix that the files lie below."""
        return self.digest[:16]


@contextmanager
def replaced_in_bucket(folder: ObjectPath) -> Iterator[Path]:
    """Yield an empty local draft folder, which is uploaded in place of `folder` at the end.

    When the block or the upload fails, `folder` is as it was. One process at a time may do this.

    Raises:
        StorageError: it cannot be uploaded.
    """
    draft = cache_folder() / "drafts" / uuid4().hex
    draft.mkdir(parents=True)
    try:
        yield draft
        upload_folder(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def upload_folder(local: Path, folder: ObjectPath) -> FolderList:
    """Put a local folder in the place of one in a bucket, and remove the files of the old one.

    Raises:
        StorageError: it cannot be uploaded; the old one is as it was.
    """
    paths = sorted(path for path in local.rglob("*") if path.is_file())
    listed = FolderList(files=tuple(_of_file(path, local) for path in paths))
    target = folder / listed.below

    def upload(path: Path) -> None:
        (target / path.relative_to(local).as_posix()).upload(path)

    if read_list(folder) != listed:
        for _ in in_order(upload, paths, UPLOADS):
            pass
        (folder / LISTED).write_bytes(listed.model_dump_json().encode())
    kept = f"{target}/"
    old = [o for o in folder.objects() if o != folder / LISTED and not str(o).startswith(kept)]
    folder.remove(old)
    return listed


def read_list(folder: ObjectPath) -> FolderList | None:
    """Return the list of a folder's files; None if no whole folder is there.

    Raises:
        StorageError: the bucket cannot be read, or the list is damaged.
    """
    try:
        return FolderList.model_validate_json((folder / LISTED).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise StorageError(f"{folder / LISTED} is damaged: {error}. Make it again.") from None


def local_copy(folder: ObjectPath) -> Path:
    """Return a folder of this machine with the files of one in a bucket; it may not be changed.

    It is downloaded unless a copy is there. Several processes may do so at once.

    Raises:
        FileNotFoundError: no whole folder is there.
        StorageError: the bucket cannot be read, or a file is not what the list says.
    """
    for attempt in range(ATTEMPTS):
        listed = read_list(folder)
        if listed is None:
            raise FileNotFoundError(2, "no whole folder is there", str(folder))
        copy = _copy_of(listed, folder)
        if copy.is_dir():
            os.utime(copy)
            return copy
        try:
            _download(folder, listed, copy)
        except FileNotFoundError:  # replaced meanwhile
            if attempt + 1 == ATTEMPTS:
                raise
            continue
        make_room(copy.parent, copy, max_cache_bytes())
        return copy
    raise FileNotFoundError(2, "no whole folder is there", str(folder))


def into_copies(local: Path, listed: FolderList, folder: ObjectPath) -> Path:
    """Make a local folder that was just uploaded the copy of the one in the bucket."""
    copy = _copy_of(listed, folder)
    try:
        local.rename(copy)
    except OSError:  # there is one of the same content
        if not copy.is_dir():
            raise
    os.utime(copy)
    make_room(copy.parent, copy, max_cache_bytes())
    return copy


def without_file(folder: ObjectPath, name: str) -> None:
    """Remove a file from a folder in a bucket, and the copy of the folder from this machine.

    Raises:
        StorageError: it cannot be removed.
    """
    old = read_list(folder)
    if old is None:
        return
    new = FolderList(files=tuple(file for file in old.files if file.name != name))
    for file in new.files:
        (folder / old.below / file.name).copy(folder / new.below / file.name)
    (folder / LISTED).write_bytes(new.model_dump_json().encode())
    folder.remove([*(folder / old.below).objects()])
    shutil.rmtree(_copy_of(old, folder), ignore_errors=True)


def fetch_folder(folder: ObjectPath, listed: FolderList, target: Path) -> None:
    """Bring the files of a folder to a local one, and check them against their digests.

    Raises:
        FileNotFoundError: the folder was replaced meanwhile.
        StorageError: the bucket cannot be read, or a file is not what the list says.
    """
    source = folder / listed.below

    def download(file: FolderFile) -> None:
        path = target / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        found = sha256()
        with path.open("wb") as out:
            for part in (source / file.name).stream():
                found.update(part)
                out.write(part)
        if found.hexdigest() != file.sha256:
            raise StorageError(
                f"{source / file.name} is not the file that {LISTED} describes: somebody wrote to "
                "the bucket by other means. Make it again."
            )

    for _ in in_order(download, listed.files, UPLOADS):
        pass


def _copy_of(listed: FolderList, folder: ObjectPath) -> Path:
    copies = cache_folder() / "folders"
    copies.mkdir(parents=True, exist_ok=True)
    return copies / f"{listed.below}-{folder.name}"


def _download(folder: ObjectPath, listed: FolderList, copy: Path) -> None:
    """Bring the files of a folder to `copy`, which appears when all of them are there."""
    _remove_left_drafts(copy.parent)
    draft = copy.with_name(f".{uuid4().hex}")
    draft.mkdir()
    try:
        fetch_folder(folder, listed, draft)
        try:
            draft.rename(copy)
        except OSError:  # another process was faster
            if not copy.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _remove_left_drafts(folder: Path) -> None:
    for draft in folder.glob(".*"):
        try:
            if time.time() - draft.stat().st_mtime > LEFT_DRAFT_S:
                shutil.rmtree(draft, ignore_errors=True)
        except FileNotFoundError:
            continue


def _of_file(path: Path, folder: Path) -> FolderFile:
    found, size = sha256(), 0
    with path.open("rb") as file:
        while part := file.read(2**20):
            found.update(part)
            size += len(part)
    name = path.relative_to(folder).as_posix()
    return FolderFile(name=name, size=size, sha256=found.hexdigest())
