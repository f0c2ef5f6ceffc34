"""The process in which trainers' checkers run; it reads one answer a line and writes its gold text.

Both checkers evaluate algebra with sympy, which can run forever and use all memory even for a short
answer. `checker_process` starts and ends the process.
"""

from __future__ import annotations

import json
import logging
import resource
import sys

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.answers.trainer_checkers import Checker, trainer_gold

MEMORY = 2 * 2**30
"""Most bytes of address space, so that 9**9**9**9 fails and does not fill the memory."""


def main() -> None:
    """Report that the checkers are loaded, then answer until standard input ends."""
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
