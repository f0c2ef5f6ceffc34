import pytest
import yaml
from pydantic import ValidationError

from rolesynth_assets.clip.architectures import shipped_architecture
from rolesynth_assets.clip.library import (
    SHIPPED,
    RecipeError,
    dump_recipe,
    load_recipes,
    read_recipe,
    with_role_sets,
)
from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.errors import InputError
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets.yaml_files import Named

MINIMAL = {
    "name": "mine",
    "description": "Mine.",
    "role_set": "roles5",
    "model": "rolesynth-nano",
    "optimizer": {"lr": 1e-3},
    "schedule": {"epochs": 2, "batch_images": 16},
}


def recipe(**changes):
    return Recipe.model_validate({**MINIMAL, **changes})


def write(folder, name, **changes):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({**MINIMAL, "name": name, **changes}))


def test_the_shipped_recipes():
    recipes = load_recipes()
    assert set(recipes) == {
        "base",
        "roles5",
        "generic5",
        "generic1",
        "roles5_random_cut",
        "roles5_infonce",
        "roles5_square",
        "roles5_vit_b16",
        "roles5_minus_observer",
        "roles5_minus_interpreter",
        "roles5_minus_analyst",
        "roles5_minus_narrator",
        "roles5_minus_responder",
        "roles5_no_filter",
        "roles5_per_image",
        "roles5_floor",
        "roles5_centred",
        "roles5_long_only",
        "roles5_short_only",
        "first_sentence",
        "random_sentence",
    }
    assert {p.stem for p in SHIPPED.glob("*.yaml")} == set(recipes)  # file and name agree
    assert len({r.digest for r in recipes.values()}) == len(recipes)
    paper = recipes["roles5_vit_b16"]
    assert (paper.optimizer.lr, paper.optimizer.weight_decay) == (1e-6, 1e-2)
    assert (paper.schedule.epochs, paper.schedule.batch_images) == (6, 2048)
    assert all(r.context_length == 248 for r in recipes.values())
    assert all(len(r.seeds) >= 3 for r in recipes.values() if r.schedule.steps != 0)
    nano = [r for r in recipes.values() if r.model == "rolesynth-nano" and r.name != "base"]
    assert len({(r.schedule.steps, r.schedule.batch_images) for r in nano}) == 1  # a fair match


def test_a_recipe_of_a_role_set_that_is_not_there_is_broken_alone():
    fault = InputError("roles/nowhere.yaml: field roles: missing")
    recipes = Named({"mine": recipe(role_set="nowhere"), "other": recipe(role_set="roles5")}, {})
    role_sets = load_role_sets()
    found = with_role_sets(recipes, role_sets)
    assert list(found) == ["other"]
    with pytest.raises(RecipeError, match=r"'mine': role_set 'nowhere'.*'roles5'"):
        found["mine"]
    with pytest.raises(RecipeError, match=r"'mine'.*roles/nowhere.yaml: field roles"):
        with_role_sets(recipes, Named(dict(role_sets), {"nowhere": fault}))["mine"]


def test_an_ablation_differs_from_roles5_in_one_thing():
    recipes = load_recipes()
    full = recipes["roles5"].model_dump()
    for name, differing in {
        "generic5": {"role_set"},
        "generic1": {"role_set", "cut"},
        "roles5_random_cut": {"cut"},
        "roles5_infonce": {"loss", "captions_per_image"},
        "roles5_square": {"layout"},
        "roles5_minus_analyst": {"without_roles"},
        "roles5_no_filter": {"cut"},
        "roles5_per_image": {"filter"},
        "roles5_floor": {"filter"},
        "roles5_centred": {"filter"},
        "roles5_long_only": {"lengths"},
        "roles5_short_only": {"lengths"},
        "first_sentence": {"text"},
        "random_sentence": {"text"},
    }.items():
        other = recipes[name].model_dump()
        labels = {"name", "description", "baseline"}
        assert {k for k in full if full[k] != other[k]} - labels == differing


def test_the_recipes_without_a_role_leave_out_each_role_once():
    recipes, roles = load_recipes(), load_role_sets()["roles5"].roles
    left_out = [r.without_roles for n, r in recipes.items() if n.startswith("roles5_minus_")]
    assert sorted(left_out) == sorted((role.name,) for role in roles)


def test_a_role_that_the_role_set_lacks_is_refused():
    recipes = Named({"mine": recipe(without_roles=["Observer", "Observer of Details"])}, {})
    with pytest.raises(
        RecipeError, match=r"'mine', field without_roles: 'Observer' is no role, but"
    ):
        with_role_sets(recipes, load_role_sets())["mine"]


def test_fields_that_came_later_change_no_digest_unless_they_are_set():
    before = recipe().digest
    assert recipe(text="whole", without_roles=[], filter=None).digest == before
    others = ({"text": "first_sentence"}, {"without_roles": ["A"]}, {"filter": {"per_image": 1}})
    assert len({before, *(recipe(**other).digest for other in others)}) == 4


