import logging

import pytest

from rolesynth_assets import progress
from rolesynth_assets.cli import progress_bars as bars_module
from rolesynth_assets.cli.progress_bars import bars


def test_log_reporter_writes_the_last_line_with_share(caplog: pytest.LogCaptureFixture) -> None:
    report = progress.log_reporter("captions s1")
    with caplog.at_level(logging.INFO, "rolesynth"):
        report(0, 4)
        report(2, 4)  # too soon after the last line
        report(4, 4)
    (line,) = caplog.messages
    assert line.startswith("captions s1: 4/4 (100%), ")


def test_log_reporter_counts_without_a_total(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_EVERY_S", 0.0)
    report = progress.log_reporter("images")
    with caplog.at_level(logging.INFO, "rolesynth"):
        report(7, 0)
    assert caplog.messages[0].startswith("images: 7")


def test_whoever_runs_the_work_chooses_what_shows() -> None:
    seen: list[tuple[str, int, int]] = []
    token = progress.reporter.set(
        lambda label, besides=None, /: lambda done, total: seen.append((label, done, total))
    )
    try:
        progress.reporting("scores")(1, 3)
    finally:
        progress.reporter.reset(token)
    assert seen == [("scores", 1, 3)]
    assert progress.reporter.get() is progress.log_reporter


def test_plain_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars_module, "PLAIN_EVERY_S", 1e9)
    with bars() as reporting:
        report = reporting("captions")
        report(0, 0)  # a total that is not known yet is no line
        report(10, 10)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("captions: 10/10")


def test_plain_line_shows_the_rate_of_this_run_only(capsys: pytest.CaptureFixture[str]) -> None:
    with bars() as reporting:
        report = reporting("captions")
        report(90, 100)  # done by an earlier run
        report(100, 100)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("captions: 100/100, ")
    assert last.endswith("/s")


def test_rate_and_remaining_time_are_of_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    pace = progress.Pace(lambda: "7 calls")
    pace.note(500)
    assert pace.said(500, 1000) == "7 calls"
    clock[0] += 10
    assert pace.said(520, 1000) == "2.0/s, 4 min left, 7 calls"
    clock[0] += 10
    assert pace.said(1000, 1000) == "25.0/s, 7 calls"
    assert progress.Pace().said(0, 0) == ""


def test_what_is_shown_besides_comes_after_the_rate(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with bars() as reporting:
        reporting("captions", lambda: "10 calls, 4,200 tokens, cost 0.02")(10, 10)
    assert capsys.readouterr().out == "captions: 10/10, 10 calls, 4,200 tokens, cost 0.02\n"
    with caplog.at_level(logging.INFO, "rolesynth"):
        progress.log_reporter("captions", lambda: "10 calls")(10, 10)
    assert caplog.messages == ["captions: 10/10 (100%), 10 calls"]
