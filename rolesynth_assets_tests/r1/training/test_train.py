import json
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rolesynth_assets.clip.checkpoint.files import CheckpointError
from rolesynth_assets.embedded.nano.engine import EmbeddedEngine
from rolesynth_assets.files import whole_folders
from rolesynth_assets.files.object_path import data_path
from rolesynth_assets.r1.checks import reload_reproduces, reward_finite
from rolesynth_assets.r1.data import NO_DATA
from rolesynth_assets.r1.recipe import Rollouts
from rolesynth_assets.r1.training.checkpoint import (
    StepLog,
    policy_source,
    read_provenance,
    read_recipe,
    read_rollouts,
)
from rolesynth_assets.r1.training.policy import NANO_WEIGHTS, is_nano
from rolesynth_assets.r1.training.rollouts import reload_replies
from rolesynth_assets.r1.training.train import train
from rolesynth_assets.r1.training.trl_trainer import Trainer, grpo_config, step_logs
from rolesynth_assets.store.digests import file_digest


class Killed(BaseException):
    """What a kill looks like from inside: no handler of the loop runs on it."""


def vary_rewards(patch: pytest.MonkeyPatch) -> None:
    """Rewards that differ between any two replies, so that every step moves the weights."""

    def accuracy_reward(completions, **_):
        return [len(turns[-1]["content"]) % 7 / 7 for turns in completions]

    patch.setattr("rolesynth_assets.r1.training.trl_trainer.accuracy_reward", accuracy_reward)


def killer(at: int):
    def progress(done, total, reward):
        if done == at:
            raise Killed

    return progress


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data, make_recipe):
    seen, folder = [], tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        vary_rewards(patch)
        report = train(make_recipe(), data, folder, 1, progress=lambda *a: seen.append(a))
    return report, seen


@pytest.fixture
def noisy_rewards(monkeypatch):
    vary_rewards(monkeypatch)


