"""The metadata of a round in the catalogue: numbers, contexts, and the rows of its galleries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rolesynth_assets.cads.report.counts import RoundReport
from rolesynth_assets.cads.report.page import round_markdown
from rolesynth_assets.cads.report.sheets import PROBLEMS, galleries, round_charts
from rolesynth_assets.cads.values import Decision
from rolesynth_assets.pictures import markdown
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.mllm.engine import ModelIdentity
    from rolesynth_assets.store.lance.reader import StoreReader

MOST_CONTEXTS = 3
MOST_TEXT = 1_500
"""Characters of a context that are shown; a context has fewer than 1,500 words."""


def round_numbers(report: RoundReport) -> dict[str, int | float]:
    """Return the numbers of a round by name; a rate without a denominator is left out."""
    usage = report.usage
    numbers: dict[str, int | float | None] = {
        "candidates": report.candidates,
        "decided": report.decided,
        "kept": report.kept,
        "hard": report.hard,
        "undecided": report.undecided,
        "failed": report.failed,
        "duplicates": report.duplicates,
        "keep_rate": report.keep_rate,
        "hard_rate": report.hard_rate,
        "kept_without_writer": report.kept_without_writer,
        "seeds": report.seeds,
        "seeds_at_work": report.seeds_at_work,
        "contexts_rewritten": report.reflected,
        "calls": usage.calls,
        "from_journal": usage.from_journal,
        "images": usage.images,
        "images_from_journal": usage.images_from_journal,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost": usage.cost,
        "rows_tokens": report.rows_tokens,
    }
    numbers |= {f"consensus_{c}": count for c, count in enumerate(report.consensus)}
    numbers |= {f"flagged_{check}": count for check, count in report.flagged.items()}
    for member in report.members:
        numbers[f"solve_rate_{member.name}"] = member.solve_rate
        numbers[f"keep_rate_{member.name}"] = member.keep_rate
    return {name: number for name, number in numbers.items() if number is not None}


def round_metadata(report: RoundReport, contexts: pl.DataFrame) -> dict[str, object]:
    """Return the numbers of a round, its page, and some contexts before and after it.

    Args:
        report: of the round.
        contexts: its rows of the table ``contexts``.
    """
    return {
        **round_numbers(report),
        "report": markdown.Markdown(round_markdown(report)),
        "contexts": markdown.Markdown(contexts_markdown(contexts)),
    }


def round_pictures(
    store: StoreReader,
    partition: Mapping[str, str],
    report: RoundReport,
    rows: Mapping[str, pl.DataFrame],
    members: Iterable[ModelIdentity],
    title: str,
) -> dict[str, bytes]:
    """Draw a round's galleries and charts; return PNGs by name.

    Args:
        store: holds the images of the candidates.
        partition: domain and round.
        report: of the round.
        rows: of the round, by table.
        members: the models that made it; a stand-in is named below the galleries.
        title: of the pictures.
    """
    stand_ins = any(model.stand_in for model in members)
    note = "the members are embedded stand-ins" if stand_ins else ""
    shown = shown_candidates(store, partition, rows["candidates"])
    drawn = galleries(shown, rows["verdicts"], title=title, note=note)
    return drawn | round_charts(report, title=title)


def contexts_markdown(contexts: pl.DataFrame) -> str:
    """Show some seeds' contexts before and after a round, rewritten ones first.

    Args:
        contexts: rows of the table ``contexts``, of one round.
    """
    import polars as pl

    rewritten = (pl.col("before") != pl.col("text")).alias("rewritten")
    rows = contexts.with_columns(rewritten).sort("rewritten", "seed_id", descending=[True, False])
    parts = []
    for row in rows.head(MOST_CONTEXTS).iter_rows(named=True):
        parts += [
            markdown.bold(f"Seed {row['seed_id'][:12]}") + f", {row['hard']} hard samples",
            f"Before:\n\n{_quoted(row['before'])}",
            f"After:\n\n{_quoted(row['text'])}" if row["rewritten"] else "After: unchanged.",
        ]
    left = contexts.height - min(contexts.height, MOST_CONTEXTS)
    return "\n\n".join([*parts, *([f"And {left} more seeds."] if left else [])])


def shown_candidates(
    store: StoreReader, partition: Mapping[str, str], candidates: pl.DataFrame
) -> pl.DataFrame:
    """Read the candidates that a round's galleries show, with their images.

    Args:
        store: store with the table ``candidates``.
        partition: domain and round.
        candidates: the round's rows; their images may be left out.
    """
    import polars as pl

    from rolesynth_assets.store.lance.rows import any_key

    kept = candidates.filter(pl.col("decision") == Decision.KEPT.value).drop_nulls("image_id")
    ids: list[str] = []
    for hard in (False, True):
        pool = kept.filter(pl.col("hard") == hard)["candidate_id"].to_list()
        ids += sorted(pool, key=lambda key: digest("showcase", key))[:PROBLEMS]
    where = any_key("candidate_id", ids) if ids else "false"
    return pl.DataFrame(store.read("candidates", partition, where=where))


def _quoted(text: str) -> str:
    return markdown.quote(text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…")
