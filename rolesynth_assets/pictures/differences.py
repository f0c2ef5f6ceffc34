"""A chart of measured differences with their intervals, sorted."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rolesynth_assets.pictures.figure import SMALL, figure_png, new_figure, plain_axes
from rolesynth_assets.pictures.style import BAD, FAINT, GOOD, INK


@dataclass(frozen=True)
class DifferenceRow:
    """One difference in points, with the bounds of its interval."""

    label: str
    value: float
    low: float
    high: float


def difference_chart(rows: Sequence[DifferenceRow], *, axis: str) -> bytes:
    """Draw one row for each difference, the largest first, and a line at zero.

    An interval above zero is green, one below zero red, and one that includes zero grey.

    Args:
        rows: the differences, in any order.
        axis: what is measured, below the axis.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not rows:
        raise ValueError("no differences to draw")
    figure = new_figure(90 + 34 * len(rows))
    panel = figure.subplots()
    plain_axes(panel, grid="x")
    ordered = sorted(rows, key=lambda row: (-row.value, row.label))
    for place, row in enumerate(ordered):
        colour = GOOD if row.low > 0 else BAD if row.high < 0 else FAINT
        panel.plot([row.low, row.high], [place, place], color=colour, linewidth=2.4)
        panel.plot([row.low, row.high], [place, place], "|", color=colour, markersize=9)
        panel.plot([row.value], [place], "o", color=colour, markersize=6)
        panel.annotate(
            f"{row.value:+.1f}",
            (max(row.high, row.value), place),
            (6, 0),
            textcoords="offset points",
            va="center",
            **SMALL,
        )
    panel.axvline(0, color=INK, linewidth=1.2)
    labels = [textwrap.shorten(row.label, 60, placeholder=" …") for row in ordered]
    panel.set_yticks(range(len(ordered)), labels, fontsize=10, color=INK)
    panel.set_ylim(len(ordered) - 0.4, -0.6)
    panel.margins(x=0.12)
    panel.set_xlabel(axis, color=FAINT)
    return figure_png(figure)
