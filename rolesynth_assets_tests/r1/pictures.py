"""Small pictures and problems for the tests of R1."""

import io

from PIL import Image

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.r1.data import TrainingItem


def png(colour="red", size=(40, 32)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


COLOURS = ("red", "green", "blue", "yellow", "black", "white")


def item(number: int) -> TrainingItem:
    colour = COLOURS[number % len(COLOURS)]
    return TrainingItem(
        item_id=f"item-{number:02d}",
        domain="colours" if number % 2 else "numbers",
        question=f"What colour is picture {number}?",
        answer=colour,
        task_type=TaskType.OPEN_ENDED,
        image=png(colour, (60 + number, 40)),
    )
