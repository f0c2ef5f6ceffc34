"""The training data of a policy: gradable questions with an image, from `problems` or `seeds`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rolesynth_assets.answers.options import named_option, options
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.mllm.control_tokens import neutralise
from rolesynth_assets.r1.prompt import system_prompt
from rolesynth_assets.r1.recipe import Training
from rolesynth_assets.r1.rewards import is_gradable
from rolesynth_assets.store.digests import digest, image_id

if TYPE_CHECKING:
    import pyarrow as pa

    from rolesynth_assets.store.lance.reader import StoreReader

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

    from rolesynth_assets.r1.training.policy import Policy

IMAGE_MARK = "<image>"


class QuestionDropReason(StrEnum):
    """Why a row is not trained on."""

    NO_ANSWER = "no_answer"
    """A seed without a reference."""
    NOT_ONE_IMAGE = "not_one_image"
    """A seed without an image, or with several."""
    UNREADABLE_IMAGE = "unreadable_image"
    UNGRADABLE = "ungradable"
    """The reward does not accept the reference itself."""


@dataclass(frozen=True)
class TrainingItem:
    """One question for which rollouts are sampled.

    Attributes:
        item_id: id of the problem or the seed.
        domain: partition that it comes from.
        question: the text that the policy reads, options included.
        answer: the reference, which the reward accepts.
        task_type: how it is answered.
        image: the encoded image, which can be decoded.
    """

    item_id: str
    domain: str
    question: str
    answer: str
    task_type: TaskType
    image: bytes


@dataclass(frozen=True)
class TrainingData:
    """The items of a training, ordered by id, and the number of dropped rows by reason."""

    items: tuple[TrainingItem, ...]
    dropped: Mapping[str, int]

    @cached_property
    def digest(self) -> str:
        """64 hex characters that change with any item's question, answer, kind or image."""
        parts = [
            part
            for i in self.items
            for part in (i.item_id, i.question, i.answer, str(i.task_type), image_id(i.image))
        ]
        return digest("r1 training data", *parts)

    @property
    def domains(self) -> dict[str, int]:
        """Number of items by domain."""
        return dict(sorted(Counter(item.domain for item in self.items).items()))


NO_DATA = TrainingData((), {})
"""The training data of a recipe with ``training: none``."""


def problem_data(rows: pa.Table) -> TrainingData:
    """Return the training data of the kept synthetic problems.

    Args:
        rows: rows of the table `problems` with the columns problem_id, domain, question, answer,
            task_type, image and kept. Rows that are not kept are skipped and not counted as
            dropped, because the table has their reason.
    """
    from pyarrow import compute as pc

    kept = rows.filter(pc.field("kept"))
    return _selected(
        (row["problem_id"], row["domain"], row["question"], row["answer"], row["task_type"],
         [row["image"]])
        for row in kept.to_pylist()
    )  # fmt: skip


def seed_data(rows: pa.Table) -> TrainingData:
    """Return the training data of the seeds that have an answer and one image.

    A seed is multiple choice if its question lists options and its answer names one of them.

    Args:
        rows: rows of the table `seeds` with the columns seed_id, domain, problem, answer and
            images.
    """
    return _selected(
        (row["seed_id"], row["domain"], question, row["answer"], _kind(question, row["answer"]),
         row["images"])
        for row in rows.to_pylist()
        for question in [row["problem"].replace(IMAGE_MARK, " ").strip()]
    )  # fmt: skip


