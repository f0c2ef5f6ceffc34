"""Benchmark tasks, one YAML file each, shipped or in a user's folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from rolesynth_assets.data_paths import local_path
from rolesynth_assets.errors import InputError
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.yaml_files import Named, NamedModel, PartitionName, YamlLibrary

SHIPPED_TASKS = Path(__file__).parent / "tasks"
EXAMPLE_TASKS = Path(__file__).parent / "examples"


class BenchmarkError(InputError):
    """A benchmark cannot be read or measured; the message names it, the reason and the way out."""


class TaskKind(StrEnum):
    """The kind of measurement on a task."""

    RETRIEVAL = "retrieval"
    """Find the captions of an image and the image of a caption."""
    CLASSIFICATION = "classification"
    """Find the class name of an image, zero-shot."""


class Task(NamedModel):
    """One benchmark: where its files lie and how they are to be read.

    The choices that change a published number are fields: the number of captions that count for an
    image, the prefix of captions, and the number of images in the split.
    """

    # a Dagster partition key: "|" would be taken for a separator of dimensions
    name: PartitionName
    kind: TaskKind
    path: str = Field(min_length=1)
    """Folder or one `.tar`; `{data}` is the data root, `~` the home folder."""
    layout: str | None = None
    """Layout of the files; None finds out. `rolesynth benchmarks check` prints what was found."""
    annotations: str | None = None
    """File of captions below `path`, where the layout has several."""
    split: str = Field(default="test", pattern=r"^[^/\\]*$")
    """Split; a task that does not set it has the split that papers report for its layout. It is a
    sub-folder in CLIP_benchmark's layout; if that does not exist, `path` itself is read."""
    captions_per_image: int | None = Field(default=None, ge=1)
    """Retrieval: the first n captions of each image count, null counts all. A task that does not
    set it counts what papers count for its layout: five of COCO and Flickr30k, one of Urban1k."""
    text_prefix: str = ""
    """Retrieval: prefix of every caption, including its space; some published numbers use
    "A photo of "."""
    expected_images: int | None = Field(default=None, ge=1)
    """Number of images that the split must have; any other number is an error."""
    description: str = ""

    @model_validator(mode="after")
    def _caption_fields_belong_to_retrieval(self) -> Task:
        if self.kind is TaskKind.CLASSIFICATION and (self.captions_per_image or self.text_prefix):
            raise ValueError(
                "captions_per_image and text_prefix belong to kind: retrieval; a classification "
                "task words its texts in zeroshot_classification_templates.txt"
            )
        return self

    @field_validator("path")
    @classmethod
    def _local(cls, path: str) -> str:
        if "://" in path:
            raise ValueError(
                f"{path} is a URL; download the dataset and set `path` to the local folder"
            )
        return path

    @property
    def embedded(self) -> bool:
        """Whether its files are below the data root, like those of the embedded world."""
        return "{data}" in self.path

    def resolve(self, data_root: DataPath | str | None = None) -> Path:
        """Return `path` with its placeholders filled in.

        Raises:
            BenchmarkError: the path needs a data root and none is given.
        """
        if self.embedded and data_root is None:
            raise BenchmarkError(f"Task {self.name}: {self.path} needs a data root; pass data_root")
        return local_path(self.path, data_root)

    def at_hand(self, data_root: DataPath | str | None = None) -> bool:
        """Return whether its files exist; those that nobody may look at fail when they are read."""
        try:
            return self.resolve(data_root).exists()
        except OSError:
            return True


_FILES = YamlLibrary(
    Task,
    BenchmarkError,
    SHIPPED_TASKS,
    what="benchmark task",
    fields="name, kind and path",
    example=f"a file in {EXAMPLE_TASKS}",
)


def load_tasks(extra_dir: Path | None = None) -> Named[Task]:
    """Return all tasks by name: the shipped ones, then those of a user's folder.

    A user's file replaces a shipped task of the same name. The files in `examples/` are not
    loaded: copy one into the user's folder and set its path.

    Args:
        extra_dir: folder with `*.yaml` or `*.yml` files; a folder that does not exist adds nothing.

    Returns:
        Tasks by name, and the files that cannot be used.
    """
    return _FILES.load(extra_dir)


def load_task(path: Path) -> Task:
    """Read one task file.

    Raises:
        BenchmarkError: the file is missing, is not YAML, or breaks the schema; the message names
            every broken field.
    """
    return _FILES.read(path)
