import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from rolesynth_assets.clip.data.batches import TrainingSet
from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets_tests.clip.image_readers import in_memory

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 230)}


def encoded_image(colour, level: int) -> bytes:
    """A plain 40 x 32 image whose lower part is darker; 40 levels are 40 different images."""
    pixels = np.empty((32, 40, 3), np.uint8)
    pixels[:] = colour
    pixels[: 12 + level % 16] //= 2
    pixels[:, : 4 + level // 2] //= 3
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def make_world() -> tuple[pa.Table, dict[str, bytes]]:
    """Rows and images of a small world: 24 images in three colours, one to three captions each."""
    images, rows = {}, []
    for index in range(24):
        name = list(COLOURS)[index % 3]
        image_id = f"img-{index:02d}"
        images[image_id] = encoded_image(COLOURS[name], index)
        rows += [
            {"image_id": image_id, "text": f"a {name} wall, view {turn}"}
            for turn in range(1 + index % 3)
        ]
    return pa.Table.from_pylist(rows), images


@pytest.fixture(scope="session")
def world():
    return make_world()


@pytest.fixture(scope="session")
def training_set(world):
    rows, images = world
    return TrainingSet.from_rows(rows, in_memory(images))


@pytest.fixture(scope="session")
def make_recipe():
    def make(**changes) -> Recipe:
        fields = {
            "name": "tiny",
            "description": "A recipe for tests.",
            "role_set": "roles5",
            "captions_per_image": 2,
            "model": "rolesynth-nano",
            "optimizer": {"lr": 2e-3, "weight_decay": 0.5},
            "schedule": {"steps": 6, "batch_images": 8, "warmup_steps": 2},
        }
        return Recipe.model_validate({**fields, **changes})

    return make
