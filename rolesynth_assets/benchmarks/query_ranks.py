"""The rank and the first candidates of single queries, by which two models are compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from rolesynth_assets.benchmarks.ranking import check_embeddings
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    import pyarrow as pa

    from rolesynth_assets.benchmarks.datasets import ClassificationSet, RetrievalSet

MOST_QUERIES = 2_000
"""Queries of one direction that are kept for a checkpoint; of more, a random sample."""
TOP = 10
"""Candidates that are kept of a query."""
SHOWN_CAPTIONS = 5
"""Captions of its image that a query shows at most."""
_DRAW_SEED = 0  # the same queries for every checkpoint
_BLOCK = 4096


class Direction(StrEnum):
    """What is looked for with what."""

    TEXT_TO_IMAGE = "text_to_image"
    IMAGE_TO_TEXT = "image_to_text"
    IMAGE_TO_CLASS = "image_to_class"


@dataclass(frozen=True)
class QueryRanks:
    """Some queries of one direction.

    Attributes:
        direction: what is looked for with what.
        queries: (n,) places of the queries in the benchmark: of images, or of captions.
        ranks: (n,) rank of the first right candidate, from 1; tied candidates are in random order,
            of which this is the mean (see `ranking.expected_rank`).
        top: (n, at most `TOP`) places of the best candidates, the best first.
    """

    direction: Direction
    queries: np.ndarray
    ranks: np.ndarray
    top: np.ndarray


def rank_queries(
    direction: Direction, queries: np.ndarray, candidates: np.ndarray, ranks: np.ndarray
) -> QueryRanks:
    """Return the ranks and first candidates of a direction's queries, `MOST_QUERIES` at most.

    Args:
        direction: what is looked for with what.
        queries: (queries, d) embeddings, L2-normalised.
        candidates: (candidates, d) embeddings, L2-normalised.
        ranks: (queries,) rank of the first right candidate.
    """
    drawn = np.arange(len(queries))
    if len(queries) > MOST_QUERIES:
        rng = np.random.default_rng(_DRAW_SEED)
        drawn = np.sort(rng.choice(len(queries), MOST_QUERIES, replace=False))
    asked = check_embeddings("query", queries[drawn], len(drawn))
    return QueryRanks(direction, drawn, ranks[drawn], first_candidates(asked, candidates))


def first_candidates(
    queries: np.ndarray, candidates: np.ndarray, *, k: int = TOP, block: int = _BLOCK
) -> np.ndarray:
    """Return the places of each query's k best candidates, the best first, block by block.

    Args:
        queries: (queries, d) float32.
        candidates: (candidates, d) float32.
        k: candidates to return; fewer if there are fewer.
        block: candidates whose similarities are in memory at once.
    """
    scores = np.empty((len(queries), 0), dtype=np.float32)
    places = np.empty((len(queries), 0), dtype=np.int64)
    for start in range(0, len(candidates), block):
        found = queries @ candidates[start : start + block].T
        here = np.broadcast_to(np.arange(start, start + found.shape[1]), found.shape)
        scores, places = np.hstack([scores, found]), np.hstack([places, here])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        scores, places = (np.take_along_axis(of, order, axis=1) for of in (scores, places))
    return places


def retrieval_rows(found: Iterable[QueryRanks], data: RetrievalSet) -> list[dict]:
    """Return rows of the table ``rankings`` of a retrieval benchmark, without who was measured.

    Args:
        found: the ranked queries.
        data: the benchmark.
    """
    captions_of: list[list[int]] = [[] for _ in data.images]
    for caption, image in enumerate(data.caption_image):
        captions_of[image].append(caption)

    def shown(image: int) -> str:
        own = dict.fromkeys(data.captions[c] for c in captions_of[image])
        return "\n".join([*own][:SHOWN_CAPTIONS])

    rows = []
    for ranked in found:
        by_text = ranked.direction is Direction.TEXT_TO_IMAGE
        for query, rank, top in zip(ranked.queries, ranked.ranks, ranked.top, strict=True):
            image = int(data.caption_image[query]) if by_text else int(query)
            words = data.captions[query] if by_text else shown(image)
            images = [int(i) for i in (top if by_text else data.caption_image[top])]
            texts = [
                data.captions[captions_of[i][0] if by_text else c]
                for i, c in zip(images, top, strict=True)
            ]
            candidates = [
                {"image": i, "text": text, "right": i == image}
                for i, text in zip(images, texts, strict=True)
            ]
            rows.append(_row(ranked.direction, query, image, words, rank, candidates))
    return rows


def classification_rows(found: QueryRanks, data: ClassificationSet) -> list[dict]:
    """Return rows of the table ``rankings`` of a classification benchmark; see `retrieval_rows`."""
    rows = []
    for query, rank, top in zip(found.queries, found.ranks, found.top, strict=True):
        own = int(data.labels[query])
        candidates = [{"text": data.class_names[c], "right": int(c) == own} for c in top]
        rows.append(_row(found.direction, query, query, data.class_names[own], rank, candidates))
    return rows


def _row(
    direction: Direction,
    query: int,
    image: int,
    text: str,
    rank: float,
    candidates: Sequence[dict],
) -> dict:
    return {
        "direction": str(direction),
        "query": int(query),
        "image": int(image),
        "text": text,
        "rank": float(rank),
        "top": json.dumps(candidates, ensure_ascii=False),
    }


def ranking_id(seed: int, direction: str, query: int) -> str:
    """Return the key of a row of ``rankings``, which is unique within recipe and benchmark."""
    return digest("ranking", seed, str(direction), query)


def ranking_table(
    rows: Sequence[dict],
    *,
    recipe: str,
    seed: int,
    benchmark: str,
    checkpoint_digest: str,
    run_id: str,
) -> pa.Table:
    """Return rows with who was measured, ready for the table ``rankings``."""
    import pyarrow as pa

    from rolesynth_assets.store.lance.schemas import RANKINGS

    who = {"recipe": recipe, "benchmark": benchmark, "seed": seed}
    who |= {"checkpoint_digest": checkpoint_digest, "run_id": run_id}
    keyed = [
        {**row, **who, "ranking_id": ranking_id(seed, row["direction"], row["query"])}
        for row in rows
    ]
    return pa.Table.from_pylist(keyed, schema=RANKINGS.schema)
