"""The definition of an R1 benchmark, and its items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import Field, PositiveInt, model_validator

from rolesynth_assets.answers.options import options
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.store.digests import digest
from rolesynth_assets.yaml_files import NamedModel, PartitionName


class R1BenchmarkError(ValueError):
    """A benchmark cannot be read; the message names it, the cause, and the way out."""


class BenchmarkLayout(StrEnum):
    """How a benchmark's files are laid out: as their publisher lays them out."""

    EMBEDDED = "embedded"
    """Problems drawn by `rolesynth_assets.embedded.problems.pose`, without files."""
    EASY_VQA = "easy_vqa"
    """The test split inside the easy-vqa package."""
    MATHVISTA = "mathvista"
    MATHVERSE = "mathverse"
    MATHVISION = "mathvision"
    MMMU = "mmmu"
    """Also MMMU-Pro's standard form with ten options."""
    CHARXIV_REASONING = "charxiv_reasoning"
    CHARXIV_DESCRIPTIVE = "charxiv_descriptive"

    @property
    def has_files(self) -> bool:
        """Whether a user has to have the benchmark's files."""
        return self not in (BenchmarkLayout.EMBEDDED, BenchmarkLayout.EASY_VQA)


class R1Benchmark(NamedModel):
    """One benchmark, a YAML file.

    Attributes:
        name: the key of the benchmark, and of its Dagster partition.
        description: one sentence for people.
        layout: layout of its files.
        path: folder of the files; ``{data}`` means the data root, ``~`` the home folder.
        split: split, such as ``testmini`` or ``validation``; by default the publisher's usual one.
        domain: domain of the embedded problems.
        count: number of items, a fixed sample if the benchmark has more; None takes all of them.
        seed: seed of the sample, or of the embedded problems.
    """

    name: PartitionName
    description: str = ""
    layout: BenchmarkLayout
    path: str | None = None
    split: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]+$")
    domain: str | None = None
    count: PositiveInt | None = None
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fields_of_the_layout(self) -> R1Benchmark:
        if self.layout.has_files != (self.path is not None):
            raise ValueError(f"layout {self.layout} {_needs(self.layout.has_files)} a path")
        drawn = self.layout is BenchmarkLayout.EMBEDDED
        if drawn != (self.domain is not None):
            raise ValueError(f"layout {self.layout} {_needs(drawn)} a domain")
        if drawn and self.count is None:
            raise ValueError("layout embedded needs a count: its problems are unlimited")
        return self

    @property
    def digest(self) -> str:
        """64 hex characters that change when its questions may change."""
        return digest("r1 benchmark", self.model_dump_json(exclude={"name", "description"}))

    def folder(self, data_root: Path) -> Path:
        """Return the folder of the benchmark's files."""
        return Path((self.path or "").replace("{data}", str(data_root))).expanduser()


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
