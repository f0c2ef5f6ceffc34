import pytest
from pydantic import ValidationError

from rolesynth_assets.r1.library import R1FileError, load_r1_benchmarks, load_r1_recipes
from rolesynth_assets.r1.recipe import NANO, R1Recipe, Rollouts, Training

SHIPPED = load_r1_recipes()


def test_every_kind_of_training_has_a_nano_recipe():
    for training in Training:
        name = "base" if training is Training.NONE else str(training)
        assert (SHIPPED[name].training, SHIPPED[name].model) == (training, NANO)
    trained = [r for r in SHIPPED.values() if r.stand_in and r.training is not Training.NONE]
    assert all(len(r.seeds) >= 3 and r.baseline == "base" for r in trained)
    equal = [r.model_dump(exclude={"name", "description", "training"}) for r in trained]
    assert equal[0] == equal[1] == equal[2]  # they differ in what is trained on alone


def test_the_papers_values():
    recipe = SHIPPED["qwen2.5-vl-7b"]
    assert recipe.model == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert (recipe.generations, recipe.batch, recipe.temperature) == (8, 128, 1.0)
    assert (recipe.learning_rate, recipe.training) == (1e-6, Training.SYNTHETIC)
    assert recipe.vllm is not Rollouts.OFF


def test_the_digest_knows_what_changes_the_weights():
    recipe = SHIPPED["synthetic"]
    for same in ({"name": "x"}, {"description": "x"}, {"seeds": (7,)}, {"save_every": 1}):
        assert recipe.model_copy(update=same).digest == recipe.digest, same
    for other in (
        {"beta": 0.5},
        {"batch": 16},
        {"training": Training.SEEDS_ONLY},
        {"lora_rank": 4},
    ):
        assert recipe.model_copy(update=other).digest != recipe.digest, other


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": None}, "exactly one of steps and epochs"),
        ({"epochs": 1}, "exactly one of steps and epochs"),
        ({"training": "none"}, "none for training: none"),
        ({"micro_batch": 7}, "micro-batches of 7"),
        ({"generations": 1}, "greater than or equal to 2"),
        ({"vllm": "server"}, "vllm_url"),
        ({"seeds": [1, 1]}, "not distinct"),
        ({"baseline": "synthetic"}, "own baseline"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(change, said):
    with pytest.raises(ValidationError, match=said):
        R1Recipe.model_validate(SHIPPED["synthetic"].model_dump() | change)


def test_a_users_recipe_wins_by_name(tmp_path):
    text = "name: base\ndescription: Mine.\nmodel: some/model\ntraining: none\n"
    (tmp_path / "mine.yaml").write_text(text)
    recipes = load_r1_recipes(tmp_path)
    assert recipes["base"].model == "some/model"
    assert list(recipes) == sorted(SHIPPED)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "name: a\nmodel: m\ndescription: d\ntraining: nothing\n",
            "R1 recipe:\n  field training",
        ),
        ("- a\n", "expected a mapping with name"),
        ("a: [", "YAML"),
        ("name: a\nmodel: m\ndescription: d\ntraining: none\nbaseline: b\n", "baseline 'b'"),
    ],
)
def test_a_file_that_is_no_recipe_is_named(tmp_path, text, said):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(R1FileError, match=said):
        load_r1_recipes(tmp_path).whole()


def test_two_files_of_one_name_are_refused(tmp_path):
    for file in ("a", "b"):
        text = "name: x\nmodel: m\ndescription: d\ntraining: none\n"
        (tmp_path / f"{file}.yaml").write_text(text)
    with pytest.raises(R1FileError, match=r"b\.yaml: .* already the name of a\.yaml"):
        load_r1_recipes(tmp_path).whole()


def test_a_users_benchmark_joins_the_shipped_ones(tmp_path):
    (tmp_path / "v.yaml").write_text('name: v\nlayout: mathvista\npath: "{data}/MathVista"\n')
    benchmarks = load_r1_benchmarks(tmp_path)
    assert set(benchmarks) - set(load_r1_benchmarks()) == {"v"}
    assert benchmarks["v"].folder(tmp_path) == tmp_path / "MathVista"
    assert benchmarks["easy_vqa"].layout == "easy_vqa"


@pytest.mark.parametrize(
    "text",
    ["layout: mathvista", "layout: embedded\ndomain: counting", "layout: easy_vqa\npath: x",
     "layout: mmmu\npath: x\ndomain: counting", "layout: embedded\ncount: 3"],
)  # fmt: skip
def test_a_benchmark_has_the_fields_of_its_layout(tmp_path, text):
    (tmp_path / "b.yaml").write_text(f"name: b\n{text}\n")
    with pytest.raises(R1FileError, match=r"b\.yaml"):
        load_r1_benchmarks(tmp_path).whole()
