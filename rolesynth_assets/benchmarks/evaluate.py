"""The evaluation of a model on a task, as scores with intervals and chance levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rolesynth_assets.benchmarks.classify import class_features, class_texts, classification_hits
from rolesynth_assets.benchmarks.datasets import read_classification, read_retrieval
from rolesynth_assets.benchmarks.encoder import Encoder, UndecodableImage, load_encoder
from rolesynth_assets.benchmarks.intervals.bootstrap import (
    LEVEL,
    RESAMPLES,
    bootstrap_mean,
    bootstrap_mean_per_class,
)
from rolesynth_assets.benchmarks.layouts.files import Sample
from rolesynth_assets.benchmarks.query_ranks import (
    Direction,
    classification_rows,
    rank_queries,
    ranking_table,
    retrieval_rows,
)
from rolesynth_assets.benchmarks.ranking import chance_of_hit
from rolesynth_assets.benchmarks.retrieval import retrieval_hits
from rolesynth_assets.benchmarks.score import Measurement, Metric, Score, scores_frame
from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind
from rolesynth_assets.clip.checkpoint.files import read_manifest
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.files.whole_folders import local_folder
from rolesynth_assets.progress import Progress

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

BATCH = 64  # images or texts per call of the encoder
RECALL_AT = (1, 5, 10)
TOP = (1, 5)


@dataclass(frozen=True)
class Measured:
    """What one model did on a task.

    Attributes:
        measurements: the hits behind the scores, for paired comparisons.
        rankings: rows of the table ``rankings``, without who was measured.
    """

    measurements: list[Measurement]
    rankings: list[dict]


@dataclass(frozen=True)
class SeedScores:
    """What is stored of one checkpoint on one task.

    Attributes:
        scores: rows of the small table ``benchmark_scores``.
        rankings: rows of the table ``rankings``.
    """

    scores: pl.DataFrame
    rankings: pa.Table


def evaluate_seed(
    checkpoint_dir: DataPath,
    task: Task,
    data_root: DataPath | str | None = None,
    *,
    run_id: str = "",
    progress: Progress | None = None,
) -> SeedScores:
    """Load a finished checkpoint and score it on a task; see `evaluate`.

    Args:
        checkpoint_dir: the checkpoint, which names its recipe and seed.
        task: what to measure.
        data_root: replaces `{data}` in the task's path.
        run_id: the run that measures.
        progress: called with (done, total) embedded images and texts.
    """
    folder = local_folder(checkpoint_dir)
    manifest = read_manifest(folder)
    found = measure(load_encoder(folder), task, data_root, progress=progress)
    scores = [_score(measurement, 0, RESAMPLES, LEVEL) for measurement in found.measurements]
    who = {"recipe": manifest.recipe, "seed": manifest.seed, "benchmark": task.name}
    who |= {"checkpoint_digest": manifest.weights_digest, "run_id": run_id}
    return SeedScores(scores_frame(scores, **who), ranking_table(found.rankings, **who))


def evaluate(
    encoder: Encoder,
    task: Task,
    data_root: DataPath | str | None = None,
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
    measured = measure(encoder, task, data_root, batch=batch, progress=progress)
    return [_score(found, seed, resamples, level) for found in measured.measurements]


def measure(
    encoder: Encoder,
    task: Task,
    data_root: DataPath | str | None = None,
    *,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> Measured:
    """Return the hits behind the scores and the rankings; arguments as in `evaluate`."""
    kind = _measure_retrieval if task.kind is TaskKind.RETRIEVAL else _measure_classification
    found = kind(encoder, task, data_root, batch, progress or (lambda done, total: None))
    telling = [measurement for measurement in found.measurements if measurement.chance < 1.0]
    return Measured(telling, found.rankings)


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
    encoder: Encoder, task: Task, data_root: DataPath | str | None, batch: int, progress: Progress
) -> Measured:
    data = read_retrieval(task, data_root)
    images, texts = _embed(encoder, data.images, data.captions, batch, progress)
    hits = retrieval_hits(images, texts, data.caption_image, ks=RECALL_AT)
    queries = np.arange(len(data.images))
    captions = np.bincount(data.caption_image)
    one = np.ones(1, dtype=np.int64)
    ranked = [
        rank_queries(Direction.TEXT_TO_IMAGE, texts, images, hits.text_rank),
        rank_queries(Direction.IMAGE_TO_TEXT, images, texts, hits.image_rank),
    ]
    measurements = [
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
    return Measured(measurements, retrieval_rows(ranked, data))


def _measure_classification(
    encoder: Encoder, task: Task, data_root: DataPath | str | None, batch: int, progress: Progress
) -> Measured:
    data = read_classification(task, data_root)
    texts = class_texts(data.class_names, data.templates)
    image_rows, text_rows = _embed(encoder, data.images, texts, batch, progress)
    number = len(data.class_names)
    classes = class_features(text_rows, number)
    hits = classification_hits(image_rows, classes, data.labels, ks=TOP)
    queries = np.arange(len(data.images))
    of_class = Measurement(Metric.MEAN_PER_CLASS, hits.at[1], data.labels, 1 / number)
    found = [Measurement(Metric(f"top{k}"), hits.at[k], queries, min(1, k / number)) for k in TOP]
    ranked = rank_queries(Direction.IMAGE_TO_CLASS, image_rows, classes, hits.rank)
    return Measured([*found, of_class], classification_rows(ranked, data))


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
