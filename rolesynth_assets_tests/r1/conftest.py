import pytest

from rolesynth_assets.r1.data import TrainingData
from rolesynth_assets.r1.library import load_r1_recipes
from rolesynth_assets_tests.r1.pictures import item


@pytest.fixture(scope="session")
def data():
    return TrainingData(tuple(item(n) for n in range(5)), {"ungradable": 1})


@pytest.fixture(scope="session")
def make_recipe():
    """A recipe of the nano's that ends within a second or two."""

    def make(name="synthetic", **change):
        small = {"batch": 2, "generations": 2, "micro_batch": 4, "max_completion_tokens": 6}
        short = {"steps": 3, "save_every": 1, "learning_rate": 1e-3}
        return load_r1_recipes()[name].model_copy(update={**small, **short, **change})

    return make
