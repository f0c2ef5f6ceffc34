import pytest
import typer

from rolesynth_assets.cli.ablation import _folder, _recipes, _seeds, _world
from rolesynth_assets.clip.library import load_recipes
from rolesynth_assets.embedded.world.write import DEMO_SIZE


def test_all_embedded_recipes_are_trained_with_five_seeds() -> None:
    recipes = _recipes([])
    assert set(recipes) == {n for n, r in load_recipes().items() if r.model == "rolesynth-nano"}
    trained = {name: _seeds(recipe, 5) for name, recipe in recipes.items()}
    assert trained.pop("base") == (0,)
    assert set(trained.values()) == {(0, 1, 2, 3, 4)}
    with pytest.raises(typer.BadParameter, match="--seeds 6: recipe roles5 lists 5"):
        _seeds(recipes["roles5"], 6)


def test_a_recipe_brings_what_it_is_compared_with() -> None:
    assert set(_recipes(["roles5_floor"])) == {"roles5_floor", "roles5", "generic1", "base"}
    with pytest.raises(typer.BadParameter, match="no embedded recipe roles5_vit_b16; there are"):
        _recipes(["roles5_vit_b16"])


def test_another_number_of_images_has_a_project_of_its_own() -> None:
    assert _folder(None) == _folder(1500) == "rolesynth-demo"
    assert _folder(20_000) == "rolesynth-ablation-20000"
    assert _world(None) == _world(1500) == DEMO_SIZE
    for images in (16, 501, 20_000):
        world = _world(images)
        assert images <= world.shards * world.images_per_shard < images + world.shards
        assert world.images_per_shard <= 500 and world.seed == DEMO_SIZE.seed
