"""Blank figures in the common style of the pictures, and their encoding as PNG.

Figures are created as objects, never through pyplot, whose global state would leak from one run of
a long-lived code server to the next.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from rolesynth_assets.pictures.png import WIDTH, encode_png
from rolesynth_assets.pictures.style import FAINT, INK, PAPER, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 100
MARGIN = 0.1  # inches around each panel

TITLE: dict[str, Any] = {"fontsize": 11.5, "color": INK, "loc": "left"}
SMALL: dict[str, Any] = {"fontsize": 10, "color": FAINT}


def new_figure(height: float) -> Figure:
    """Return a figure of the UI's width and `height` px."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(
        figsize=(WIDTH / DOTS_PER_INCH, height / DOTS_PER_INCH),
        dpi=DOTS_PER_INCH,
        facecolor=PAPER,
        layout=ConstrainedLayoutEngine(w_pad=MARGIN, h_pad=MARGIN),
    )


def plain_axes(panel: Axes, grid: str = "y") -> None:
    """Remove the frame, and keep a faint grid on one axis."""
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.spines["bottom"].set_color(FAINT)
    panel.tick_params(colors=FAINT, labelsize=10.5, length=0)
    panel.grid(axis=grid, color=RULE, linewidth=0.8)  # type: ignore[arg-type]
    panel.set_axisbelow(True)


def figure_png(figure: Figure) -> bytes:
    """Draw a figure with the Agg canvas and encode it within the bound of `encode_png`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    buffer.seek(0)
    with Image.open(buffer) as drawn:
        return encode_png(drawn)