def test_a_finished_run_leaves_a_complete_record(whole, data, make_recipe):
    report, seen = whole
    provenance = read_provenance(report.folder)
    assert provenance == report.provenance
    assert provenance.recipe_digest == make_recipe().digest
    assert (provenance.seed, provenance.steps, provenance.items) == (1, 3, 5)
    assert provenance.data_digest == data.digest
    assert provenance.domains == data.domains
    assert provenance.dropped == {"ungradable": 1}
    assert provenance.model_digest == file_digest(NANO_WEIGHTS / "model.safetensors")
    assert provenance.weights_digest == file_digest(report.folder / "model.safetensors")
    assert provenance.stand_in
    assert read_recipe(report.folder) == make_recipe()
    logged = (report.folder / "log.jsonl").read_text().splitlines()
    assert [StepLog.model_validate_json(line) for line in logged] == list(report.log)
    assert [row.step for row in report.log] == [1, 2, 3]
    assert [(done, total) for done, total, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert [reward for *_, reward in seen] == [row.reward for row in report.log]
    assert report.log[0].kl == pytest.approx(0, abs=1e-5) and report.log[-1].kl > 0
    assert all(0 < row.length <= 6 for row in report.log)
    assert reward_finite(report.log).passed
    assert not (report.folder / "unfinished").exists()


def test_the_weights_move_and_the_reload_answers_the_same(whole):
    report, _ = whole
    start = load_file(NANO_WEIGHTS / "model.safetensors")
    end = load_file(report.folder / "model.safetensors")
    assert {k for k in start if not torch.equal(start[k].float(), end[k])}
    stored, again = reload_replies(report.folder)
    assert len(stored) == 5 and reload_reproduces(stored, again).passed
    assert stored == [rollout.after for rollout in report.rollouts]


def test_rollouts_show_the_same_questions_before_and_after(whole, data):
    report, _ = whole
    rollouts = read_rollouts(report.folder)
    assert rollouts == list(report.rollouts)
    by_id = {item.item_id: item for item in data.items}
    assert {r.item_id for r in rollouts} == set(by_id)
    for r in rollouts:
        item = by_id[r.item_id]
        assert (r.image, r.question, r.solution) == (item.image, item.question, item.answer)
        assert 0 <= r.reward_before <= 1 and 0 <= r.reward_after <= 1


def test_the_folder_is_one_the_embedded_engine_loads(whole):
    report, _ = whole
    assert policy_source(report.folder) == str(report.folder)
    assert is_nano(report.folder)
    assert EmbeddedEngine(report.folder).identity.revision == report.provenance.weights_digest[:12]
    saved = json.loads((report.folder / "tokenizer.json").read_text())
    assert saved["padding"] is None  # a tokenizer that pads would change every prompt


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_a_killed_run_goes_on_to_the_very_same_weights(
    whole, tmp_path, data, make_recipe, noisy_rewards, where, request, monkeypatch
):
    report, _ = whole
    root = request.getfixturevalue("bucket_root") if where == "bucket" else str(tmp_path)
    monkeypatch.setattr(whole_folders, "UPLOAD_EVERY_S", 0)
    folder = data_path(root) / "killed"
    with pytest.raises(Killed):
        train(make_recipe(), data, folder, 1, progress=killer(2))
    with pytest.raises(CheckpointError, match="no training has finished"):
        read_provenance(folder)
    monkeypatch.setenv("ROLESYNTH_CACHE", str(tmp_path / "another machine"))
    resumed = train(make_recipe(), data, folder, 1)
    assert resumed.resumed_from >= 1
    assert resumed.log == report.log
    assert resumed.provenance == report.provenance == read_provenance(folder)
    assert reload_reproduces(*reload_replies(resumed.folder)).passed


def test_another_trainings_state_is_not_resumed(tmp_path, data, make_recipe, noisy_rewards):
    with pytest.raises(Killed):
        train(make_recipe(), data, tmp_path, 1, progress=killer(2))
    report = train(make_recipe(steps=1), data, tmp_path, 2)
    assert report.resumed_from == 0
    assert [row.step for row in report.log] == [1]


def test_adapters_are_resumed_and_merged_into_the_weights(
    tmp_path, data, make_recipe, noisy_rewards
):
    recipe = make_recipe(lora_rank=2, steps=2)
    straight = train(recipe, data, tmp_path / "straight", 0)
    with pytest.raises(Killed):
        train(recipe, data, tmp_path, 0, progress=killer(2))
    report = train(recipe, data, tmp_path, 0)
    assert report.resumed_from == 1
    assert report.provenance == straight.provenance
    start = load_file(NANO_WEIGHTS / "model.safetensors")
    end = load_file(tmp_path / "model.safetensors")
    assert set(start) == set(end)
    assert any(not torch.equal(start[k].float(), end[k]) for k in start)
    assert reload_reproduces(*reload_replies(tmp_path)).passed
    assert report.provenance.steps == 2


def test_the_processs_random_state_stays(tmp_path, data, make_recipe):
    def seed_all():
        random.seed(5)
        np.random.seed(5)
        torch.manual_seed(5)

    seed_all()
    expected = random.random(), np.random.rand(), torch.rand(1)
    seed_all()
    train(make_recipe(steps=1), data, tmp_path, 0)
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected


def test_the_base_is_the_model_as_it_comes(tmp_path, make_recipe):
    recipe = make_recipe("base", steps=None)
    report = train(recipe, NO_DATA, tmp_path, 0)
    assert policy_source(tmp_path) == str(NANO_WEIGHTS)
    assert report.provenance.weights_digest == file_digest(NANO_WEIGHTS / "model.safetensors")
    assert not list(tmp_path.glob("*.safetensors"))
    assert (report.log, read_rollouts(tmp_path)) == ((), [])
    assert (tmp_path / "log.jsonl").read_text() == ""
    assert reload_replies(tmp_path) == ([], [])


def test_nothing_to_train_on_is_an_error(tmp_path, make_recipe):
    with pytest.raises(ValueError, match="no question to train on"):
        train(make_recipe(), NO_DATA, tmp_path, 0)


def test_altered_weights_are_found_out(tmp_path, make_recipe):
    train(make_recipe("base", steps=None), NO_DATA, tmp_path, 0)
    text = (tmp_path / "provenance.json").read_text()
    digest = read_provenance(tmp_path).weights_digest
    (tmp_path / "provenance.json").write_text(text.replace(digest, "0" * 64))
    with pytest.raises(CheckpointError, match="expected 0000"):
        policy_source(tmp_path)


def test_a_recipe_becomes_trls_configuration(tmp_path, make_recipe):
    recipe = make_recipe("qwen2.5-vl-7b", steps=None, batch=128, generations=8, micro_batch=4)
    config = grpo_config(recipe.model_copy(update={"vllm": "off"}), tmp_path, 7, "<image>")
    assert (config.num_generations, config.generation_batch_size) == (8, 1024)
    assert (config.per_device_train_batch_size, config.gradient_accumulation_steps) == (4, 256)
    assert config.reward_weights == [0.9, 0.1]
    assert (config.temperature, config.seed, config.report_to) == (1.0, 7, [])
    assert (config.num_train_epochs, config.max_steps) == (1, -1)


def test_rollouts_of_vllm_may_not_hold_the_image_token(tmp_path, make_recipe):
    recipe = make_recipe().model_copy(update={"vllm": Rollouts.COLOCATE})
    config = grpo_config(recipe, tmp_path, 7, "<image>")
    assert (config.use_vllm, config.vllm_mode) == (True, "colocate")
    assert config.generation_kwargs == {"bad_words": ["<image>"]}
    assert grpo_config(make_recipe(), tmp_path, 7, "<image>").generation_kwargs is None


def test_the_trainer_reports_to_nobody(monkeypatch):
    sent = []
    monkeypatch.setattr("trl.trainer.base_trainer.send_telemetry", lambda **k: sent.append(k))
    Trainer._send_telemetry(object.__new__(Trainer))
    assert sent == []


def test_a_reward_that_is_no_number_shows_in_the_log():
    entry = {"step": 1, "reward": None, "rewards/accuracy_reward/mean": 0.5, "loss": "nan"}
    rows = step_logs([entry | {"rewards/format_reward/mean": 1}, {"train_loss": 0.1}])
    assert len(rows) == 1 and rows[0].kl is None
    assert not reward_finite(rows).passed
