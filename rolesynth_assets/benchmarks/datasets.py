"""The dataset of a task: images with captions, or images with classes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rolesynth_assets.benchmarks.clip_benchmark_layout import (
    CLASSES_FILE,
    TEMPLATES_FILE,
    Sample,
    list_samples,
    read_lines,
)
from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind
from rolesynth_assets.store.digests import digest, image_id


@dataclass(frozen=True)
class RetrievalSet:
    """Images and their captions; `caption_image[j]` is the index of the image of caption j.

    `captions` include the task's prefix. `caption_image` has shape (captions,), int64, and every
    image has at least one caption.
    """

    images: tuple[Sample, ...]
    captions: tuple[str, ...]
    caption_image: np.ndarray


@dataclass(frozen=True)
class ClassificationSet:
    """Images and their classes; `labels` has shape (images,), int64, indexing `class_names`."""

    images: tuple[Sample, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]
    templates: tuple[str, ...]


def read_retrieval(task: Task, data_root: Path | str | None = None) -> RetrievalSet:
    """Read a retrieval task with the first `captions_per_image` captions of every image.

    Blank lines are skipped; white space around a caption is removed.

    Raises:
        BenchmarkError: the files do not follow the layout, or an image has too few captions.
    """
    _require_kind(task, TaskKind.RETRIEVAL)
    samples = list_samples(task, data_root)
    captions: list[str] = []
    owners: list[int] = []
    wanted = task.captions_per_image
    for index, sample in enumerate(samples):
        texts = [line.strip() for line in sample.text().splitlines() if line.strip()]
        if len(texts) < (wanted or 1):
            raise BenchmarkError(
                f"{sample.where}: has {len(texts)} captions, but task {task.name} needs "
                f"{wanted or 1} for every image; correct the file or lower captions_per_image"
            )
        texts = texts[:wanted]
        captions += [task.text_prefix + text for text in texts]
        owners += [index] * len(texts)
    return RetrievalSet(tuple(samples), tuple(captions), np.asarray(owners, dtype=np.int64))


def read_classification(task: Task, data_root: Path | str | None = None) -> ClassificationSet:
    """Read a classification task with its class names and templates.

    Raises:
        BenchmarkError: the files do not follow the layout, a template has no `{c}`, a label is not
            a class index (multilabel sets, `.npy`, are not supported), or there is only one class.
    """
    _require_kind(task, TaskKind.CLASSIFICATION)
    samples = list_samples(task, data_root)
    class_names = read_lines(task, CLASSES_FILE, data_root)
    templates = read_lines(task, TEMPLATES_FILE, data_root)
    if len(class_names) < 2:
        raise BenchmarkError(
            f"Task {task.name}: {CLASSES_FILE} has one class; classification needs two"
        )
    for template in templates:
        if "{c}" not in template:
            raise BenchmarkError(
                f"Task {task.name}: template {template!r} in {TEMPLATES_FILE} has no {{c}} where "
                "the class name goes"
            )
    labels = np.asarray([_label(sample, len(class_names)) for sample in samples], dtype=np.int64)
    return ClassificationSet(tuple(samples), labels, tuple(class_names), tuple(templates))


def image_hashes(task: Task, data_root: Path | str | None = None) -> set[str]:
    """Return the image ids of a task, to be searched among the training images.

    An id is the sha256 of the encoded bytes, so an image that was encoded again (CLIP_benchmark
    exports lossless WebP by default) has another id than its original. To check COCO or Urban1k
    against training images, read the original files from a plain folder.

    Raises:
        BenchmarkError: the files do not follow the layout.
    """
    return {image_id(sample.image.read()) for sample in list_samples(task, data_root)}


def task_digest(task: Task, data_root: Path | str | None = None) -> str:
    """Digest everything in the task that determines a score, except its place on the disk.

    Raises:
        BenchmarkError: the files do not follow the layout.
    """
    choices = task.model_dump_json(include={"kind", "captions_per_image", "text_prefix"})
    hasher = hashlib.sha256(digest("benchmark", choices).encode())
    if task.kind is TaskKind.CLASSIFICATION:
        for name in (CLASSES_FILE, TEMPLATES_FILE):
            hasher.update(digest(*read_lines(task, name, data_root)).encode())
    for sample in list_samples(task, data_root):
        hasher.update(digest(sample.image.read(), sample.label.read()).encode())
    return hasher.hexdigest()


def _require_kind(task: Task, kind: TaskKind) -> None:
    if task.kind is not kind:
        raise BenchmarkError(f"Task {task.name} is of kind {task.kind}, not {kind}")


def _label(sample: Sample, classes: int) -> int:
    text = sample.text().strip()
    if not text.isdecimal() or int(text) >= classes:
        raise BenchmarkError(
            f"{sample.where}: label {text!r} is not a class index from 0 to {classes - 1}"
        )
    return int(text)
