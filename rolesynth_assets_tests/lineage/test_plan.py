from rolesynth_assets.lineage.plan import targets
from rolesynth_assets.recipes.library import load_recipes

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
