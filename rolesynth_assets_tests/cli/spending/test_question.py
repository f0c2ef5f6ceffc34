import dataclasses
import sys

import pytest
import typer

from rolesynth_assets.cli.spending.expected import Expected, Plan, Tokens
from rolesynth_assets.cli.spending.question import ask_before_paying, compare, plan_lines
from rolesynth_assets.mllm.cost.prices import Prices
from rolesynth_assets.mllm.cost.spent import Spent

PRICES = Prices(per_million_prompt_tokens=1.0, per_call=0.01)
CAPTIONS = Expected("captions", "qwen", 1000, 100, Tokens(500, 50, "as in 9 rows"), PRICES)
SCORES = Expected("scores", "judge", 1000, 100, Tokens(600, 10, "a guess"), Prices())
ASSETS = frozenset({"raw_captions", "caption_scores"})
PLAN = Plan((CAPTIONS, SCORES), (("a-0000", 1500), ("b-0000", 500)), ("b-0000",), ASSETS)


class Terminal:
    def isatty(self) -> bool:
        return True


def test_the_plan_says_calls_images_tokens_cost_and_shards() -> None:
    said = "\n".join(plan_lines(PLAN))
    assert (
        "1,000 captions about 100 images by qwen: about 500,000 tokens read and 50,000 written "
        "(as in 9 rows), cost about 10.50"
    ) in said
    assert "in all: 2,000 calls, about 1,100,000 tokens read" in said
    assert "cost about 10.50 for those with a price" in said
    assert "by shard: a-0000 1,500, b-0000 500" in said
    assert "b-0000: the demo's composed pictures" in said
    assert "set `prices` in rolesynth.yaml" in said


def test_without_a_terminal_nothing_is_paid(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as refused:
        ask_before_paying(PLAN, yes=False)
    assert refused.value.exit_code == 2
    assert "--yes" in capsys.readouterr().err
    ask_before_paying(PLAN, yes=True)  # agreed to beforehand
    ask_before_paying(Plan(), yes=False)  # nothing costs anything
    assert "1,000 captions" in capsys.readouterr().out


@pytest.mark.parametrize("answer", [True, False])
def test_on_a_terminal_the_answer_decides(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: answer)
    if answer:
        ask_before_paying(PLAN, yes=False)
        return
    with pytest.raises(typer.Exit) as refused:
        ask_before_paying(PLAN, yes=False)
    assert refused.value.exit_code == 1


def test_actual_numbers_stand_beside_the_expected_ones() -> None:
    captions, scores = Spent(990, 500_000, 50_000, 9.9), Spent(1000, 500_000, 9_000)
    said = compare(PLAN, {"raw_captions": captions, "caption_scores": scores})
    assert "1,990 calls (at most 2,000 expected)" in said
    assert "cost 9.90 (about 10.50)" in said
    assert compare(PLAN, {"raw_captions": captions, "cads_rounds": scores}).startswith(
        "Models were asked: 990 calls"
    )


def test_what_embedded_models_were_asked_is_compared_with_nothing() -> None:
    assert compare(Plan(), {}) == ""
    assert compare(Plan(), {"raw_captions": Spent(37_077, 10, 10)}) == ""
    counted = Plan(assets=frozenset({"caption_scores"}))
    assert compare(counted, {"raw_captions": Spent(9)}) == ""
    assert "2 calls (at most 0 expected)" in compare(counted, {"caption_scores": Spent(2)})


def test_calls_of_a_model_in_this_process_are_planned_and_not_asked_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    local = dataclasses.replace(CAPTIONS, prices=Prices(), in_process=True, tried=2)
    plan = Plan((local,))
    ask_before_paying(plan, yes=False)
    said = capsys.readouterr().out
    assert "models in this process" in said and "may cost money" not in said
    assert "1,000 captions about 100 images by qwen in this process" in said
    assert "after 2 calls that try it" in said and "prices" not in said
    assert plan.spent.calls == 1002
    with pytest.raises(typer.Exit):
        ask_before_paying(Plan((local, SCORES)), yes=False)
