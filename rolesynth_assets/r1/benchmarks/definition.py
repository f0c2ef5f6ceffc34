"""The definition of an R1 benchmark, and its items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, PositiveInt, field_validator, model_validator

from rolesynth_assets.answers.options import options
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.data_paths import local_path
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.store.digests import digest
from rolesynth_assets.yaml_files import NamedModel, PartitionName


class R1BenchmarkError(ValueError):
    """A benchmark cannot be read; the message names it, the cause, and the way out."""


_LAYOUTS = Path(__file__).parent / "layouts"
EMBEDDED = "embedded"
"""Layout of problems that `rolesynth_assets.embedded.problems.pose` draws, without files."""
EASY_VQA = "easy_vqa"
"""Layout of the test split inside the easy-vqa package."""


def known_layouts() -> list[str]:
    """Return all layouts: the two without files, and the modules of the folder ``layouts``."""
    modules = (path.stem for path in _LAYOUTS.glob("*.py") if path.stem != "__init__")
    return [EMBEDDED, EASY_VQA, *sorted(modules)]


class R1Benchmark(NamedModel):
    """One benchmark, a YAML file.

    Attributes:
        name: the key of the benchmark, and of its Dagster partition.
        description: one sentence for people.
        layout: layout of its files, a module of ``layouts``, or "embedded" or "easy_vqa".
        path: folder of the files; ``{data}`` means the data root, ``~`` the home folder.
        split: split, such as ``testmini`` or ``validation``; by default the publisher's usual one.
        domain: domain of the embedded problems.
        count: number of items, a fixed sample if the benchmark has more; None takes all of them.
        seed: seed of the sample, or of the embedded problems.
    """

    name: PartitionName
    description: str = ""
    layout: str
    path: str | None = None
    split: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]+$")
    domain: str | None = None
    count: PositiveInt | None = None
    seed: int = Field(default=0, ge=0)

    @field_validator("layout")
    @classmethod
    def _known(cls, layout: str) -> str:
        if layout not in known_layouts():
            raise ValueError(f"no layout {layout!r}; there are {', '.join(known_layouts())}")
        return layout

    @property
    def has_files(self) -> bool:
        """Whether a user has to have the benchmark's files."""
        return self.layout not in (EMBEDDED, EASY_VQA)

    @model_validator(mode="after")
    def _fields_of_the_layout(self) -> R1Benchmark:
        if self.has_files != (self.path is not None):
            raise ValueError(f"layout {self.layout} {_needs(self.has_files)} a path")
        drawn = self.layout == EMBEDDED
        if drawn != (self.domain is not None):
            raise ValueError(f"layout {self.layout} {_needs(drawn)} a domain")
        if drawn and self.count is None:
            raise ValueError("layout embedded needs a count: its problems are unlimited")
        return self

    @property
    def digest(self) -> str:
        """64 hex characters that change when its questions may change."""
        return digest("r1 benchmark", self.model_dump_json(exclude={"name", "description"}))

    def folder(self, data_root: DataPath) -> Path:
        """Return the folder of the benchmark's files."""
        return local_path(self.path or "", data_root)


@dataclass(frozen=True)
class BenchmarkItem:
    """One question of a benchmark.

    Attributes:
        item_id: unique within the benchmark.
        images: encoded images in order, at least one.
        question: the text that the policy reads, options included.
        answer: the reference; the letter of a multiple-choice question.
        task_type: how it is answered.
        accepted: further answers that count as right.
        decimals: decimal places to which a number is rounded before comparison; None compares the
            number as it is.
        graded_question: the question with its options, if the policy sees them only in the image.
    """

    item_id: str
    images: tuple[bytes, ...]
    question: str
    answer: str
    task_type: TaskType
    accepted: tuple[str, ...] = ()
    decimals: int | None = None
    graded_question: str | None = None

    @property
    def full_question(self) -> str:
        """The question with which an answer is compared."""
        return self.graded_question or self.question


def chance_level(items: Sequence[BenchmarkItem]) -> float:
    """Return the accuracy of answering without the image, 0 to 1.

    For a multiple-choice item it is 1 / number of options. For the other items it is the share of
    the most frequent reference among those whose question begins with the same two words. This is
    the accuracy of a policy that knows the kinds of questions and their answers, but sees no image.

    Raises:
        ValueError: there is no item.
    """
    if not items:
        raise ValueError("there is no item, so there is no chance level")
    expected = 0.0
    open_items: dict[str, Counter[str]] = {}
    for item in items:
        choices = len(options(item.full_question))
        if item.task_type is TaskType.MCQ:
            expected += 1 / (choices or 4)
        else:
            kind = " ".join(item.question.lower().split()[:2])
            open_items.setdefault(kind, Counter())[item.answer.strip().lower()] += 1
    expected += sum(counts.most_common(1)[0][1] for counts in open_items.values())
    return expected / len(items)


def _needs(needed: bool) -> str:
    return "needs" if needed else "does not take"
