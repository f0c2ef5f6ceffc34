"""Charts of a round of CADS: the agreement of the judges, and the rates of each member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rolesynth_assets.pictures.figure import SMALL, TITLE, figure_png, new_figure, plain_axes
from rolesynth_assets.pictures.style import BAD, FAINT, GOOD, INK, PAPER, SERIES


@dataclass(frozen=True)
class MemberRate:
    """One member's counts: candidates that it solved, judged, had kept, and wrote."""

    name: str
    solved: int
    judged: int
    kept: int
    written: int


def consensus_histogram(counts: Sequence[int], *, title: str = "") -> bytes:
    """Draw the number of candidates for each C, coloured by their fate.

    Args:
        counts: number of candidates with C = 0, 1, ..., K.
        title: title, such as the domain and the round.

    Raises:
        ValueError: no candidate is decided, or there is no judge.
    """
    total = sum(counts)
    if len(counts) < 2 or not total:
        raise ValueError("no decided candidate to draw: judge the round first")
    figure = new_figure(330)
    panel = figure.subplots()
    plain_axes(panel)
    last = len(counts) - 1
    bars = panel.bar(range(len(counts)), counts, color=[_fate(c, last)[1] for c in range(last + 1)])
    for place, (bar, count) in enumerate(zip(bars, counts, strict=True)):
        panel.annotate(
            f"{count}  ({count / total:.0%})",
            (bar.get_x() + bar.get_width() / 2, count),
            (0, 4),
            textcoords="offset points",
            ha="center",
            **SMALL,
        )
        bar.set_label(_fate(place, last)[0] if place in (0, 1, last) else "_")
    panel.set_xticks(range(len(counts)), [f"C = {place}" for place in range(len(counts))])
    panel.set_ylim(0, max(counts) * 1.14)
    panel.set_ylabel("candidates", color=FAINT)
    panel.set_title(f"{_plain(title)}  {total} decided by {last} judges each".strip(), **TITLE)
    figure.legend(frameon=False, labelcolor=INK, loc="outside upper right", ncols=3)
    return figure_png(figure)


def member_rates(rates: Sequence[MemberRate], *, title: str = "") -> bytes:
    """Draw each member's solve rate as a judge and keep rate as a writer, with their counts.

    Args:
        rates: counts of each member; a rate without a denominator is shown as "none".
        title: title, such as the domain and the round.

    Raises:
        ValueError: there is no member.
    """
    if not rates:
        raise ValueError("no members to draw: a collective has at least one")
    figure = new_figure(110 + 34 * len(rates))
    left, right = figure.subplots(1, 2, sharey=True)
    for panel, label, colour, counts in (
        (left, "solves as a judge", SERIES[0], [(r.solved, r.judged) for r in rates]),
        (right, "is kept as a writer", SERIES[2], [(r.kept, r.written) for r in rates]),
    ):
        plain_axes(panel, grid="x")
        panel.set_title(label, **TITLE)
        panel.set_xlim(0, 150)  # room for the counts beside a bar of 100 %
        panel.set_xticks([0, 50, 100])
        for row, (part, whole) in enumerate(counts):
            share = 100 * part / whole if whole else 0.0
            panel.barh(row, share, height=0.62, color=colour)
            panel.annotate(
                f"{share:.0f} %  {part} of {whole}" if whole else "none",
                (share, row),
                (5, 0),
                textcoords="offset points",
                va="center",
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1},
                **SMALL,
            )
    left.set_yticks(range(len(rates)), [_plain(rate.name) for rate in rates])
    left.tick_params(axis="y", labelsize=11, labelcolor=INK)
    left.set_ylim(len(rates) - 0.4, -0.6)
    figure.supxlabel(
        f"{_plain(title)}{': ' if title else ''}percent of decided candidates",
        fontsize=11,
        color=FAINT,
    )
    return figure_png(figure)


def _fate(consensus: int, judges: int) -> tuple[str, str]:
    """Return the fate of a candidate with the given C, and its colour."""
    if consensus == 0:
        return "discarded", BAD
    return ("kept", GOOD) if consensus == judges else ("kept and hard", SERIES[1])


def _plain(text: str) -> str:
    return text.replace("$", r"\$")  # matplotlib would read a formula
