"""Charts of the pipeline's numbers, as PNGs of the width that the Dagster UI shows."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rolesynth_assets.pictures.figure import SMALL, TITLE, figure_png, new_figure, plain_axes
from rolesynth_assets.pictures.style import BAD, FAINT, INK, PAPER, SERIES, series_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class ScoreBar:
    """One measured value with its interval, all on a scale of 0 to 1."""

    recipe: str
    metric: str
    value: float
    low: float
    high: float
    chance: float


def score_histogram(scores: Mapping[str, Sequence[int]]) -> bytes:
    """Draw how the judge's scores are spread, one panel a role on one pair of axes' scales.

    Args:
        scores: scores of 1-100 by role name, without nulls.

    Raises:
        ValueError: there is no score.
    """
    if not any(len(values) for values in scores.values()):
        raise ValueError("no scores for a histogram: materialize caption_scores first")
    columns = min(3, len(scores))
    rows = math.ceil(len(scores) / columns)
    figure = new_figure(110 + 170 * rows)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    bins = np.arange(0.5, 101, 5)  # twenty bins of five whole scores
    for index, panel in enumerate(panels.flat):
        if index >= len(scores):
            panel.set_visible(False)
            panels[rows - 2, index % columns].tick_params(labelbottom=True)
            continue
        role, values = list(scores.items())[index]
        plain_axes(panel)
        panel.hist(values, bins=bins.tolist(), color=series_colour(index))
        mean = f", mean {np.mean(values):.0f}" if len(values) else ""
        panel.set_title(f"{_label(role)}\n{_count(len(values))} scores{mean}", **TITLE)
        panel.set_xlim(0, 101)
    figure.supxlabel("score of 1-100", fontsize=11, color=FAINT)
    figure.supylabel("captions", fontsize=11, color=FAINT)
    return figure_png(figure)


def _window(steps: int) -> int:
    return max(1, steps // 20)


def end_of_curve(losses: Sequence[float]) -> float:
    """Return where the drawn running mean of a loss ends; NaN if no loss is finite."""
    finite = np.asarray(losses, float)
    finite = finite[np.isfinite(finite)]
    return float(finite[-_window(len(finite)) :].mean()) if len(finite) else float("nan")


def loss_curve(steps: Sequence[int], losses: Sequence[float], *, title: str = "") -> bytes:
    """Draw the training loss by optimiser step, with a running mean over a twentieth of the run.

    A loss that is not finite is marked on the axis at the step where it occurs.

    Raises:
        ValueError: there is no step, or steps and losses differ in number.
    """
    if not steps or len(steps) != len(losses):
        raise ValueError(f"a loss curve needs a loss a step, got {len(losses)} for {len(steps)}")
    x, y = np.asarray(steps, float), np.asarray(losses, float)
    finite = np.isfinite(y)
    figure = new_figure(380)
    panel = figure.subplots()
    plain_axes(panel)
    panel.plot(x[finite], y[finite], color=SERIES[0], linewidth=0.9, alpha=0.35, label="each step")
    window = _window(int(finite.sum()))
    if window > 1:
        smooth = np.convolve(y[finite], np.ones(window) / window, mode="valid")
        panel.plot(
            x[finite][window - 1 :],
            smooth,
            color=SERIES[0],
            linewidth=2.2,
            label=f"mean of {window} steps",
        )
    if not finite.all():
        panel.plot(
            x[~finite],
            np.zeros((~finite).sum()),
            "x",
            color=BAD,
            label="not finite",
            transform=panel.get_xaxis_transform(),
            clip_on=False,
        )
    if finite.any():
        last = y[finite][-window:].mean()
        panel.set_title(f"{_label(title)}  loss {y[finite][0]:.2f} to {last:.2f}".strip(), **TITLE)
    panel.set_xlabel("optimiser step", color=FAINT)
    panel.set_ylabel("loss", color=FAINT)
    panel.legend(frameon=False, labelcolor=INK)
    return figure_png(figure)


def retrieval_bars(bars: Sequence[ScoreBar], *, title: str = "") -> bytes:
    """Draw a panel a metric with a bar a recipe, its interval, and a dashed line at chance level.

    Args:
        bars: values on a scale of 0 to 1, drawn in percent; recipes and metrics keep the order of
            their first bars.
        title: title, such as the name of the benchmark.

    Raises:
        ValueError: there is nothing to draw, or a recipe has two values of one metric.
    """
    found = {(bar.metric, bar.recipe): bar for bar in bars}
    if not bars or len(found) != len(bars):
        raise ValueError(f"{len(bars)} bars for {len(found)} pairs of metric and recipe")
    recipes = list(dict.fromkeys(bar.recipe for bar in bars))
    metrics = list(dict.fromkeys(bar.metric for bar in bars))
    columns = min(2, len(metrics))
    rows = math.ceil(len(metrics) / columns)
    figure = new_figure(70 + rows * (64 + 38 * len(recipes)))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for index, panel in enumerate(panels.flat):
        if index >= len(metrics):
            panel.set_visible(False)
            continue
        chosen = [found.get((metrics[index], recipe)) for recipe in recipes]
        _draw_bars(panel, metrics[index], recipes, chosen)
    widest = max(max(bar.high, bar.value, bar.chance) for bar in bars) * 100
    panels[0, 0].set_xlim(0, min(widest * 1.22, 116) or 1)
    figure.supxlabel("percent; bars with their interval, dashed: chance", fontsize=11, color=FAINT)
    if title:
        figure.suptitle(_label(title, 90), fontsize=13, color=INK, fontweight="bold")
    return figure_png(figure)


def size_histogram(widths: Sequence[int], heights: Sequence[int]) -> bytes:
    """Draw the distribution of the sizes of a shard's images: shorter side, and width / height.

    Args:
        widths: width of each image, px.
        heights: height of each image, px.

    Raises:
        ValueError: there is no image, or the two differ in number.
    """
    if not widths or len(widths) != len(heights):
        raise ValueError(
            f"image sizes need pairs, got {len(widths)} widths, {len(heights)} heights"
        )
    shorter = np.minimum(widths, heights)
    aspect = np.asarray(widths, float) / np.asarray(heights, float)
    figure = new_figure(330)
    sides, shapes = figure.subplots(1, 2)
    for panel, values, label, digits in (
        (sides, shorter, "shorter side, pixels", 0),
        (shapes, aspect, "width / height", 2),
    ):
        plain_axes(panel)
        low, high = float(values.min()), float(values.max())
        spread = (high - low) or max(1.0, 0.1 * high)  # one size only: a bar with some width
        middle = (low + high) / 2
        panel.hist(values, bins=24, range=(middle - 0.52 * spread, middle + 0.52 * spread))
        for patch in panel.patches:
            patch.set_facecolor(SERIES[0])
        panel.set_xlabel(label, color=FAINT)
        panel.set_title(
            f"median {np.median(values):.{digits}f}, from {low:.{digits}f} to {high:.{digits}f}",
            **TITLE,
        )
    sides.set_ylabel("images", color=FAINT)
    return figure_png(figure)


def kept_share_by_role(
    survivors: Mapping[str, Mapping[str, tuple[int, int]]], keep_share: float
) -> bytes:
    """Draw the kept share of each role's captions, with one bar a length kind.

    Args:
        survivors: (kept, candidates) by role and length kind.
        keep_share: the configured share over all roles, drawn as a dashed line.

    Raises:
        ValueError: there is no role.
    """
    if not survivors:
        raise ValueError("no roles to draw: materialize filter_cutoffs first")
    lengths = list(dict.fromkeys(length for row in survivors.values() for length in row))
    figure = new_figure(140 + len(survivors) * (18 + 22 * len(lengths)))
    panel = figure.subplots()
    plain_axes(panel, grid="x")
    thick = 0.8 / len(lengths)
    for place, length in enumerate(lengths):
        y = np.arange(len(survivors)) - 0.4 + thick * (place + 0.5)
        counts = [row.get(length, (0, 0)) for row in survivors.values()]
        shares = [100 * kept / candidates if candidates else 0.0 for kept, candidates in counts]
        panel.barh(y, shares, height=thick * 0.9, color=SERIES[place], label=length)
        for where, share, (kept, candidates) in zip(y, shares, counts, strict=True):
            text = f"{share:.0f} %  {_count(kept)} of {_count(candidates)}"
            panel.annotate(
                text,
                (share, where),
                (5, 0),
                textcoords="offset points",
                va="center",
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1},
                **SMALL,
            )
    panel.axvline(100 * keep_share, color=INK, linestyle="--", linewidth=1.2)
    panel.set_yticks(range(len(survivors)), [*map(_label, survivors)], fontsize=11, color=INK)
    panel.invert_yaxis()
    panel.set_xlim(0, panel.get_xlim()[1] * 1.22)
    panel.set_xlabel(f"percent kept; dashed: asked over all roles, {keep_share:.0%}", color=FAINT)
    if len(lengths) > 1:
        figure.legend(frameon=False, labelcolor=INK, loc="outside upper right", ncols=2)
    return figure_png(figure)


def _draw_bars(
    panel: Axes, metric: str, recipes: Sequence[str], bars: Sequence[ScoreBar | None]
) -> None:
    """Draw one metric with horizontal bars, so that the names of recipes need no rotation."""
    plain_axes(panel, grid="x")
    panel.set_title(_label(metric), **TITLE)
    for row, bar in enumerate(bars):
        if bar is None:
            continue
        value, low, high = 100 * bar.value, 100 * bar.low, 100 * bar.high
        panel.barh(row, value, height=0.62, color=series_colour(row))
        panel.plot([low, high], [row, row], color=INK, linewidth=1.6, solid_capstyle="butt")
        panel.plot([low, high], [row, row], "|", color=INK, markersize=8)
        panel.plot([100 * bar.chance] * 2, [row - 0.45, row + 0.45], "--", color=INK, linewidth=1.2)
        panel.annotate(
            f"{value:.1f}",
            (max(value, high), row),
            (6, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            fontsize=10.5,
        )
    panel.set_yticks(range(len(recipes)), [*map(_label, recipes)], fontsize=10.5, color=INK)
    panel.set_ylim(len(recipes) - 0.4, -0.6)


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _label(text: str, width: int = 36) -> str:
    """Shorten a name, and escape dollar signs, which matplotlib would read as a formula."""
    return textwrap.shorten(text, width, placeholder=" …").replace("$", r"\$")
