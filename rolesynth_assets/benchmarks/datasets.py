"""The dataset of a task: images with captions, or images with classes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from rolesynth_assets.benchmarks.classify import class_texts
from rolesynth_assets.benchmarks.layouts.files import Sample
from rolesynth_assets.benchmarks.layouts.library import captions_of, files_of, layout_of
from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind
from rolesynth_assets.files.object_path import DataPath
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


def read_retrieval(task: Task, data_root: DataPath | str | None = None) -> RetrievalSet:
    """Read a retrieval task with the captions of every image that count.

    These are the first `captions_per_image`; if the task does not set it, as many as published
    numbers count for the layout.

    Raises:
        BenchmarkError: the files do not follow the layout, or an image has too few captions.
    """
    _require_kind(task, TaskKind.RETRIEVAL)
    samples = files_of(task, data_root).samples
    wanted = captions_of(task, layout_of(task, data_root)[0])
    captions: list[str] = []
    owners: list[int] = []
    for index, sample in enumerate(samples):
        texts = [" ".join(text.split()) for text in sample.captions if text.strip()]
        if len(texts) < (wanted or 1):
            raise BenchmarkError(
                f"{sample.where}: has {len(texts)} captions, but task {task.name} needs "
                f"{wanted or 1} for every image; correct the file or lower captions_per_image"
            )
        texts = texts[:wanted]
        captions += [task.text_prefix + text for text in texts]
        owners += [index] * len(texts)
    return RetrievalSet(tuple(samples), tuple(captions), np.asarray(owners, dtype=np.int64))


def read_classification(task: Task, data_root: DataPath | str | None = None) -> ClassificationSet:
    """Read a classification task with its class names and templates.

    Raises:
        BenchmarkError: the files do not follow the layout, a template has no `{c}`, or there is
            only one class.
    """
    _require_kind(task, TaskKind.CLASSIFICATION)
    files = files_of(task, data_root)
    if len(files.class_names) < 2:
        raise BenchmarkError(f"Task {task.name} has one class; classification needs two")
    for template in files.templates:
        if "{c}" not in template:
            raise BenchmarkError(
                f"Task {task.name}: template {template!r} has no {{c}} where the class name goes"
            )
    labels = np.asarray([sample.label for sample in files.samples], dtype=np.int64)
    return ClassificationSet(tuple(files.samples), labels, files.class_names, files.templates)


def image_hashes(task: Task, data_root: DataPath | str | None = None) -> set[str]:
    """Return the image ids of a task, to be searched among the training images.

    An id is the sha256 of the encoded bytes, so an image that was encoded again (CLIP_benchmark
    exports lossless WebP by default) has another id than its original.

    Raises:
        BenchmarkError: the files do not follow the layout.
    """
    return {image_id(sample.image.read()) for sample in files_of(task, data_root).samples}


def task_digest(task: Task, data_root: DataPath | str | None = None) -> str:
    """Digest everything in the task that determines a score, except its place on the disk.

    Raises:
        BenchmarkError: the files do not follow the layout.
    """
    if task.kind is TaskKind.RETRIEVAL:
        data = read_retrieval(task, data_root)
        hasher = hashlib.sha256(digest("benchmark", task.kind, *data.captions).encode())
        hasher.update(data.caption_image.tobytes())
    else:
        data = read_classification(task, data_root)
        texts = (*data.class_names, "", *data.templates)
        hasher = hashlib.sha256(digest("benchmark", task.kind, *texts).encode())
        hasher.update(data.labels.tobytes())
    for sample in data.images:
        hasher.update(digest(sample.image.read()).encode())
    return hasher.hexdigest()


def texts_of(task: Task, data_root: DataPath | str | None = None) -> list[str]:
    """Return what a model reads on a task: captions, or class names in their templates."""
    if task.kind is TaskKind.RETRIEVAL:
        return list(read_retrieval(task, data_root).captions)
    data = read_classification(task, data_root)
    return class_texts(data.class_names, data.templates)


def found_in(task: Task, data_root: DataPath | str | None = None) -> str:
    """Say in one line what a task's files are: layout, images, captions or classes, digest.

    Raises:
        BenchmarkError: the files do not follow the layout.
    """
    layout, place = layout_of(task, data_root)
    if task.kind is TaskKind.RETRIEVAL:
        data = read_retrieval(task, data_root)
        counted = captions_of(task, layout)
        which = f"first {counted} of each" if counted else "all of each"
        texts = f"{len(data.captions):,} captions ({which})"
    else:
        data = read_classification(task, data_root)
        texts = f"{len(data.class_names):,} classes, {len(data.templates)} templates"
    return (
        f"{task.kind}, layout {layout.name}, {len(data.images):,} images, {texts}, "
        f"digest {task_digest(task, data_root)[:16]}, at {place.captions or place.root}"
    )


def _require_kind(task: Task, kind: TaskKind) -> None:
    if task.kind is not kind:
        raise BenchmarkError(f"Task {task.name} is of kind {task.kind}, not {kind}")