def to_dataset(items: Sequence[TrainingItem], policy: Policy, batch: int) -> Dataset:
    """Return the items as TRL reads them: prompt (conversation), image, and the reward's columns.

    If there are fewer items than questions in a step, they are repeated until they fill one, since
    TRL skips an incomplete step.

    Args:
        items: the items, at least one.
        policy: the policy, which prepares the images.
        batch: questions of one optimiser step.
    """
    from datasets import Dataset, Features, Image, Value

    rounds = -(-batch // len(items)) if len(items) < batch else 1
    message = [{"role": Value("string"), "content": Value("string")}]
    columns = {
        "prompt": message,
        "image": Image(),
        **dict.fromkeys(("solution", "task_type", "question", "item_id"), Value("string")),
    }
    rows = [
        {
            "prompt": prompt(item.question),
            "image": {"bytes": policy.prepare(item.image), "path": None},
            "solution": item.answer,
            "task_type": str(item.task_type),
            "question": item.question,
            "item_id": item.item_id,
        }
        for item in items
    ]
    return Dataset.from_list(rows * rounds, features=Features(columns))


def prompt(question: str) -> list[dict[str, Any]]:
    """Return the conversation that a policy reads; TRL puts the image before the question.

    The trainer tokenizes it, so the question is in neutral form (`control_tokens`).
    """
    return [
        {"role": "system", "content": system_prompt()},
        {"role": "user", "content": neutralise(question)},
    ]


def _kind(question: str, answer: str | None) -> str:
    named = named_option(answer or "")
    chosen = named is not None and named[0] in options(question)
    return TaskType.MCQ if chosen else TaskType.OPEN_ENDED


def _selected(rows: Iterable[tuple[str, str, str, str | None, str, list[bytes]]]) -> TrainingData:
    items: list[TrainingItem] = []
    dropped: Counter[str] = Counter()
    for item_id, domain, question, answer, task_type, images in rows:
        found = _checked(item_id, domain, question, answer, TaskType(task_type), images)
        if isinstance(found, QuestionDropReason):
            dropped[str(found)] += 1
        else:
            items.append(found)
    items.sort(key=lambda item: item.item_id)
    return TrainingData(tuple(items), dict(sorted(dropped.items())))


def _checked(
    item_id: str,
    domain: str,
    question: str,
    answer: str | None,
    task_type: TaskType,
    images: list[bytes],
) -> TrainingItem | QuestionDropReason:
    from rolesynth_assets.images.decoding.decode import normalise
    from rolesynth_assets.images.decoding.rejects import Reject

    if not (answer or "").strip():
        return QuestionDropReason.NO_ANSWER
    assert answer is not None
    if len(images) != 1:
        return QuestionDropReason.NOT_ONE_IMAGE
    if not is_gradable(answer, task_type, question):
        return QuestionDropReason.UNGRADABLE
    image = normalise(images[0])
    if isinstance(image, Reject):
        return QuestionDropReason.UNREADABLE_IMAGE
    return TrainingItem(item_id, domain, question, answer, task_type, image.data)


@dataclass(frozen=True)
class StoredData:
    """The training data of a policy, and the ids of its images.

    Attributes:
        data: the questions.
        image_ids: sha256 of the stored bytes of each question's image, in the questions' order; the
            image in a question is converted to plain RGB and may have other bytes.
    """

    data: TrainingData
    image_ids: tuple[str, ...]


def stored_data(store: StoreReader, training: Training) -> StoredData:
    """Read the data of a kind of training from all domains.

    Args:
        store: the Lance tables.
        training: the kind of training, which selects the rows.
    """
    if training is Training.NONE:
        return StoredData(NO_DATA, ())
    if training is Training.SEEDS_ONLY:
        rows = store.read("seeds")
        return _with_images(seed_data(rows), rows, "seed_id", "image_ids")
    rows = store.read("problems", where="kept")
    if training is Training.SYNTHETIC_WITHOUT_CONTEXT_OPTIMISATION:
        rows = _of_empty_contexts(rows, store)
    return _with_images(problem_data(rows), rows, "problem_id", "image_id")


def _of_empty_contexts(rows: pa.Table, store: StoreReader) -> pa.Table:
    """Leave out the rounds whose writers read a non-empty context of any seed."""
    contexts = store.read("contexts", columns=["domain", "round", "before"]).to_pylist()
    optimised = {(c["domain"], c["round"]) for c in contexts if c["before"]}
    places = zip(rows["domain"].to_pylist(), rows["round"].to_pylist(), strict=True)
    return rows.take([n for n, place in enumerate(places) if place not in optimised])


def _with_images(data: TrainingData, rows: pa.Table, key: str, image: str) -> StoredData:
    images = dict(zip(rows[key].to_pylist(), rows[image].to_pylist(), strict=True))
    return StoredData(data, tuple(images[item.item_id] for item in data.items))
