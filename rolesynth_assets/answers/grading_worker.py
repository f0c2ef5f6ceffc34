"""The process in which trainers' checkers run: one answer a line in, its gold or null a line out.

Both checkers work algebra out with sympy, which can take for ever and fill any memory on a short
answer. `grading_process` starts and ends it.
"""

from __future__ import annotations

import json
import logging
import resource
import sys

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.answers.trainer_checkers import Checker, trainer_gold

MEMORY = 2 * 2**30
"""Bytes of address space, so that 9**9**9**9 is refused rather than written out."""


def main() -> None:
    """Say that the checkers are loaded, then answer until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.disable(logging.CRITICAL)
    import math_verify  # noqa: F401 - the caller's time limit is for grading, not for imports
    from mathruler import grader  # noqa: F401

    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        answer, task_type, checker = json.loads(line)
        gold = trainer_gold(answer, TaskType(task_type), Checker(checker))
        print(json.dumps(gold), flush=True)


if __name__ == "__main__":
    main()
