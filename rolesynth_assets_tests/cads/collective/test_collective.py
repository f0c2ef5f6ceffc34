"""Collectives: what a YAML says, what is refused, and what makes another one of it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.cads.collective.collective import (
    SHIPPED,
    Collective,
    CollectiveError,
    choose_collective,
    load_collectives,
    read_collective,
)
from rolesynth_assets.cads.collective.member import ImageMode, Member, normal_url
from rolesynth_assets.cads.strategies import PAPER_STRATEGIES
from rolesynth_assets.embedded.nano import engine as embedded_engine
from rolesynth_assets.mllm.engine import EngineError, Sampling
from rolesynth_assets.mllm.factory import make_engine
from rolesynth_assets.mllm.openai.engine import OpenAIEngine

URL = "http://127.0.0.1:8000/v1"


def served(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "engine": "openai", "model": f"m-{name}", "base_url": URL} | changes


def collective(*members: dict[str, Any], **changes: Any) -> Collective:
    trio = [served(name) for name in ("ann", "bob", "cy")]
    return Collective.model_validate({"name": "mine", "members": members or trio} | changes)


def write(folder: Path, file: str, **content: Any) -> Path:
    folder.mkdir(exist_ok=True)
    values = {"name": "mine", "members": [served("ann"), served("bob")]} | content
    (folder / file).write_text(yaml.safe_dump(values))
    return folder / file


def test_the_shipped_collectives() -> None:
    shipped = load_collectives()
    assert {path.stem for path in SHIPPED.glob("*.yaml")} == set(shipped)  # file and name agree
    paper = shipped["paper"]
    assert (paper.K, paper.candidates_per_seed, paper.rounds) == (4, 8, 10)  # the paper's K, N, T
    assert paper.writers == paper.judges
    assert not paper.extra_checks
    assert paper.strategies == PAPER_STRATEGIES
    assert paper.renderer.kind == "images_endpoint"
    assert all(member.api_key_env for member in paper.members)


def test_a_user_leaves_out_rewords_and_adds_strategies() -> None:
    choices = {"Logic Reversion": False, "Colour Swap": "let the\u00a0colours  decide"}
    made = collective(strategies={**choices, "Auxiliary Extension": "add a step"}).strategies
    assert [strategy.name for strategy in made] == [
        "Numerical & Parameter Variation",
        "Auxiliary Extension",
        "Isomorphic Scenario Transfer",
        "Colour Swap",
    ]
    assert [made[1].instruction, made[3].instruction] == ["add a step", "let the colours decide"]
    assert made[0] == PAPER_STRATEGIES[0]


def test_what_is_left_out_has_the_methods_defaults() -> None:
    made = collective()
    assert made.writers == made.judges == ("ann", "bob", "cy")
    assert (made.optimiser, made.equaliser, made.K) == ("ann", "ann", 3)
    assert (made.candidates_per_seed, made.rounds) == (8, 10)
    assert not made.extra_checks
    ann = made.member("ann")
    assert ann.image_mode is ImageMode.NATIVE
    assert isinstance(ann.write, Sampling) and isinstance(ann.judge, Sampling)
    assert (ann.write.temperature, ann.write.top_p, ann.write.max_tokens) == (1.0, 1.0, 2048)
    assert (ann.judge.temperature, ann.judge.top_p, ann.judge.max_tokens) == (0.0, 1.0, 2048)


def test_the_optimiser_is_the_first_writer_and_settles_equality_too() -> None:
    made = collective(writers=["cy", "ann"], judges=["bob"])
    assert (made.optimiser, made.equaliser, made.K) == ("cy", "cy", 1)
    made = collective(writers=["cy", "ann"], optimiser="bob")
    assert (made.optimiser, made.equaliser) == ("bob", "bob")


def test_none_switches_the_equaliser_off_and_stays_off_when_read_back() -> None:
    made = collective(equaliser="none")
    assert made.equaliser is None
    assert Collective.model_validate(made.model_dump(mode="json")) == made


def test_part_of_a_sampling_keeps_the_rest_of_its_defaults() -> None:
    made = collective(served("ann", write={"temperature": 0.5}, judge={"max_tokens": 9}))
    ann = made.member("ann")
    assert (ann.write.temperature, ann.write.max_tokens) == (0.5, 2048)
    assert (ann.judge.temperature, ann.judge.max_tokens) == (0.0, 9)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        URL + "/",
        "HTTP://127.0.0.1:8000/v1",
        "http://localhost:8000/v1//",
        "http://LOCALHOST.:8000/v1",
    ],
)
def test_one_model_behind_one_endpoint_is_one_member(url: str) -> None:
    with pytest.raises(ValueError, match=r"'ann' and 'twin' are the same model 'm-ann'"):
        collective(served("ann"), served("twin", model="m-ann", base_url=url))


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "m-ann", "base_url": "http://127.0.0.1:8001/v1"},
        {"model": "m-ann", "base_url": "https://127.0.0.1:8000/v1"},
        {"model": "m-ann", "base_url": "http://127.0.0.1:8000/v2"},
        {"model": "m-Ann"},
    ],
)
def test_another_model_or_endpoint_is_another_member(changes: dict[str, Any]) -> None:
    assert collective(served("ann"), served("twin", **changes)).K == 2


def test_two_embedded_members_with_the_same_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="the same model 'nano'"):
        collective({"name": "a", "model": "nano"}, {"name": "b", "model": "nano"})


HOSTS = st.sampled_from(["api.example.org", "localhost", "127.0.0.1", "10.0.0.7"])


@given(st.sampled_from(["http", "https"]), HOSTS, st.none() | st.integers(1, 65535), st.booleans())
def test_a_normal_url_is_its_own_and_ignores_spelling(
    scheme: str, host: str, port: int | None, slash: bool
) -> None:
    path = "/v1/" if slash else "/v1"
    plain = f"{scheme}://{host}{f':{port}' if port else ''}{path}"
    normal = normal_url(plain)
    assert normal_url(normal) == normal
    assert normal_url(f"{scheme.upper()}://{host.upper()}:{port or normal_port(scheme)}/v1") == (
        normal
    )


def normal_port(scheme: str) -> int:
    return {"http": 80, "https": 443}[scheme]


BLIND = {"image_mode": "caption", "transcriber": "ann"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"members": []}, "members: .*at least one member"),
        ({"members": [served("ann"), served("ann", model="x")]}, "members: .*ann is listed twi"),
        ({"members": [served("none")]}, "no member may be called 'none'"),
        ({"members": [served("a b")]}, r"members\.0\.name"),
        ({"members": [served("ann", model="")]}, r"members\.0\.model"),
        ({"members": [served("ann", engine="grpc")]}, r"members\.0\.engine"),
        ({"members": [served("ann", base_url=None)]}, r"members\.0: .*base_url is missing"),
        ({"members": [served("ann", base_url="ftp://x")]}, r"members\.0\.base_url"),
        ({"members": [served("ann", base_url="http://u:p@h/v1")]}, r"members\.0\.base_url"),
        ({"members": [served("ann", write={"temperature": 9})]}, r"members\.0\.write\.temperature"),
        ({"members": [served("ann", judge={"colour": 9})]}, r"members\.0\.judge\.colour"),
        ({"members": [served("ann", price_per_million_prompt_tokens=-1)]}, "price_per_million"),
        ({"members": [{"name": "a", "model": "nano", "base_url": URL}]}, "takes no base_url"),
        ({"members": [{"name": "a", "model": "nano", "revision": "1"}]}, "digest of its weights"),
        ({"members": [served("ann", image_mode="caption")]}, r"members\.0: .*transcriber"),
        ({"members": [served("ann"), served("bob", transcriber="ann")]}, "caption and a transcr"),
        ({"members": [served("bob", **BLIND)]}, "transcriber 'ann' is not a member that sees"),
        ({"members": [served("ann", **BLIND)]}, "transcriber 'ann' is not a member that sees"),
        (
            {"members": [served("ann", image_mode="text_only"), served("bob", **BLIND)]},
            "transcriber 'ann' is not a member that sees",
        ),
        (
            {"writers": ["ann", "eve"]},
            r"writers: 'eve' is not a member; the members are \['ann', 'bob'\]",
        ),
        ({"judges": ["eve"]}, "judges: 'eve' is not a member"),
        ({"optimiser": "eve"}, "optimiser: 'eve' is not a member"),
        ({"equaliser": "eve"}, "equaliser: 'eve' is not a member"),
        ({"writers": []}, "writers: "),
        ({"judges": ["ann", "ann"]}, "judges: ann is listed twice"),
        ({"rounds": 11}, "rounds: .*less than or equal to 10"),
        ({"rounds": 0}, "rounds: "),
        ({"candidates_per_seed": 0}, "candidates_per_seed: "),
        (
            {"extra_checks": {"typo": True}},
            "extra_checks: there is no check 'typo'; they are text",
        ),
        ({"strategies": {"Colour Swap": True}}, "strategies: 'Colour Swap' is true, but the paper"),
        ({"strategies": {"Logic Reversion": 3}}, "strategies: 'Logic Reversion': a strategy has"),
        (
            {"strategies": {"two\nlines": "do it"}},
            "strategies: 'two.nlines': a strategy",
        ),
        (
            {"strategies": dict.fromkeys((s.name for s in PAPER_STRATEGIES), False)},
            "strategies: all strategies are left out",
        ),
        ({"renderer": {"kind": "images_endpoint"}}, "renderer: .*needs base_url and model"),
        ({"renderer": {"model": "m"}}, "renderer: .*takes no model"),
        ({"renderer": {"kind": "crayons"}}, r"renderer\.kind"),
        ({"colour": "red"}, "colour: there is no such field"),
    ],
)
def test_errors_name_the_file_and_the_field(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = write(tmp_path, "mine.yaml", **changes)
    with pytest.raises(CollectiveError, match=said) as error:
        read_collective(path)
    assert str(path) in str(error.value)
    assert "default factory" not in str(error.value)  # what merely follows from the fault


@pytest.mark.parametrize("text", ["- a list", "name: [", "", "\udcff"])
def test_a_file_that_is_no_mapping_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CollectiveError, match=r"broken\.yaml"):
        read_collective(path)


def test_a_users_collective_wins_by_name(tmp_path: Path) -> None:
    write(tmp_path / "collectives", "a.yaml", name="paper", rounds=3)
    write(tmp_path / "collectives", "b.yaml", name="mine")
    found = load_collectives(tmp_path / "collectives")
    assert set(found) == {"embedded", "mine", "paper"}
    assert found["paper"].rounds == 3
    assert load_collectives()["paper"].rounds == 10
    assert load_collectives(tmp_path / "absent") == load_collectives()


def test_two_files_with_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    second = write(tmp_path, "b.yaml")
    with pytest.raises(CollectiveError, match=r"'mine' is already the name of a\.yaml") as error:
        load_collectives(tmp_path).whole()
    assert str(second) in str(error.value)


@pytest.mark.parametrize("field", ["api_key", "api_key_env"])
def test_a_key_in_the_file_is_refused_without_showing_it(tmp_path: Path, field: str) -> None:
    secret = "sk-very-secret-0123456789"
    path = write(tmp_path, "mine.yaml", members=[served("ann", **{field: secret})])
    with pytest.raises(CollectiveError, match=rf"members\.0\.{field}") as error:
        read_collective(path)
    assert secret not in str(error.value)


def test_the_key_comes_from_the_variable_the_member_names() -> None:
    ann = collective(served("ann", api_key_env="ANN_KEY")).member("ann")
    environ = {"ANN_KEY": " sk-ann ", "OPENAI_API_KEY": "sk-other", "ROLESYNTH_API_KEY": "sk-x"}
    settings = ann.settings(environ)
    assert settings.api_key is not None and settings.api_key.get_secret_value() == "sk-ann"
    assert "sk-ann" not in repr(settings) + repr(ann) + ann.digest
    bob = collective(served("bob")).member("bob")
    assert bob.settings(environ).api_key is None  # nobody's key goes where it was not meant to
    for empty in ({}, {"ANN_KEY": " "}):
        with pytest.raises(EngineError, match=r"'ann'.*ANN_KEY, which is not set"):
            ann.settings(empty)


def test_a_members_settings_make_its_engine() -> None:
    fields: dict[str, Any] = {
        **{"concurrency": 3, "timeout_s": 7.0, "max_retries": 1, "pixel_budget": 100_000},
        **{"extra_body": {"top_k": 20}, "revision": "r1"},
    }
    settings = Member.model_validate(served("ann", **fields)).settings({})
    assert {name: getattr(settings, name) for name in fields} == fields
    assert settings.names.model == "`model` of member 'ann'"
    engine = make_engine(settings)
    assert isinstance(engine, OpenAIEngine)
    assert engine.identity.model == "m-ann"


SAME = [
    {"name": "other"},
    {"members": [served("ann", base_url="http://10.0.0.1/v1"), served("bob")]},
    {"members": [served("ann", api_key_env="ANN_KEY"), served("bob")]},
    {"members": [served("ann", concurrency=1, timeout_s=9, max_retries=0), served("bob")]},
    {"members": [served("ann", price_per_million_prompt_tokens=2.5), served("bob")]},
    {"equaliser": "ann"},
]
OTHER = [
    {"members": [served("ann", model="x"), served("bob")]},
    {"members": [served("ann", revision="x"), served("bob")]},
    {"members": [served("anna", model="m-ann"), served("bob")]},
    {"members": [served("ann", write={"temperature": 0.9}), served("bob")]},
    {"members": [served("ann", judge={"max_tokens": 9}), served("bob")]},
    {"members": [served("ann", extra_body={"top_k": 1}), served("bob")]},
    {"members": [served("ann", pixel_budget=9999), served("bob")]},
    {"members": [served("ann"), served("bob", image_mode="text_only")]},
    {"members": [served("ann"), served("bob", **BLIND)]},
    {"members": [served("bob"), served("ann")]},
    {"writers": ["bob"], "optimiser": "ann"},
    {"judges": ["ann"]},
    {"optimiser": "bob", "equaliser": "ann"},
    {"equaliser": "none"},
    {"candidates_per_seed": 4},
    {"rounds": 9},
    {"strategies": {"Logic Reversion": False}},
    {"strategies": {"Logic Reversion": "swap both"}},
    {"strategies": {"Colour Swap": "let the colours decide"}},
    {"extra_checks": {"duplicates": True}},
    {"renderer": {"kind": "images_endpoint", "model": "m", "base_url": URL}},
    {"renderer": {"kind": "images_endpoint", "model": "n", "base_url": URL}},
]


def pair(**changes: Any) -> Collective:
    return collective(served("ann"), served("bob"), **changes)


def test_the_digest_follows_what_changes_the_rows() -> None:
    assert {pair(**changes).digest for changes in SAME} == {pair().digest}
    digests = [pair().digest, *(pair(**changes).digest for changes in OTHER)]
    assert len(set(digests)) == 1 + len(OTHER)


def test_the_digest_follows_the_content_of_embedded_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_engine, "WEIGHTS", tmp_path / "nano")
    (tmp_path / "nano").mkdir()
    made = collective({"name": "ada", "model": "nano"})
    with pytest.raises(EngineError, match="no model 'nano'"):
        _ = made.digest
    digests = []
    for content in (b"one", b"other", b"one"):
        (tmp_path / "nano" / "model.safetensors").write_bytes(content)
        digests.append(made.digest)
    assert digests[0] == digests[2] != digests[1]


def test_an_unknown_member_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="'mine' has no member 'eve'"):
        collective().member("eve")


def test_a_choice_that_is_none_is_told_with_those_there_are(tmp_path: Path) -> None:
    assert choose_collective("embedded", tmp_path).name == "embedded"
    for name, fault in (("", "No collective is chosen"), ("crowd", "no collective 'crowd'")):
        with pytest.raises(CollectiveError, match=f"{fault}.*one of: embedded, paper"):
            choose_collective(name, tmp_path)
