from pathlib import Path

import pytest

from rolesynth_assets.cads.problems.rules import SelectionRules
from rolesynth_assets.files.cache import cache_folder, max_cache_bytes
from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.settings import Settings, SettingsError
from rolesynth_assets.thresholds import Thresholds


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def load(project: Path, yaml: str = "", **variables: str) -> Settings:
    (project / "rolesynth.yaml").write_text(yaml)
    environ = {f"ROLESYNTH_{name}": value for name, value in variables.items()}
    return Settings.load({"ROLESYNTH_PROJECT": str(project), **environ})


def test_defaults_without_a_file(project: Path) -> None:
    settings = Settings.load({"ROLESYNTH_PROJECT": str(project)})
    assert settings.data_root == project / ".rolesynth"
    assert settings.images is None
    assert settings.captioner.engine == "embedded"
    assert settings.thresholds == Thresholds()
    assert (
        settings.paths.clip_checkpoint("roles5", 2)
        == project / ".rolesynth/checkpoints/roles5/seed-2"
    )
    assert settings.role_sets == project / "role_sets"


def test_file_is_read_and_its_paths_start_at_the_project(project: Path) -> None:
    settings = load(
        project,
        "data_root: stored\nimages: photos\nshard_size: 12\nlicence: mine\n"
        "thresholds:\n  max_reject_share: 0.5\n",
    )
    assert settings.data_root == project / "stored"
    assert settings.images == project / "photos"
    assert (settings.shard_size, settings.licence) == (12, "mine")
    assert settings.thresholds == Thresholds(max_reject_share=0.5)


def test_what_drops_a_problem_is_a_setting_with_a_careful_default(project: Path) -> None:
    wrong_reference = frozenset({"suspect_label", "writer_alone"})
    assert load(project, "").problems.rules == SelectionRules(refused=wrong_reference)
    chosen = load(project, "problems:\n  target: 500\n  refused: [text_only_leak]\n").problems
    assert chosen.rules == SelectionRules(500, 0, frozenset({"text_only_leak"}))
    assert load(project, "problems: {refused: []}\n").problems.rules == SelectionRules()


def test_environment_wins_over_the_file(project: Path, tmp_path: Path) -> None:
    settings = load(
        project, "data_root: stored\nimages: photos\n", DATA="elsewhere", IMAGES="/srv/photos"
    )
    assert settings.data_root == project / "elsewhere"
    assert settings.images == Path("/srv/photos")


def test_watched_images_may_lie_in_a_bucket(project: Path) -> None:
    assert load(project, "images: s3://pictures/in\n").images == "s3://pictures/in"
    assert load(project, "", IMAGES="gs://pictures").images == "gs://pictures"


def test_the_data_root_may_be_a_place_in_a_bucket(project: Path) -> None:
    assert str(load(project, "", DATA="s3://tables").data_root) == "s3://tables"
    settings = load(project, "data_root: gs://tables/x/\n", CACHE=str(project / "copies"))
    assert str(settings.paths.report("r1")) == "gs://tables/x/reports/r1.md"
    assert settings.paths.pixel_cache.is_relative_to(project / "copies")


@pytest.mark.parametrize(
    "url", ["s3://key:hunter2@tables", "s3://tables/x?key=hunter2", "ftp://x/y"]
)
def test_a_data_root_that_is_no_place_is_refused_without_its_key(project: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="cannot be used") as refused:
        load(project, "", DATA=url)
    assert "hunter2" not in str(refused.value)


def test_a_data_root_may_be_a_folder_by_url(project: Path) -> None:
    assert load(project, "", DATA="file:///srv/data").data_root == Path("/srv/data")


def test_the_cache_of_a_bucket_has_a_folder_and_a_bound(project: Path) -> None:
    settings = load(project, "cache: copies\ncache_gb: 2.5\n")
    assert (settings.cache, settings.cache_gb) == (project / "copies", 2.5)
    assert (cache_folder(), max_cache_bytes()) == (project / "copies", 2_500_000_000)
    load(project, "", CACHE="/srv/copies")
    assert (cache_folder(), max_cache_bytes()) == (Path("/srv/copies"), 50_000_000_000)


def test_empty_variable_is_unset(project: Path) -> None:
    assert load(project, "images: photos\n", IMAGES="").images == project / "photos"


