"""The domains of a project: one for each file, or folder of files, with seeds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rolesynth_assets.cads.seeds.files import SeedFileError
from rolesynth_assets.store.digests import digest, file_digest
from rolesynth_assets.yaml_files import fit_for_a_key

NO_DOMAIN = "problems"
"""The key for a project without seeds, because a graph needs at least one partition."""

_KINDS = (".jsonl", ".parquet")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # it is part of partition keys and of paths


def domain_files(folder: Path) -> dict[str, Path]:
    """Return the file or folder of each domain's seeds, by domain in alphabetical order.

    Args:
        folder: folder with ``<domain>.jsonl``, ``<domain>.parquet`` or folders of such files; if it
            does not exist, there are no domains.

    Raises:
        SeedFileError: two files belong to one domain, or a name cannot be a partition key.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir():
            if not any(file.suffix in _KINDS for file in path.iterdir()):
                continue  # a folder of images to which a file refers
            name = path.name
        elif path.suffix in _KINDS:
            name = path.stem
        else:
            continue
        if not _KEY.fullmatch(name):
            raise SeedFileError(
                f"{path}: {name!r} cannot name a domain; use letters, digits, dots, dashes and "
                "underscores."
            )
        try:
            fit_for_a_key(name)
        except ValueError as error:
            raise SeedFileError(f"{path}: {error}.") from None
        if name in found:
            raise SeedFileError(
                f"{path} and {found[name]} are both domain {name!r}: rename one, or put both into "
                f"a folder {folder / name}."
            )
        found[name] = path
    return dict(sorted(found.items()))


def seeds_digest(path: Path) -> str:
    """Return the digest of a domain's file or folder, which changes when its seeds may change.

    Images in the domain's folder are part of it; images to which a single file refers are not.
    """
    parts: list[str] = []
    for file in _files(path):
        parts += [str(file.relative_to(path.parent)), file_digest(file)]
    return digest("seed files", *parts)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    else:
        yield from (file for file in sorted(path.rglob("*")) if file.is_file())
