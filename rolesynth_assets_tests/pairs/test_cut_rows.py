from pathlib import Path

import polars as pl
import pytest

from rolesynth_assets.pairs.coverage import Coverage
from rolesynth_assets.pairs.cut import compute_cutoffs
from rolesynth_assets.pairs.cut_rows import cut_rows, cutoffs_from_rows, survivor_rows
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.pairs.pair_frames import policy, score_frame


@pytest.mark.parametrize("keep", [0.5, 0.01])  # at 0.01 nothing is kept and the cut-off is null
@pytest.mark.parametrize("centred", [False, True])
def test_a_cut_comes_back_from_the_small_tables_as_it_was(
    tmp_path: Path, keep: float, centred: bool
) -> None:
    scores = score_frame(
        [
            ("s1", f"i{n}", role, length, 10 * n + 1)
            for n in range(4)
            for role in ("Art", "Zeal")
            for length in ("long", "short")
        ]
    )
    cutoffs = compute_cutoffs(scores, policy(keep=keep, centred=centred), 2)
    small = SmallTables(tmp_path)
    small.replace(
        "cutoffs", {"role_set": "two"}, cut_rows(cutoffs, "two", "d" * 64, Coverage(4, 3))
    )
    small.replace("cutoff_roles", {"role_set": "two"}, survivor_rows(cutoffs, "two"))
    here = {"role_set": "two"}
    back = cutoffs_from_rows(small.read("cutoffs", here), small.read("cutoff_roles", here))
    assert back == cutoffs
    counted = small.read("cutoffs", here)
    assert set(counted.select("images", "images_covered").iter_rows()) == {(4, 3)}


def test_rows_of_no_cut_or_of_two_are_refused() -> None:
    cutoffs = compute_cutoffs(score_frame([("s1", "a", "Art", "long", 5)]), policy(), 1)
    rows, survivors = cut_rows(cutoffs, "one", "d"), survivor_rows(cutoffs, "one")
    with pytest.raises(ValueError, match="materialize filter_cutoffs"):
        cutoffs_from_rows(rows.clear(), survivors)
    with pytest.raises(ValueError, match="2 cuts"):
        cutoffs_from_rows(pl.concat([rows, cut_rows(cutoffs, "one", "e")]), survivors)
