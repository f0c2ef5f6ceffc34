from collections.abc import Callable

import pytest
from matplotlib.figure import Figure

from rolesynth_assets.pictures import consensus
from rolesynth_assets.pictures.consensus import MemberRate, consensus_histogram, member_rates
from rolesynth_assets.pictures.style import BAD, GOOD


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Figure]:
    """Gives the figure behind the last chart, as it was drawn."""
    figures: list[Figure] = []
    real = consensus.figure_png

    def keep(figure: Figure) -> bytes:
        figures.append(figure)
        return real(figure)

    monkeypatch.setattr(consensus, "figure_png", keep)
    return lambda: figures[-1]


def test_a_bar_for_every_consensus_coloured_by_what_becomes_of_it(drawn) -> None:
    from matplotlib.colors import to_hex

    consensus_histogram([2, 5, 0, 13], title="counting")
    (panel,) = drawn().axes
    assert [bar.get_height() for bar in panel.patches] == [2, 5, 0, 13]  # type: ignore[attr-defined]
    colours = [to_hex(bar.get_facecolor()) for bar in panel.patches]
    assert (colours[0], colours[3]) == (BAD, GOOD)
    assert colours[1] == colours[2] not in (BAD, GOOD)
    assert "13  (65%)" in [text.get_text() for text in panel.texts]
    assert panel.get_title(loc="left") == "counting  20 decided by 3 judges each"


def test_two_panels_draw_solve_and_keep_rates(drawn) -> None:
    member_rates([MemberRate("ada", 3, 4, 1, 2), MemberRate("ben $", 0, 4, 0, 0)])
    solves, kept = drawn().axes
    assert [bar.get_width() for bar in solves.patches] == [75, 0]  # type: ignore[attr-defined]
    assert [bar.get_width() for bar in kept.patches] == [50, 0]  # type: ignore[attr-defined]
    assert [text.get_text() for text in kept.texts] == ["50 %  1 of 2", "none"]


def test_nothing_to_draw_is_an_error() -> None:
    for draw in (
        lambda: consensus_histogram([]),
        lambda: consensus_histogram([0, 0, 0]),
        lambda: consensus_histogram([3]),
        lambda: member_rates([]),
    ):
        with pytest.raises(ValueError):
            draw()
