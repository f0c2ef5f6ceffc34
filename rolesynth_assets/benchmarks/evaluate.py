"""The evaluation of a model on a task, as scores with intervals and chance levels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from rolesynth_assets.benchmarks.bootstrap import (
    LEVEL,
    RESAMPLES,
    bootstrap_mean,
    bootstrap_mean_per_class,
)
from rolesynth_assets.benchmarks.classify import class_features, class_texts, classification_hits
from rolesynth_assets.benchmarks.datasets import read_classification, read_retrieval
from rolesynth_assets.benchmarks.encoder import Encoder, UndecodableImage, load_encoder
from rolesynth_assets.benchmarks.layouts.files import Sample
from rolesynth_assets.benchmarks.paired import hits_frame
from rolesynth_assets.benchmarks.ranking import chance_of_hit
from rolesynth_assets.benchmarks.retrieval import retrieval_hits
from rolesynth_assets.benchmarks.score import Measurement, Metric, Score, scores_frame
from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind
from rolesynth_assets.clip.checkpoint.files import read_manifest
from rolesynth_assets.progress import Progress

if TYPE_CHECKING:
    import polars as pl

BATCH = 64  # images or texts per call of the encoder
RECALL_AT = (1, 5, 10)
TOP = (1, 5)


@dataclass(frozen=True)
class SeedScores:
    """What was measured of one checkpoint on one benchmark.

    Attributes:
        scores: rows of the warehouse table ``benchmark_scores``.
        hits: rows of ``benchmark_hits``.
    """

    scores: pl.DataFrame
    hits: pl.DataFrame


class _Named(TypedDict):
    recipe: str
    seed: int
    benchmark: str
    checkpoint_digest: str


def evaluate_checkpoint(
    checkpoint_dir: Path,
    task: Task,
    data_root: Path | str | None = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Score]:
    """Load a checkpoint and score it on a task; see `evaluate`."""
    encoder = load_encoder(checkpoint_dir)
    return evaluate(encoder, task, data_root, seed=seed, progress=progress)


def evaluate_seed(
    checkpoint_dir: Path,
    task: Task,
    data_root: Path | str | None = None,
    *,
    run_id: str = "",
    progress: Progress | None = None,
) -> SeedScores:
    """Score a finished checkpoint.

    Args:
        checkpoint_dir: the checkpoint, which names its recipe and seed.
        task: what to measure.
        data_root: replaces `{data}` in the task's path.
        run_id: the run that measures.
        progress: called with (done, total) embedded images and texts.
    """
    manifest = read_manifest(checkpoint_dir)
    found = measure(load_encoder(checkpoint_dir), task, data_root, progress=progress)
    named: _Named = {
        "recipe": manifest.recipe,
        "seed": manifest.seed,
        "benchmark": task.name,
        "checkpoint_digest": manifest.weights_digest,
    }
    scores = scores_frame(
        [_score(one, 0, RESAMPLES, LEVEL) for one in found], **named, run_id=run_id
    )
    return SeedScores(scores, hits_frame(found, **named))


def evaluate(
    encoder: Encoder,
    task: Task,
    data_root: Path | str | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> list[Score]:
    """Score a model on a task.

    Args:
        encoder: the model.
        task: the task to measure.
        data_root: value of `{data}` in the task's path.
        seed: seed of the bootstrap draw; keep it the same for all models of a comparison.
        resamples: number of bootstrap resamples.
        level: level of the intervals.
        batch: images or texts per call of the encoder.
        progress: called with (done, total) embedded images and texts.

    Returns:
        Retrieval: R@1, R@5, R@10 image-to-text, then text-to-image. Classification: top-1, top-5
        and mean per class. A metric that a random ranking always fulfils (R@10 among ten images)
        is left out.

    Raises:
        BenchmarkError: the files of the task do not follow the layout.
        ValueError: the encoder returned rows of a wrong shape, or rows that are not finite and
            normalised.
    """
    measurements = measure(encoder, task, data_root, batch=batch, progress=progress)
    return [_score(found, seed, resamples, level) for found in measurements]


def measure(
    encoder: Encoder,
    task: Task,
    data_root: Path | str | None = None,
    *,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> list[Measurement]:
    """Return the hits behind the scores, for paired comparisons; arguments as in `evaluate`."""
    kind = _measure_retrieval if task.kind is TaskKind.RETRIEVAL else _measure_classification
    found = kind(encoder, task, data_root, batch, progress or (lambda done, total: None))
    return [measurement for measurement in found if measurement.chance < 1.0]


def _score(found: Measurement, seed: int, resamples: int, level: float) -> Score:
    resample = bootstrap_mean_per_class if found.metric is Metric.MEAN_PER_CLASS else bootstrap_mean
    interval = resample(found.hits, found.clusters, seed=seed, resamples=resamples, level=level)
    return Score(
        metric=found.metric,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        chance=found.chance,
        n=len(found.hits),
    )


def _measure_retrieval(
    encoder: Encoder, task: Task, data_root: Path | str | None, batch: int, progress: Progress
) -> list[Measurement]:
    data = read_retrieval(task, data_root)
    images, texts = _embed(encoder, data.images, data.captions, batch, progress)
    hits = retrieval_hits(images, texts, data.caption_image, ks=RECALL_AT)
    queries = np.arange(len(data.images))
    captions = np.bincount(data.caption_image)
    one = np.ones(1, dtype=np.int64)
    return [
        Measurement(
            Metric(f"image_to_text_r{k}"),
            hits.image_to_text[k],
            queries,
            chance_of_hit(captions, len(data.captions), k),
        )
        for k in RECALL_AT
    ] + [
        Measurement(
            Metric(f"text_to_image_r{k}"),
            hits.text_to_image[k],
            data.caption_image,
            chance_of_hit(one, len(data.images), k),
        )
        for k in RECALL_AT
    ]


def _measure_classification(
    encoder: Encoder, task: Task, data_root: Path | str | None, batch: int, progress: Progress
) -> list[Measurement]:
    data = read_classification(task, data_root)
    texts = class_texts(data.class_names, data.templates)
    image_rows, text_rows = _embed(encoder, data.images, texts, batch, progress)
    number = len(data.class_names)
    classes = class_features(text_rows, number)
    hits = classification_hits(image_rows, classes, data.labels, ks=TOP)
    queries = np.arange(len(data.images))
    found = [Measurement(Metric(f"top{k}"), hits[k], queries, min(1.0, k / number)) for k in TOP]
    return [*found, Measurement(Metric.MEAN_PER_CLASS, hits[1], data.labels, 1 / number)]


def _embed(
    encoder: Encoder,
    images: tuple[Sample, ...],
    texts: tuple[str, ...] | list[str],
    batch: int,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray]:
    """Embed images while reading them, and each distinct text once, short texts first.

    Sorting by length is faster, since tokens are trimmed to the longest text of a batch.
    """
    distinct = sorted(set(texts), key=lambda text: (len(text), text))
    total = len(images) + len(distinct)
    image_rows, text_rows = [], []
    for start in range(0, len(images), batch):
        encoded = [sample.image.read() for sample in images[start : start + batch]]
        try:
            image_rows.append(encoder.encode_images(encoded))
        except UndecodableImage as error:
            raise BenchmarkError(f"{images[start + error.index].where}: {error}") from error
        progress(min(start + batch, len(images)), total)
    for start in range(0, len(distinct), batch):
        text_rows.append(encoder.encode_texts(distinct[start : start + batch]))
        progress(len(images) + min(start + batch, len(distinct)), total)
    place = {text: row for row, text in enumerate(distinct)}
    order = np.asarray([place[text] for text in texts])
    return np.concatenate(image_rows), np.concatenate(text_rows)[order]
