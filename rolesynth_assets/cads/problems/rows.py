"""Rows of the table ``problems`` from a selection, and the images of its candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.cads.problems.bare_answer import Gold
from rolesynth_assets.cads.problems.drops import Dropped
from rolesynth_assets.store.errors import MissingRowError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from rolesynth_assets.store.lance.reader import StoreReader

Images = Callable[[Sequence[str]], Mapping[str, bytes]]
"""Reads encoded images by candidate id."""

IMAGES_AT_ONCE = 256  # some tens to hundreds of MB

_COPIED = (
    "domain",
    "round",
    "seed_id",
    "member",
    "question",
    "solution",
    "strategy",
    "task_type",
    "consensus",
    "judges",
    "hard",
    "image_id",
)


def candidate_images(store: StoreReader, domain: str) -> Images:
    """Return a reader of the drawn images of a domain's candidates.

    The reader raises `MissingRowError` for a candidate that does not exist or has no image.
    """
    from rolesynth_assets.store.lance.rows import any_key

    def read(ids: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for start in range(0, len(ids), IMAGES_AT_ONCE):
            asked = any_key("candidate_id", ids[start : start + IMAGES_AT_ONCE])
            rows = store.read("candidates", {"domain": domain}, ["candidate_id", "image"], asked)
            pairs = zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True)
            found.update((key, image) for key, image in pairs if image)
        absent = [key for key in ids if key not in found]
        if absent:
            raise MissingRowError(
                f"Table 'candidates', domain {domain!r}: {len(absent)} of {len(ids)} candidates "
                f"have no image, such as {absent[0]}. Materialize cads_rounds for this domain."
            )
        return found

    return read


def problem_rows(accepted: pl.DataFrame, outcomes: Mapping[str, Gold | Dropped]) -> pl.DataFrame:
    """Return all columns of the table ``problems`` but ``image``, by problem id.

    Args:
        accepted: rows of the table ``candidates``.
        outcomes: outcome of each row, by candidate id. A kept row has the bare answer, and the
            writer's own one in ``detail`` if it differs; a dropped row has the writer's own answer.
            An ``<image>`` in the question is removed: the trainer places the image.
    """
    import polars as pl

    fates = []
    for key, written in accepted.select("candidate_id", "answer").iter_rows():
        outcome = outcomes[key]
        if isinstance(outcome, Dropped):
            fates.append((key, written, False, str(outcome.reason), outcome.detail))
        else:
            fates.append((key, outcome.answer, True, None, outcome.detail))
    schema = {
        "problem_id": pl.String,
        "answer": pl.String,
        "kept": pl.Boolean,
        "reason": pl.String,
        "detail": pl.String,
    }
    of_candidate = accepted.select(pl.col("candidate_id").alias("problem_id"), *_COPIED)
    question = pl.col("question").str.replace_all(r"(?i)\s*<image>\s*", " ").str.strip_chars()
    return (
        of_candidate.with_columns(question)
        .join(pl.DataFrame(fates, schema=schema, orient="row"), on="problem_id", validate="1:1")
        .sort("problem_id")
    )


def problem_table(rows: pl.DataFrame, images: Images) -> pa.Table:
    """Add the images to the rows of a selection, ready for the table ``problems``.

    Args:
        rows: `Selection.rows`, or some of them.
        images: reader of the candidates' images; all of them are held in memory, in chunks.
    """
    import pyarrow as pa

    from rolesynth_assets.store.lance.schemas import PROBLEMS

    chunks = [PROBLEMS.schema.empty_table()]
    for part in rows.iter_slices(IMAGES_AT_ONCE):
        ids = part["problem_id"].to_list()
        found = images(ids)
        pictures = pa.array([found[key] for key in ids], pa.binary())
        with_images = part.to_arrow().append_column("image", pictures)
        chunks.append(with_images.select(PROBLEMS.schema.names).cast(PROBLEMS.schema))
    return pa.concat_tables(chunks)