def test_a_micro_batch_makes_no_checkpoint_stale():
    recipe = load_recipes()["roles5"]
    schedule = recipe.schedule.model_copy(update={"micro_batch": 4})
    assert recipe.model_copy(update={"schedule": schedule}).digest == recipe.digest
    schedule = recipe.schedule.model_copy(update={"batch_images": 4})
    assert recipe.model_copy(update={"schedule": schedule}).digest != recipe.digest


def test_a_users_recipe_is_added_and_wins_by_name(tmp_path):
    write(tmp_path / "recipes", "mine")
    write(tmp_path / "recipes", "generic1", captions_per_image=9)
    recipes = load_recipes(tmp_path / "recipes")
    assert recipes["mine"].schedule.epochs == 2
    assert recipes["generic1"].captions_per_image == 9
    assert list(recipes) == sorted(recipes)
    assert load_recipes(tmp_path / "absent").keys() == load_recipes().keys()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name: [", r"bad.yaml: cannot be read as YAML"),
        ("- a list", r"bad.yaml: expected a mapping with name, .*, got list"),
        (yaml.safe_dump({**MINIMAL, "lose": "x"}), "field lose: there is no such field"),
        (yaml.safe_dump({**MINIMAL, "cut": "best"}), "field cut: Input should be"),
        (
            yaml.safe_dump({**MINIMAL, "optimizer": {"lr": -1}}),
            r"bad.yaml is no valid recipe:\n  field optimizer.lr: Input should be greater",
        ),
        (
            yaml.safe_dump({k: v for k, v in MINIMAL.items() if k != "model"}),
            r"bad.yaml is no valid recipe:\n  field model: Field required",
        ),
    ],
)
def test_a_bad_file_is_named_with_its_field(content, message, tmp_path):
    (tmp_path / "bad.yaml").write_text(content)
    with pytest.raises(RecipeError, match=message):
        load_recipes(tmp_path).whole()


def test_two_files_of_one_name_and_a_lost_baseline_are_refused(tmp_path):
    write(tmp_path / "a", "mine")
    (tmp_path / "a" / "copy.yaml").write_text((tmp_path / "a" / "mine.yaml").read_text())
    with pytest.raises(RecipeError, match=r"mine.yaml: .*'mine' is already the name of copy.yaml"):
        load_recipes(tmp_path / "a").whole()
    write(tmp_path / "b", "mine", baseline="nothing")
    with pytest.raises(RecipeError, match="baseline 'nothing' is no recipe"):
        load_recipes(tmp_path / "b").whole()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "infonce"}, "one positive per image"),
        ({"seeds": [1, 1]}, "not distinct"),
        ({"baseline": "mine"}, "own baseline"),
        ({"schedule": {"batch_images": 4}}, "exactly one of epochs and steps"),
        ({"schedule": {"batch_images": 4, "epochs": 1, "steps": 1}}, "exactly one"),
        ({"schedule": {"batch_images": 1, "epochs": 1}}, "greater than or equal to 2"),
        ({"lengths": []}, "at least 1 item"),
        ({"name": "a/b"}, "should match pattern"),
    ],
)
def test_contradictions_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        recipe(**changes)


def test_infonce_goes_with_one_caption_or_the_square_layout():
    assert recipe(loss="infonce", captions_per_image=1).captions_per_image == 1
    assert recipe(loss="infonce", layout="square").captions_per_image == 4


def test_the_digest_leaves_out_labels_and_nothing_else(monkeypatch):
    first = recipe()
    relabelled = recipe(name="x", description="y", seeds=[7], baseline="roles5")
    assert relabelled.digest == first.digest
    for changes in (
        {"cut": "random"},
        {"draw_seed": 1},
        {"lengths": ["long"]},
        {"frozen_positions": 0},
        {"optimizer": {"lr": 2e-3}},
        {"schedule": {"epochs": 3, "batch_images": 16}},
    ):
        assert recipe(**changes).digest != first.digest, changes
    digest = first.digest
    changed = {**(shipped_architecture("rolesynth-nano") or {}), "embed_dim": 1}
    monkeypatch.setattr("rolesynth_assets.clip.recipe.shipped_architecture", lambda _: changed)
    assert recipe().digest != digest


def test_a_dumped_recipe_reads_back(tmp_path):
    for each in load_recipes().values():
        (tmp_path / "one.yaml").write_text(dump_recipe(each))
        assert read_recipe(tmp_path / "one.yaml") == each


def test_only_shipped_architectures_are_found():
    assert (shipped_architecture("rolesynth-nano") or {})["embed_dim"] == 128
    assert shipped_architecture("ViT-B-16") is None
    assert shipped_architecture("../models/rolesynth-nano") is None
