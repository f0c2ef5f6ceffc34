from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets_tests.defs.small_graph import SmallGraph

IMAGES = 3


def test_changed_role_is_captioned_alone(graph: SmallGraph) -> None:
    shard = graph.add_shard("few", range(IMAGES))
    graph.refresh(["roles5", "generic1"])
    assert len(graph.models.captioned) == IMAGES * (5 + 1) * 2
    assert len(graph.models.judged) == IMAGES * (5 + 1) * 2
    before = graph.store.digest("captions", {"shard": shard, "role_set": "generic1"})

    role_set = partitions.ROLE_SETS["roles5"]
    changed = role_set.roles[2].model_copy(update={"responsibilities": "Count all the lines."})
    roles = (*role_set.roles[:2], changed, *role_set.roles[3:])
    graph.patch.setitem(
        partitions.ROLE_SETS, "roles5", role_set.model_copy(update={"roles": roles})
    )
    graph.models.forget()
    graph.started.clear()
    report = graph.refresh(["roles5", "generic1"])

    assert len(graph.models.captioned) == IMAGES * 2
    assert all("Count all the lines." in prompt for prompt in graph.models.captions_by_prompt())
    assert len(graph.models.judged) == IMAGES * 2
    assert not [key for _, key in graph.started if key and "generic1" in key]
    assert (report.ran["raw_captions"], report.fresh["raw_captions"]) == (1, 1)
    assert report.ran["dataset_card"] == 1
    stored = graph.store.read("captions", {"role_set": "roles5"}, ["role", "text"])
    assert stored.num_rows == IMAGES * 5 * 2
    assert graph.store.digest("captions", {"shard": shard, "role_set": "generic1"}) == before


def test_changed_filter_policy_makes_new_pairs_without_a_model_call(graph: SmallGraph) -> None:
    graph.add_shard("few", range(IMAGES))
    graph.refresh(["roles5"])
    role_set = partitions.ROLE_SETS["roles5"]
    policy = role_set.filter.model_copy(update={"keep": 0.5})
    graph.patch.setitem(
        partitions.ROLE_SETS, "roles5", role_set.model_copy(update={"filter": policy})
    )
    graph.models.forget()
    report = graph.refresh(["roles5"])
    assert not graph.models.requests
    assert {name for name, made in report.ran.items() if made} == {
        "role_lists",
        "filter_cutoffs",
        "filtered_pairs",
        "pair_manifests",
        "dataset_card",
    }
    kept = graph.store.count("pairs", {"role_set": "roles5"}, where="kept")
    assert kept == IMAGES * 5 * 2 // 2 + 1  # 7.5 of 15 a length kind: Python rounds to even, 8


def test_changed_model_captions_all_anew(graph: SmallGraph) -> None:
    graph.add_shard("few", range(2))
    graph.refresh()
    graph.models.forget()
    graph.patch.setenv("ROLESYNTH_MODEL", "another")
    graph.refresh()
    assert len(graph.models.captioned) == 4
    stored = graph.store.read("captions", {"role_set": "generic1"}, ["model"])
    assert set(stored["model"].to_pylist()) == {"another"}


def test_changed_judge_scores_anew_and_captions_nothing(graph: SmallGraph) -> None:
    graph.add_shard("few", range(2))
    graph.refresh()
    graph.models.forget()
    for name in ("ENGINE", "BASE_URL"):
        graph.patch.setenv(f"ROLESYNTH_JUDGE_{name}", {"ENGINE": "openai"}.get(name, "http://h/v1"))
    graph.patch.setenv("ROLESYNTH_JUDGE_MODEL", "strict")
    graph.patch.setenv("ROLESYNTH_JUDGE_PREFLIGHT", "off")
    report = graph.refresh()
    assert (len(graph.models.captioned), len(graph.models.judged)) == (0, 4)
    assert report.fresh["raw_captions"] == 1
