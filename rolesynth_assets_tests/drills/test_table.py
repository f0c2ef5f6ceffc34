from pathlib import Path

import pytest

from rolesynth_assets_tests.drills import __main__ as drills
from rolesynth_assets_tests.drills.outcome import Outcome


def test_the_page_has_the_faults_of_each_drill() -> None:
    stated = drills.rows(drills.PAGE.read_text())
    assert stated == {name: module.FAULTS for name, module in drills.drills().items()}


def test_a_drill_replaces_its_own_rows_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "reliability.md"
    page.write_text(f"# Title\n\n{drills.BEGIN}\n{drills.END}\n\nMore.\n")
    monkeypatch.setattr(drills, "PAGE", page)
    drills._write("kills", [Outcome("kill -9", 2_000, 1_999, "nothing is lost")])
    drills._write("bombs", [Outcome("a bomb", 1, 1, "a reason")])
    drills._write("kills", [Outcome("kill -9", 3, 3, "nothing is lost")])
    assert page.read_text() == (
        f"# Title\n\n{drills.BEGIN}\n"
        "| fault | tried | held | promise | drill |\n"
        "|---|---|---|---|---|\n"
        "| a bomb | 1 | 1 | a reason | `bombs` |\n"
        "| kill -9 | 3 | 3 | nothing is lost | `kills` |\n"
        f"{drills.END}\n\nMore.\n"
    )
