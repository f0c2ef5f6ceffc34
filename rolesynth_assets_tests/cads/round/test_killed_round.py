import signal
import subprocess
import sys
from pathlib import Path

from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets_tests.cads.round.dying_round import digests, play_once

ROOT = Path(__file__).parents[3]


def run(folder: Path, allowed: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rolesynth_assets_tests.cads.round.dying_round"]
    return subprocess.run(
        [*command, str(folder), str(allowed)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def recorded(folder: Path, keys: list[str]) -> set[str]:
    with Journal(folder / "journal.sqlite") as journal:
        return {key for key in keys if journal.get(key) or journal.get_drawing(key)}


def test_killed_round_goes_on_without_repeating_a_recorded_call(tmp_path: Path):
    """Killed by SIGKILL while analysing and while judging, then left to end."""
    paid: set[str] = set()
    made = 0
    for allowed in (20, 45):
        assert run(tmp_path, allowed).returncode == -signal.SIGKILL
        new = calls(tmp_path)[made:]
        assert len(new) == allowed and not paid & set(new)
        made += allowed
        paid = recorded(tmp_path, calls(tmp_path))
    assert len(paid) > 30
    ended = run(tmp_path, 0)
    assert ended.returncode == 0, ended.stderr
    assert not paid & set(calls(tmp_path)[made:])

    whole = tmp_path / "whole"
    whole.mkdir()
    assert ended.stdout.split() == digests(play_once(whole, 0))
    assert set(calls(whole)) == set(calls(tmp_path))
