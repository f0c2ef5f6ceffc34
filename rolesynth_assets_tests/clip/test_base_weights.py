from pathlib import Path

import pytest
import torch

from rolesynth_assets.clip.architectures import shipped_weights
from rolesynth_assets.clip.base_weights import (
    BASE,
    ROWS,
    TABLE,
    VOCABULARY,
    save_base,
    with_whole_table,
)
from rolesynth_assets.clip.library import load_recipes
from rolesynth_assets.clip.model import build_model
from rolesynth_assets.clip.positions import stretch
from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.clip.weights_file import read_weights


def test_the_rows_that_were_trained_come_back_and_the_others_are_drawn_alike(
    tmp_path: Path,
) -> None:
    table = torch.randn(VOCABULARY, 4)
    out = tmp_path / "small.safetensors"
    save_base({TABLE: table, "logit_scale": torch.tensor(2.0)}, {5, 7}, out)
    assert out.stat().st_size < 1000
    one, other = (read_weights(out).state for _ in range(2))
    assert one.keys() == {TABLE, "logit_scale"}
    assert torch.equal(one[TABLE], other[TABLE])
    assert torch.allclose(one[TABLE][[5, 7]], table[[5, 7]], atol=1e-2)
    unused = one[TABLE][100:]
    assert unused.std().item() == pytest.approx(0.02, rel=0.05)


def test_other_weights_are_returned_as_they_are() -> None:
    state = {TABLE: torch.zeros(3, 2)}
    assert with_whole_table(state) is state


def test_the_shipped_base_fits_its_architecture_and_is_small(nano: Recipe) -> None:
    assert shipped_weights("rolesynth-nano-base") == BASE
    assert BASE.stat().st_size < 10_000_000
    model = build_model(nano.model_copy(update={"init": "rolesynth-nano-base"}))
    stored = read_weights(BASE)
    assert stored.length == 77
    assert ROWS not in stored.state
    assert torch.equal(model.module.token_embedding.weight, stored.state[TABLE])
    stretched = stretch(stored.state["positional_embedding"])
    assert torch.equal(model.module.positional_embedding, stretched)


def test_a_recipe_s_digest_follows_the_shipped_weights(
    nano: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    based = nano.model_copy(update={"init": "rolesynth-nano-base"})
    before = based.digest
    monkeypatch.setattr("rolesynth_assets.clip.recipe.shipped_weights_digest", lambda _: "other")
    assert based.digest != before


def test_there_is_no_weights_file_outside_the_folder() -> None:
    assert shipped_weights("../models/rolesynth-nano-base") is None
    assert shipped_weights("random") is None


@pytest.fixture
def nano() -> Recipe:
    return load_recipes(None)["roles5"]
