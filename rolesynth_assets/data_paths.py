"""Where each thing below the data root lies, and the Dagster home; no other module spells them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rolesynth_assets.errors import InputError
from rolesynth_assets.files.cache import cache_of
from rolesynth_assets.files.object_path import DataPath, ObjectPath, data_path


def dagster_home() -> Path:
    """Return the Dagster home: DAGSTER_HOME, or `.dagster` in the current folder."""
    return Path(os.environ.get("DAGSTER_HOME") or ".dagster").expanduser()


def local_path(written: str, data_root: DataPath | str | None) -> Path:
    """Return a path of a YAML file, with `~` and `{data}` filled in.

    Args:
        written: the path as the file has it.
        data_root: what `{data}` means; of a data root in a bucket, its folder on this machine.
    """
    if data_root is not None:
        written = written.replace("{data}", str(DataPaths(data_root).this_machine))
    return Path(os.path.expanduser(written))


@dataclass(frozen=True, slots=True)
class DataPaths:
    """The places below one data root. Nothing is created by asking for one.

    Attributes:
        root: the data root: a folder, or the URL of a prefix in a bucket.
    """

    root: DataPath | str

    @property
    def in_bucket(self) -> bool:
        """Whether the data root is in a bucket."""
        return isinstance(data_path(self.root), ObjectPath)

    def at(self, name: str) -> DataPath:
        """Return a file or folder of the data root, local or in a bucket."""
        return data_path(self.root) / name

    @property
    def this_machine(self) -> Path:
        """Folder of what may be deleted and of this machine's locks: of a bucket, a local cache."""
        root = data_path(self.root)
        return cache_of(root) if isinstance(root, ObjectPath) else root

    def __truediv__(self, name: str) -> Path:
        """Return a file or folder that must be local.

        Raises:
            InputError: the data root is in a bucket.
        """
        found = self.at(name)
        if isinstance(found, ObjectPath):
            raise InputError(
                f"{found}: this part of the data root must be a local folder as yet; set "
                "ROLESYNTH_DATA to a folder."
            )
        return found

    @property
    def lance(self) -> DataPath:
        """Folder of the LanceDB database."""
        return self.at("lance")

    def lance_table(self, table: str) -> str:
        """Return the folder or URL of a Lance table; `lance/` is one LanceDB database."""
        return f"{str(self.root).rstrip('/')}/lance/{table}.lance"

    def lock(self, name: str) -> Path:
        """Return a lock file: of a Lance table's writers, or of the one refresh at work."""
        return self / "locks" / f"{name}.lock"

    def lease(self, name: str) -> DataPath:
        """Return the object that takes the place of a lock file where the root is in a bucket."""
        return self.at("locks") / f"{name}.json"

    @property
    def identity(self) -> DataPath:
        """The file that holds the data root's own id."""
        return self.at("data-root-id")

    def table_identity(self, table: str) -> DataPath:
        """Return the file that holds a table's id; that of the small tables lies among them."""
        return self.small / "table-id" if table == "small" else self.at("table-ids") / table

    @property
    def small(self) -> DataPath:
        """Folder of the small tables."""
        return self.at("small")

    def small_table(self, table: str) -> str:
        """Return the folder or URL of one of the small tables, a Lance data set each."""
        return f"{str(self.root).rstrip('/')}/small/{table}.lance"

    @property
    def duckdb_file(self) -> Path:
        """The file of the small tables of earlier versions, which `rolesynth migrate` reads."""
        return self / "warehouse.duckdb"

    @property
    def shards(self) -> DataPath:
        """Folder of the shard registry, one JSON file a shard."""
        return self.at("shards")

    @property
    def forgotten_shards(self) -> DataPath:
        """Folder of the shards that were forgotten, one JSON file a shard."""
        return self.shards / "forgotten"

    @property
    def journals(self) -> DataPath:
        """Folder of the paid replies: an SQLite file a stage; in a bucket, a prefix a stage."""
        return self.at("journals")

    def batch_ledger(self, table: str) -> Path:
        """Return the file of what was submitted in batches for a table.

        Raises:
            InputError: the data root is in a bucket.
        """
        return self / "journals" / "batches" / f"{table}.sqlite"

    @property
    def models(self) -> DataPath:
        """Folder of what was learned of the models at their servers, one JSON file each."""
        return self.at("models")

    @property
    def reports(self) -> DataPath:
        """Folder of the Markdown pages."""
        return self.at("reports")

    def report(self, name: str) -> DataPath:
        """Return one Markdown page; the pictures of a page lie beside it."""
        return self.reports / f"{name}.md"

    def problem_card(self, domain: str) -> DataPath:
        """Return the card of a domain's synthetic problems."""
        return self.report(f"problems_{domain}")

    def dataset_card(self, role_set: str) -> DataPath:
        """Return the dataset card of a role set."""
        return self.report(f"dataset_{role_set}")

    def exports(self, domain: str) -> DataPath:
        """Return the folder of a domain's exported problems."""
        return self.at("exports") / domain

    @property
    def clip_checkpoints(self) -> DataPath:
        """Folder of all CLIP checkpoints: `<recipe>/seed-<seed>` each."""
        return self.at("checkpoints")

    def clip_checkpoint(self, recipe: str, seed: int) -> DataPath:
        """Return the folder of one CLIP checkpoint."""
        return self.clip_checkpoints / recipe / f"seed-{seed}"

    def r1_checkpoint(self, recipe: str, seed: int) -> DataPath:
        """Return the folder of one R1 checkpoint; R1 and CLIP recipes may share a name."""
        return self.at("r1_checkpoints") / recipe / f"seed-{seed}"

    @property
    def embedded_benchmarks(self) -> Path:
        """Folder of the embedded world's benchmarks, as `{data}/benchmarks` in their YAML."""
        return self.this_machine / "benchmarks"

    def benchmark_looks(self, task: str) -> Path:
        """Return the file of a benchmark's perceptual features."""
        return self.this_machine / "benchmark_looks" / f"{task}.npz"

    def benchmark_digest(self, task: str) -> Path:
        """Return the file that holds the digest of a benchmark's files as they were last."""
        return self.this_machine / "benchmark_digests" / f"{task}.json"

    def thumbnail(self, image: str) -> Path:
        """Return the small picture of an image that `rolesynth browse` shows."""
        return self.this_machine / "thumbnails" / image[:2] / f"{image}.webp"

    @property
    def pixel_cache(self) -> Path:
        """Folder of the decoded images of CLIP trainings, one folder a geometry."""
        return self.this_machine / "caches" / "pixels"

    @property
    def token_cache(self) -> Path:
        """Folder of the tokens of CLIP's training sets, one folder a set and tokenizer."""
        return self.this_machine / "caches" / "tokens"

    def caption_indexes(self, kind: str) -> DataPath:
        """Return the folder of the indexes of a kind, such as ``text_index``, one a role set."""
        return self.at(kind)

    def caption_index(self, kind: str, role_set: str) -> DataPath:
        """Return the Lance data set of a role set's captions that searches read."""
        return self.caption_indexes(kind) / f"{role_set}.lance"

    @property
    def embedded_world(self) -> Path:
        """Folder of the embedded world's images, their truth and its seeds: a copy a machine."""
        return self.this_machine / "embedded_world"

    @property
    def embedded_seeds(self) -> Path:
        """Folder of the embedded world's seeds, laid out like a user's."""
        return self.embedded_world / "seeds"
