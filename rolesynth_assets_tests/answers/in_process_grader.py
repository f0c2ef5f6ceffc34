"""The trainers' checkers without a process of their own, for answers that are known to be tame."""

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.answers.trainer_checkers import Checker, trainer_gold


class InProcessGrader:
    def gold(self, answer: str, task_type: TaskType, checker: Checker) -> str | None:
        return trainer_gold(answer, task_type, checker)
