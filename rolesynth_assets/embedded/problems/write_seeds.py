"""Seed problems of the embedded world, written to disk in the layout of a user's own seeds.

Their pictures occur neither in training nor in the held-out sets. Seeds of easy-VQA come from the
train split of its package.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rolesynth_assets.embedded.problems.pose import Domain, ProblemItem, sample_problem
from rolesynth_assets.files.atomic_files import write_text

FIRST_PICTURE = 4_000_000_000
"""Index of the first seed's picture; training and held-out sets use lower indices."""


@dataclass(frozen=True)
class SeedSize:
    """The number of seeds for each domain, and the seed of their world."""

    seed: int = 2026
    per_domain: int = 24


DEMO_SEEDS = SeedSize()


def write_seeds(folder: Path, size: SeedSize = DEMO_SEEDS) -> None:
    """Write ``<domain>/seeds.jsonl`` with its images into `folder`, one domain after the other.

    Nothing is written if the folder already holds these seeds. An interrupted write starts over.
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
    """Yield the seed problems of a domain; a quarter of those that can have options A-D do."""
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
