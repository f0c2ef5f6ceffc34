import io
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from PIL import Image

from rolesynth_assets.cads.report import sheets as round_sheets
from rolesynth_assets.cads.report.counts import round_report
from rolesynth_assets.pictures import problem_sheet as sheets
from rolesynth_assets.pictures.png import MAX_BYTES, WIDTH
from rolesynth_assets.pictures.problem_sheet import ShownAnswer, ShownProblem, problem_sheet
from rolesynth_assets.pictures.style import BAD, FAINT, GOOD
from rolesynth_assets_tests.cads.round_frames import frame, picture, round_of

CANDIDATES, VERDICTS = round_of("+++", "++-", "---", "+-?", "-+-", "+++", "+++", "+++", "+--")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[ShownProblem]]:
    """Records what each sheet is drawn from, by its first note word."""
    drawn: dict[str, list[ShownProblem]] = {}

    def record(problems, *, title: str = "", note: str = "") -> bytes:
        drawn[note.split()[0]] = list(problems)
        return problem_sheet(problems, title=title, note=note)

    monkeypatch.setattr(round_sheets, "problem_sheet", record)
    return drawn


def test_galleries_show_kept_and_hard_with_every_judges_answer(shown) -> None:
    drawn = round_sheets.galleries(CANDIDATES, VERDICTS, title="counting", note="stand-ins")
    assert list(drawn) == ["kept", "hard"]
    assert [len(problems) for problems in shown.values()] == [3, 3]
    solved = [problem.question for problem in shown["all"]]
    assert set(solved) <= {f"How many apples are in picture {n}?" for n in (0, 5, 6, 7)}
    by_question = {problem.question[-2]: problem for problem in shown["hard:"]}
    assert set(by_question) == {"1", "4", "8"}
    one = by_question["1"]
    assert [(a.judge, a.text, a.correct, a.is_writer) for a in one.answers] == [
        ("ada", "3", True, False),
        ("ben", "3", True, True),
        ("cleo", "7", False, False),
    ]
    assert (one.reference, one.image) == ("3", picture(1))
    assert "C = 2 of 3" in one.facts and "written by ben" in one.facts
    for png in drawn.values():
        with Image.open(io.BytesIO(png)) as sheet:
            assert (sheet.format, sheet.width) == ("PNG", WIDTH)
        assert len(png) <= MAX_BYTES


def test_galleries_are_the_same_for_any_order_of_rows() -> None:
    first = round_sheets.galleries(CANDIDATES, VERDICTS)
    turned = round_sheets.galleries(CANDIDATES.reverse(), VERDICTS.reverse())
    assert turned == first


def test_objections_of_extra_checks_are_told(shown) -> None:
    objected = CANDIDATES.with_columns(
        suspect_label=True, duplicate_of=pl.lit("c0"), consensus_without_writer=pl.lit(0, pl.Int32)
    )
    round_sheets.galleries(objected, VERDICTS)
    told = "Objections: suspect label, duplicate, solved by its writer only."
    assert {problem.note for problem in shown["hard:"]} == {told}


def test_a_round_that_kept_nothing_has_no_picture() -> None:
    candidates, verdicts = round_of("---", "+?-")
    assert round_sheets.galleries(candidates, verdicts) == {}
    report = round_report(candidates.tail(1), verdicts, frame("contexts", []))
    assert round_sheets.round_charts(report) == {}


def test_charts_of_a_round() -> None:
    report = round_report(CANDIDATES, VERDICTS, frame("contexts", []))
    charts = round_sheets.round_charts(report, title="a $domain$")
    assert list(charts) == ["consensus", "members"]
    for png in charts.values():
        with Image.open(io.BytesIO(png)) as chart:
            assert chart.width == WIDTH


def colours(png: bytes, colour: str) -> int:
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    wanted = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    return int((np.abs(pixels - wanted).max(axis=-1) <= 2).sum())


def problem(*correct: bool | None, question: str = "How many?") -> ShownProblem:
    answers = tuple(ShownAnswer(f"judge {n}", "3", said) for n, said in enumerate(correct))
    return ShownProblem(picture(1), question, "3", answers, "")


def test_a_sheet_colours_answers_by_their_result() -> None:
    assert colours(problem_sheet([problem(True, True)]), GOOD) > 50
    assert colours(problem_sheet([problem(True, True)]), BAD) == 0
    assert colours(problem_sheet([problem(False)]), BAD) > 25
    missing = problem_sheet([problem(None)])
    assert colours(missing, GOOD) == colours(missing, BAD) == 0
    assert colours(missing, FAINT) > 25


def test_a_sheet_is_bounded_whatever_the_model_wrote() -> None:
    long = problem(True, question="word " * 5000 + "\n" * 300 + "A. x\n" * 100)
    with Image.open(io.BytesIO(problem_sheet([long]))) as sheet:
        assert sheet.height < 500
    strange = problem(True, question="\x00\x07 \u202e $x$ \n\n  漢字 🎈 " + "W" * 4000)
    assert len(problem_sheet([strange], title="t" * 500, note="n" * 500)) <= MAX_BYTES
    with pytest.raises(ValueError, match="kept none"):
        problem_sheet([])


def test_options_stand_on_lines_of_their_own() -> None:
    rows = sheets._rows(problem(True, question="Which?\nA. red\nB. blue"))
    assert [row.text for row in rows if row.text][:3] == ["Which?", "A. red", "B. blue"]


def test_modules_load_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "from rolesynth_assets.cads.drawing import answer_leaks\n"
        "from rolesynth_assets.cads.extra_checks import findings, near_duplicates\n"
        "from rolesynth_assets.cads.extra_checks import reference_truth\n"
        "from rolesynth_assets.cads.report import counts, page, sheets\n"
        "from rolesynth_assets.cads.round import checks\n"
        "heavy = {'polars', 'pyarrow', 'PIL', 'imagehash', 'datasketch', 'matplotlib', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
