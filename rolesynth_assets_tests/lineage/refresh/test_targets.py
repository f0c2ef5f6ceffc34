from dagster import AssetKey

from rolesynth_assets.clip.library import load_recipes
from rolesynth_assets.lineage.refresh.targets import ProblemWork, problem_targets, targets
from rolesynth_assets.r1.library import load_r1_recipes

RECIPES = load_recipes(None)


def test_targets_are_in_the_order_of_the_graph() -> None:
    from rolesynth_assets.definitions import defs

    plan = targets(["s0"], ["roles5"], [(RECIPES["roles5"], [0])], ["glyphs"])
    order = [target.asset for target in plan]
    graph = defs.resolve_asset_graph()
    keys = {
        key
        for key in graph.materializable_asset_keys
        if graph.get(key).group_name
        in ("images", "roles", "captions", "filter", "clip", "benchmarks")
    }
    keys -= {AssetKey("meaning_index")}  # it takes long, and is made when somebody asks for it
    assert set(order) == {key.to_user_string() for key in keys}
    for key in keys:
        for parent in graph.get(key).parent_keys & keys:
            above, below = parent.to_user_string(), key.to_user_string()
            assert order.index(above) < order.index(below)


def test_partitions_are_those_asked_for() -> None:
    plan = targets(
        ["s0", "s1"], ["roles5", "generic1"], [(RECIPES["generic1"], [0, 2])], ["glyphs", "long"]
    )
    partitions = {target.asset: list(target.partitions) for target in plan}
    cells = ["s0|roles5", "s1|roles5", "s0|generic1", "s1|generic1"]
    assert partitions["raw_captions"] == partitions["filtered_pairs"] == cells
    assert partitions["clip_checkpoints"] == ["generic1|0", "generic1|2"]
    assert partitions["benchmark_scores"] == ["glyphs|generic1", "long|generic1"]
    assert partitions["ablation_report"] == [None]


def test_baseline_comes_before_what_is_compared_with_it() -> None:
    recipes = [(RECIPES[name], [0]) for name in ("roles5_square", "roles5", "generic1")]
    plan = {t.asset: list(t.partitions) for t in targets(["s0"], [], recipes, ["glyphs"])}
    trained = [str(key).split("|")[0] for key in plan["clip_checkpoints"]]
    for recipe, _ in recipes:
        if recipe.baseline in trained:
            assert trained.index(recipe.baseline) < trained.index(recipe.name)
    assert plan["training_sets"] == trained


def test_without_recipes_nothing_is_trained_or_reported() -> None:
    plan = {t.asset: list(t.partitions) for t in targets(["s0"], ["roles5"], [], ["glyphs"])}
    assert plan["clip_checkpoints"] == plan["benchmark_scores"] == []
    assert "ablation_report" not in plan
    assert plan["dataset_card"] == ["roles5"]


def test_problems_go_from_seeds_to_scores_with_baselines_first() -> None:
    from rolesynth_assets.definitions import defs

    rounds = ["2026-01-04", "2026-01-11"]
    work = ProblemWork(["a", "b"], rounds, {"synthetic": [1], "base": [0]}, ["a"])
    plan = problem_targets(work, load_r1_recipes(None))
    partitions = {target.asset: list(target.partitions) for target in plan}
    assert partitions == {
        "cads_seeds": ["a", "b"],
        "cads_rounds": ["a|2026-01-04", "a|2026-01-11", "b|2026-01-04", "b|2026-01-11"],
        "synthetic_problems": ["a", "b"],
        "r1_checkpoints": ["base|0", "synthetic|1"],
        "r1_scores": ["a|base", "a|synthetic"],
        "r1_report": [None],
    }
    graph = defs.resolve_asset_graph()
    order = list(partitions)
    for key in graph.materializable_asset_keys:
        below = key.to_user_string()
        above = {parent.to_user_string() for parent in graph.get(key).parent_keys} & set(order)
        assert below not in order or all(order.index(a) <= order.index(below) for a in above)


def test_without_recipes_problems_end_with_the_set() -> None:
    plan = problem_targets(ProblemWork(["a"], ["2026-01-04"], {}, []), {})
    assert [t.asset for t in plan if t.partitions][-1] == "synthetic_problems"
