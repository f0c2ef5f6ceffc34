"""Seed problems of the embedded world, written to disk as a user lays out seeds of their own.

Pictures and questions are apart from those of training and of the held-out sets; those of easy-VQA
are of the package's train split.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rolesynth_assets.embedded.problems.pose import Domain, ProblemItem, sample_problem
from rolesynth_assets.store.atomic_files import write_text

FIRST_PICTURE = 4_000_000_000
"""Index of the first seed's picture: training and held-out sets end below it."""


@dataclass(frozen=True)
class SeedSize:
    """How many seeds of each domain are written, and of which world."""

    seed: int = 2026
    per_domain: int = 24


DEMO_SEEDS = SeedSize()


def write_seeds(folder: Path, size: SeedSize = DEMO_SEEDS) -> None:
    """Write ``<domain>/seeds.jsonl`` with its images into `folder`, one domain after the other.

    Nothing is written where the same seeds stand already; a write that was cut short begins anew.
    """
    made = folder / "size.json"
    if made.is_file() and json.loads(made.read_text()) == asdict(size):
        return
    shutil.rmtree(folder, ignore_errors=True)
    for domain in Domain:
        place = folder / domain
        place.mkdir(parents=True)
        lines = []
        for number, problem in enumerate(seed_problems(domain, size)):
            name = f"{number:03d}.{'png' if domain is Domain.EASY_VQA else 'jpg'}"
            (place / name).write_bytes(problem.image)
            row = {"problem": f"<image>\n{problem.question}", "answer": problem.answer}
            lines.append(json.dumps(row | {"images": [name]}))
        (place / "seeds.jsonl").write_text("\n".join(lines) + "\n")
    write_text(made, json.dumps(asdict(size)))


def seed_problems(domain: Domain, size: SeedSize) -> Iterator[ProblemItem]:
    """Yield the seed problems of a domain, a quarter of those that can with options A-D."""
    rng = random.Random(f"seeds {domain} {size.seed}")
    if domain is Domain.EASY_VQA:
        yield from _easy_vqa(size.per_domain, rng)
        return
    for index in range(FIRST_PICTURE, FIRST_PICTURE + size.per_domain):
        yield sample_problem(domain, size.seed, index, rng, 1 / 4)


def _easy_vqa(count: int, rng: random.Random) -> Iterator[ProblemItem]:
    import easy_vqa

    asked, answers, images = easy_vqa.get_train_questions()
    paths = dict(easy_vqa.get_train_image_paths())
    for number in rng.sample(range(len(asked)), count):
        image = Path(paths[images[number]]).read_bytes()
        yield ProblemItem(image, asked[number], answers[number])
