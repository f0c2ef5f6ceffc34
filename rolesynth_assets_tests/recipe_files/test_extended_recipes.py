from pathlib import Path

import pytest
import yaml

from rolesynth_assets.clip.library import RecipeError, load_recipes, read_recipe
from rolesynth_assets.r1.library import load_r1_recipes


def write(folder: Path, name: str, **fields: object) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    content = {"name": name, "description": f"About {name}.", **fields}
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_recipe_takes_all_but_its_labels_from_its_parent(tmp_path: Path) -> None:
    shipped = load_recipes()["roles5"]
    write(tmp_path, "mine", extends="roles5", lengths=["long"], schedule={"steps": 7})
    mine = load_recipes(tmp_path)["mine"]
    assert (mine.name, mine.description) == ("mine", "About mine.")
    assert (mine.lengths, mine.schedule.steps) == (("long",), 7)
    assert mine.schedule.batch_images == shipped.schedule.batch_images  # field by field
    assert (mine.optimizer, mine.seeds) == (shipped.optimizer, shipped.seeds)


def test_the_digest_is_that_of_the_resolved_recipe(tmp_path: Path) -> None:
    copy = load_recipes()["roles5"].model_dump(mode="json")
    write(tmp_path, "copy", **{k: v for k, v in copy.items() if k not in ("name", "description")})
    write(tmp_path, "short", extends="copy")
    write(tmp_path, "shorter", extends="short")
    recipes = load_recipes(tmp_path)
    assert recipes["shorter"].digest == recipes["copy"].digest == recipes["roles5"].digest
    write(tmp_path, "copy", extends="roles5", draw_seed=9)
    assert load_recipes(tmp_path)["shorter"].digest != recipes["shorter"].digest


def test_a_parent_that_a_user_replaces_is_the_users(tmp_path: Path) -> None:
    own = load_recipes()["roles5"].model_dump(mode="json") | {"captions_per_image": 9}
    (tmp_path / "roles5.yaml").write_text(yaml.safe_dump(own))
    recipes = load_recipes(tmp_path)
    assert recipes["roles5_floor"].captions_per_image == 9


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a": {"extends": "a"}}, r"a.yaml: field extends: .* a extends a"),
        (
            {"a": {"extends": "b"}, "b": {"extends": "c"}, "c": {"extends": "b"}},
            r"a.yaml: field extends: 'b' cannot be used: .*extend itself: b extends c extends b",
        ),
        ({"a": {"extends": "role5"}}, r"a.yaml: field extends: 'role5' .* did you mean roles5\?"),
        ({"a": {"extends": ["roles5"]}}, r"a.yaml: field extends: has to be the name of a recipe"),
        (
            {"a": {"extends": "roles5", "optimizer": {"lr": -1}}},
            r"a.yaml is no valid recipe \(.* those of roles5\):\n  field optimizer.lr: ",
        ),
        (
            {"a": {"extends": "roles5", "schedule": {"epochs": 3}}},
            r"a.yaml is no valid .*\n  field schedule: give exactly one of epochs and steps",
        ),
    ],
)
def test_a_fault_names_file_and_field(files, message: str, tmp_path: Path) -> None:
    for name, fields in files.items():
        write(tmp_path, name, **fields)
    recipes = load_recipes(tmp_path)
    with pytest.raises(RecipeError, match=message):
        recipes["a"]
    assert "roles5" in recipes  # one broken file stops no other


def test_a_parent_with_a_broken_file_breaks_its_children_alone(tmp_path: Path) -> None:
    (tmp_path / "top.yaml").write_text("name: [")
    write(tmp_path, "a", extends="top")
    write(tmp_path, "other", extends="roles5")
    recipes = load_recipes(tmp_path)
    with pytest.raises(RecipeError, match=r"a.yaml: field extends: 'top' .*top.yaml: cannot be"):
        recipes["a"]
    assert recipes["other"].role_set == "roles5"


def test_a_file_alone_finds_shipped_parents_and_those_beside_it(tmp_path: Path) -> None:
    write(tmp_path, "first", extends="roles5", draw_seed=3)
    path = write(tmp_path, "second", extends="first", cut="random")
    assert (read_recipe(path).draw_seed, read_recipe(path).cut) == (3, "random")


def test_recipes_of_r1_extend_each_other_too(tmp_path: Path) -> None:
    write(tmp_path, "mine", extends="synthetic", seeds=[4])
    recipes = load_r1_recipes(tmp_path)
    assert recipes["mine"].seeds == (4,)
    assert recipes["mine"].digest == recipes["synthetic"].digest
