import io
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from rolesynth_assets.pictures import charts
from rolesynth_assets.pictures.charts import ScoreBar
from rolesynth_assets.pictures.png import MAX_BYTES, WIDTH

RNG = np.random.default_rng(0)
BARS = [
    ScoreBar(recipe, metric, value, value - 0.05, value + 0.05, 0.01)
    for recipe, shift in (("roles5", 0.0), ("generic1", -0.1))
    for metric, value in (("I to T R@1", 0.4 + shift), ("T to I R@1", 0.3 + shift))
]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Figure]:
    """Gives the figure behind the last chart, as it was drawn."""
    figures: list[Figure] = []
    real = charts.figure_png

    def keep(figure: Figure) -> bytes:
        figures.append(figure)
        return real(figure)

    monkeypatch.setattr(charts, "figure_png", keep)
    return lambda: figures[-1]


def panels(figure: Figure) -> list[Axes]:
    return [panel for panel in figure.axes if panel.get_visible()]


def test_score_histogram_counts_every_score_in_its_roles_panel(drawn) -> None:
    scores = {f"Role {n}": RNG.integers(1, 101, 50 + n).tolist() for n in range(5)}
    scores["Edge"] = [1, 100]
    charts.score_histogram(scores)
    for (role, values), panel in zip(scores.items(), panels(drawn()), strict=True):
        assert panel.get_title(loc="left").startswith(role)
        assert sum(patch.get_height() for patch in panel.patches) == len(values)  # type: ignore[attr-defined]


def test_score_histogram_shows_a_role_without_scores(drawn) -> None:
    charts.score_histogram({"Art": [50], "Silent": []})
    assert "0 scores" in panels(drawn())[1].get_title(loc="left")


def test_loss_curve_draws_each_step_and_marks_what_is_not_finite(drawn) -> None:
    losses = np.linspace(5, 1, 100).tolist()
    losses[40] = float("nan")
    charts.loss_curve(list(range(100)), losses, title="roles5 $ seed $")
    each, mean, lost = panels(drawn())[0].lines
    assert len(np.asarray(each.get_xdata())) == 99
    assert lost.get_xdata() == pytest.approx([40])
    assert np.asarray(mean.get_ydata())[-1] == pytest.approx(np.mean(losses[-4:]))
    assert panels(drawn())[0].get_title(loc="left").endswith("loss 5.00 to 1.06")


def test_retrieval_bars_draw_value_interval_and_chance(drawn) -> None:
    charts.retrieval_bars(BARS, title="scenes")
    first, second = panels(drawn())
    assert [patch.get_width() for patch in first.patches] == pytest.approx([40, 30])  # type: ignore[attr-defined]
    assert [patch.get_width() for patch in second.patches] == pytest.approx([30, 20])  # type: ignore[attr-defined]
    spans = [tuple(np.asarray(line.get_xdata(), float).round(6)) for line in first.lines]
    assert spans.count((35, 45)) == 2  # the interval and its ends
    assert spans.count((1, 1)) == 2  # chance, once a recipe
    assert first.get_xlim()[1] > 45


def test_retrieval_bars_leave_a_missing_recipe_empty_and_refuse_two_values(drawn) -> None:
    charts.retrieval_bars(BARS[:3])
    assert [len(panel.patches) for panel in panels(drawn())] == [2, 1]
    with pytest.raises(ValueError, match="3 bars for 2 pairs"):
        charts.retrieval_bars([*BARS[:2], replace(BARS[0], value=0.9)])


def test_size_histogram_counts_every_image_even_of_one_size(drawn) -> None:
    for widths, heights in (
        (RNG.integers(50, 900, 80).tolist(), RNG.integers(50, 900, 80).tolist()),
        ([224] * 80, [224] * 80),
    ):
        charts.size_histogram(widths, heights)
        for panel in panels(drawn()):
            assert sum(patch.get_height() for patch in panel.patches) == 80  # type: ignore[attr-defined]


def test_kept_share_draws_each_role_against_what_was_asked(drawn) -> None:
    survivors = {
        "Observer": {"long": (30, 100), "short": (20, 100)},
        "A $role$ with a name that goes on and on without ever coming to an end": {
            "long": (10, 100),
            "short": (0, 0),
        },
    }
    charts.kept_share_by_role(survivors, 0.2)
    (panel,) = panels(drawn())
    widths = [patch.get_width() for patch in panel.patches]  # type: ignore[attr-defined]
    assert widths == pytest.approx([30, 10, 20, 0])
    assert list(panel.lines[0].get_xdata()) == [20, 20]  # type: ignore[arg-type]
    assert len(panel.get_yticklabels()[1].get_text()) < 45


@pytest.mark.parametrize(
    "chart",
    [
        lambda: charts.score_histogram({f"R{n}": RNG.integers(1, 101, 900) for n in range(10)}),  # type: ignore[misc]
        lambda: charts.loss_curve(list(range(5000)), RNG.normal(3, 1, 5000).tolist()),
        lambda: charts.loss_curve([0], [float("inf")]),
        lambda: charts.retrieval_bars(BARS),
        lambda: charts.size_histogram([10], [20]),
        lambda: charts.kept_share_by_role({"Art": {"all": (1, 5)}}, 0.2),
    ],
)
def test_every_chart_is_a_small_png_of_the_uis_width(chart: Callable[[], bytes]) -> None:
    png = chart()
    assert len(png) <= MAX_BYTES
    with Image.open(io.BytesIO(png)) as picture:
        assert (picture.format, picture.width) == ("PNG", WIDTH)


def test_nothing_to_draw_is_an_error() -> None:
    for draw in (
        lambda: charts.score_histogram({"Art": []}),
        lambda: charts.loss_curve([], []),
        lambda: charts.loss_curve([1, 2], [0.1]),
        lambda: charts.retrieval_bars([]),
        lambda: charts.size_histogram([], []),
        lambda: charts.kept_share_by_role({}, 0.2),
    ):
        with pytest.raises(ValueError):
            draw()


def test_modules_load_no_plotting_library_and_drawing_leaves_no_global_state() -> None:
    code = (
        "import sys\n"
        "from rolesynth_assets.pictures import charts, gallery, markdown, thumbnails\n"
        "from rolesynth_assets.pairs import checks, cut, cut_rows, diversity\n"
        "from rolesynth_assets.pairs import drop_ledger, scoring\n"
        "heavy = {'matplotlib', 'torch', 'sentence_transformers', 'sacrebleu', 'lance', 'PIL'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "charts.size_histogram([10], [20])\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_final_loss_is_where_the_drawn_mean_ends() -> None:
    losses = [float("nan"), *[4.0] * 38, 1.0, 3.0]
    assert charts.end_of_curve(losses) == 2.0
    assert charts.end_of_curve([5.0, 1.0]) == 1.0
    assert math.isnan(charts.end_of_curve([math.inf]))