@pytest.mark.parametrize(
    ("yaml", "named"),
    [
        ("shard_sise: 3\n", "shard_sise: there is no such field"),
        ("shard_size: 0\n", "shard_size: Input should be greater than or equal to 1"),
        ("thresholds:\n  max_rejects: 1\n", "thresholds.max_rejects: there is no such field"),
        ("thresholds:\n  max_reject_share: 2\n", "thresholds.max_reject_share: Input should be"),
        ("problems: {refused: [duplicate]}\n", "problems.refused: refused: duplicate cannot be"),
        (
            "problems: {refused: [typo]}\n",
            "problems.refused: refused: typo cannot be chosen; the findings",
        ),
        ("problems: {target: 0}\n", "problems.target: Input should be greater than or equal to 1"),
        ("captioner:\n  api_key: sk-1234\n", "captioner: engines and their keys are set by"),
        ("judge: {}\n", "judge: engines and their keys are set by environment variables"),
        ("- a\n- b\n", "must be a mapping"),
        ("shard_size: [\n", "cannot be read as YAML"),
    ],
)
def test_unusable_file_is_named_with_the_field(project: Path, yaml: str, named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(project, yaml)
    assert str(project / "rolesynth.yaml") in str(caught.value)
    assert named in str(caught.value)
    assert "sk-1234" not in str(caught.value)


def test_judge_is_the_captioner_until_it_is_named(project: Path) -> None:
    same = load(project, ENGINE="openai", MODEL="qwen", BASE_URL="http://h/v1")
    assert same.judge == same.captioner
    assert same.captioner.model == "qwen"
    apart = load(
        project,
        ENGINE="openai",
        MODEL="qwen",
        BASE_URL="http://h/v1",
        JUDGE_ENGINE="openai",
        JUDGE_MODEL="strict",
        JUDGE_BASE_URL="http://other/v1",
    )
    assert (apart.captioner.model, apart.judge.model) == ("qwen", "strict")
    assert apart.judge.base_url == "http://other/v1"


def test_a_judge_without_its_engine_is_refused(project: Path) -> None:
    with pytest.raises(SettingsError, match=r"ROLESYNTH_JUDGE_MODEL: .* ROLESYNTH_JUDGE_ENGINE"):
        load(project, ENGINE="openai", MODEL="qwen", JUDGE_MODEL="strict")


def test_the_embedded_collective_is_chosen_beside_the_embedded_engine_alone(project: Path) -> None:
    assert load(project).collective == "embedded"
    assert load(project, COLLECTIVE="paper").collective == "paper"
    assert load(project, "collective: mine\n").collective == "mine"
    assert load(project, ENGINE="openai", MODEL="m", BASE_URL="http://h/v1").collective == ""


def test_key_does_not_show(project: Path) -> None:
    settings = load(project, API_KEY="sk-1234")
    assert "sk-1234" not in repr(settings)
    assert settings.captioner.api_key is not None
    assert settings.captioner.api_key.get_secret_value() == "sk-1234"


def test_broken_engine_variable_is_named(project: Path) -> None:
    with pytest.raises(EngineError, match="ROLESYNTH_CONCURRENCY"):
        load(project, CONCURRENCY="many")


def test_prices_of_captioner_and_judge(project: Path) -> None:
    prices = load(
        project,
        "prices:\n  captioner:\n    per_million_prompt_tokens: 0.5\n"
        "    per_million_completion_tokens: 2\n    per_call: 0.001\nmax_refresh_cost: 20\n",
    ).prices
    assert prices.captioner.cost(1000, 2_000_000, 300_000) == pytest.approx(1 + 1 + 0.6)
    assert prices.judge.cost(1000, 2_000_000, 300_000) == 0


def test_cap_on_cost_of_a_paid_model_without_prices_is_refused(project: Path) -> None:
    paid = {"ENGINE": "openai", "BASE_URL": "http://127.0.0.1:9/v1", "MODEL": "m"}
    told = "prices:\n  captioner:\n    per_call: 0.1\nmax_refresh_cost: 20\n"
    with pytest.raises(SettingsError, match=r"prices\.judge\.per_million_prompt_tokens"):
        load(project, told, **paid)
    assert load(project, told, JUDGE_ENGINE="embedded", **paid).max_refresh_cost == 20
