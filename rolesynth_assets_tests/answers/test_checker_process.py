import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rolesynth_assets.answers import checker_process
from rolesynth_assets.answers.checker_process import AnswerGrader, CheckerPool, CheckerStartError
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.answers.trainer_checkers import Checker, trainer_gold

OPEN = TaskType.OPEN_ENDED
ENDLESS = "9**9**9**9"  # mathruler writes the number out to hold a wrong reply against it


@pytest.fixture(scope="module")
def pool() -> Iterator[CheckerPool]:
    made = CheckerPool(imports=())
    yield made
    made.end()


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_process_grades_as_the_function_does() -> None:
    grader = AnswerGrader()
    for answer in ("7", "left", "2\\sqrt{5}", "none", "2\\sqrt{5", "ß\u2028"):
        for checker in Checker:
            assert grader.gold(answer, OPEN, checker) == trainer_gold(answer, OPEN, checker)


def test_an_answer_without_end_is_ungradable_and_the_next_one_is_graded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurried = AnswerGrader(limit_s=1.0)
    assert hurried.gold(ENDLESS, OPEN, Checker.MATHRULER) is None
    with monkeypatch.context() as patch:
        patch.setattr(checker_process, "CHECKERS", None)
        assert hurried.gold(ENDLESS, OPEN, Checker.MATHRULER) is None  # remembered
    assert hurried.gold("41", OPEN, Checker.MATHRULER) == "41"


def test_a_worker_that_takes_too_long_is_ended(pool: CheckerPool) -> None:
    before = pool.ask(os.getpid, [], 60)
    assert pool.ask(time.sleep, [600], 0.2) is None
    assert not is_running(before)
    assert pool.ask(os.getpid, [], 60) != before


def test_a_worker_that_was_killed_from_outside_costs_no_answer(pool: CheckerPool) -> None:
    before = pool.ask(os.getpid, [], 60)
    os.kill(before, signal.SIGKILL)
    assert pool.ask(os.getpid, [], 60) not in (None, before)


def test_a_question_that_ends_two_workers_or_fails_has_no_answer(pool: CheckerPool) -> None:
    assert pool.ask(os.abort, [], 60) is None
    before = pool.ask(os.getpid, [], 60)
    assert pool.ask(os.strerror, ["no number"], 60) is None
    assert pool.ask(os.getpid, [], 60) == before


def test_what_a_library_prints_is_no_reply(pool: CheckerPool) -> None:
    assert pool.ask(print, ["7"], 60) is None
    assert pool.ask(abs, [-8], 60) == 8


def test_threads_ask_at_once_and_get_their_own_replies(pool: CheckerPool) -> None:
    with ThreadPoolExecutor(8) as threads:
        replies = threads.map(lambda number: pool.ask(abs, [-number], 60), range(1, 65))
        assert list(replies) == list(range(1, 65))


def test_memory_is_bounded(pool: CheckerPool) -> None:
    assert pool.ask(resource.getrlimit, [resource.RLIMIT_AS], 60) == [checker_process.MEMORY] * 2


def test_workers_end_with_the_block(pool: CheckerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker_process, "CHECKERS", pool)
    with AnswerGrader() as grader:
        assert grader.gold("?", OPEN, Checker.MATH_VERIFY) is None
        worker = pool.ask(os.getpid, [], 60)
        assert is_running(worker)
    assert not is_running(worker)


def test_an_interrupted_question_leaves_no_reply_to_the_next(
    pool: CheckerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    assert pool.ask(abs, [-1], 60) == 1
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checker_process, "read_line", interrupted)
        pool.ask(abs, [-2], 60)
    assert pool.ask(abs, [-3], 60) == 3


def test_a_worker_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(CheckerStartError, match="ended with code 1"):
        CheckerPool(imports=()).ask(os.getpid, [], 60)


def test_a_worker_whose_program_was_killed_in_a_question_ends_too() -> None:
    with subprocess.Popen(
        [sys.executable, "-P", "-c", checker_process._WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as worker:
        assert worker.stdin is not None and worker.stdout is not None
        assert json.loads(worker.stdout.readline()) == "ready"
        question = ["builtins", "pow", [9, 9**9], 0.0]
        worker.stdin.write(json.dumps(question).encode() + b"\n")
        worker.stdin.close()
        assert worker.wait(60) == -signal.SIGXCPU


SCRIPT = """
from rolesynth_assets.answers.expressions import same_expression
print(same_expression("2+2", "4"))
"""


def test_a_script_is_not_run_twice_and_modules_of_the_current_folder_are_not_run(
    tmp_path: Path,
) -> None:
    (tmp_path / "here").mkdir()
    for name in ("json", "pickle", "selectors", "sympy", "signal"):
        (tmp_path / "here" / f"{name}.py").write_text("raise SystemExit('not mine')")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)  # without a guard for __main__
    safe = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path / "here",
        env=safe,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
