"""The scores of a recipe on a benchmark, kept in a small table and shown beside its baseline's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import polars as pl

from rolesynth_assets.pictures.charts import ScoreBar, retrieval_bars
from rolesynth_assets.pictures.markdown import image
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    from rolesynth_assets.store.small.tables import SmallTables


class Compared(Protocol):
    """A recipe of CLIP or of R1, as far as its scores are concerned."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def baseline(self) -> str | None:
        """Name of the recipe it is held against, if there is one."""
        ...


@dataclass(frozen=True)
class RecordedScores:
    """One recipe's scores on one benchmark.

    Attributes:
        benchmark: its name.
        scores: rows of a table of scores, of all seeds.
        baseline: the baseline's rows; the recipe's own if it has no baseline.
        baseline_name: None if the recipe has none.
    """

    benchmark: str
    scores: pl.DataFrame
    baseline: pl.DataFrame
    baseline_name: str | None

    @property
    def facts(self) -> dict[str, object]:
        """What the checks of `benchmarks.checks` compare."""
        return {"scores": self.scores, "baseline": self.baseline, "name": self.baseline_name}

    def digest(self, kind: str) -> str:
        """Return the content digest: of every seed's values and checkpoint, not of the run.

        Args:
            kind: what is digested, so that two tables never agree.
        """
        numbers = self.scores.select("seed", "metric", "value", "checkpoint_digest")
        return digest(kind, repr(numbers.sort("seed", "metric").rows()))

    @property
    def _checkpoints(self) -> pl.DataFrame:
        """The checkpoints that were scored; `rolesynth trace` takes their ids."""
        named = pl.concat_str("recipe", pl.lit("|"), "seed").alias("checkpoint")
        found = self.scores.select(named, pl.col("checkpoint_digest").str.slice(0, 16).alias("id"))
        return found.unique(maintain_order=True)

    def metadata(self, bars: Callable[[pl.DataFrame], Sequence[ScoreBar]]) -> dict[str, object]:
        """Return what the catalogue shows: means over seeds, and a picture with the baseline's.

        Args:
            bars: turns rows of scores into the bars of the picture.
        """
        means = self.scores.group_by("metric", maintain_order=True).agg(
            pl.col("value", "low", "high").mean(), pl.col("chance").first()
        )
        shown = pl.concat([self.scores, self.baseline]) if self.baseline_name else self.scores
        picture = retrieval_bars(bars(shown), title=self.benchmark)
        per_cent = (pl.col("value", "low", "high", "chance") * 100).round(1).cast(pl.String) + " %"
        return {
            "bars": image(picture, f"scores on {self.benchmark}"),
            "scores": means.with_columns(per_cent),  # as in the picture and the reports
            **dict(means.select("metric", "value").iter_rows()),  # shares of 1, for plots
            "seeds": self.scores["seed"].n_unique(),
            "checkpoints": self._checkpoints,
        }


def record_scores(
    small: SmallTables,
    table: str,
    recipe: Compared,
    benchmark: str,
    of_seeds: Sequence[pl.DataFrame],
) -> RecordedScores:
    """Replace a recipe's scores on a benchmark in the small tables, and read its baseline's.

    Args:
        small: holds the table.
        table: ``benchmark_scores`` or ``r1_scores``.
        recipe: what was measured.
        benchmark: what it was measured on.
        of_seeds: rows of the table, for each seed; at least one.
    """
    scores = pl.concat(of_seeds)
    small.replace(table, {"recipe": recipe.name, "benchmark": benchmark}, scores)
    theirs = {"recipe": recipe.baseline or recipe.name, "benchmark": benchmark}
    return RecordedScores(benchmark, scores, small.read(table, theirs), recipe.baseline)
