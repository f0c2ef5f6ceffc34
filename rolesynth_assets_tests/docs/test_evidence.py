"""`docs/evidence.md` and the README quote the records of `docs/evidence/` and no other number."""

import copy
import json
from pathlib import Path

import pytest

from rolesynth_assets.reports.ablation_record import difference_picture
from rolesynth_assets_tests.docs.evidence import (
    BLOCK,
    PAGE,
    README,
    page,
    readme_block,
    records,
    take_over,
)
from rolesynth_assets_tests.reports.test_claims import record


def test_the_page_is_that_of_the_records() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(records()), "run `make evidence`"


def test_the_numbers_of_the_readme_are_those_of_the_records() -> None:
    (block,) = BLOCK.findall(README.read_text(encoding="utf-8"))
    assert block == readme_block(records()), "run `make evidence`"


@pytest.mark.parametrize("name", records())
def test_a_record_has_its_picture(name: str) -> None:
    path = PAGE.parent / "evidence" / f"{name}.png"
    assert path.is_file() == bool(records()[name]["findings"])


def test_a_record_is_taken_over_with_its_command(tmp_path: Path) -> None:
    (tmp_path / "ablation.json").write_text(json.dumps(record()))
    take_over(tmp_path / "ablation.json", "mine", "make ablation", tmp_path / "kept")
    kept = json.loads((tmp_path / "kept" / "mine.json").read_text())
    assert kept == {**record(), "command": "make ablation"}
    assert (tmp_path / "kept" / "mine.png").read_bytes() == difference_picture(record())
    shown = page({"mine": kept})
    assert "## 40 images" in shown and "`make ablation` on here; 4 steps." in shown
    assert "](evidence/mine.png)" in shown


def test_every_number_comes_from_the_record() -> None:
    one = {**record(), "command": "make ablation"}
    one["findings"][0] |= {"ours": "roles5", "theirs": "generic1"}
    other = copy.deepcopy(one)
    other["findings"][0]["value"] += 7
    for made in (lambda r: page({"a": r}), lambda r: readme_block({"a": r})):
        assert made(one) != made(other)
        assert f"{one['findings'][0]['value']:+.1f}" in made(one)
    larger = {**other, "images": 10**6}
    assert readme_block({"a": one, "b": larger}) == readme_block({"b": larger})
