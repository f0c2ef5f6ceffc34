import csv
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import pytest
import torch
from open_clip.transformer import Transformer
from safetensors.torch import load_file

from rolesynth_assets.clip import train as training
from rolesynth_assets.clip.checkpoint.files import LOSSES, LossPoint, read_manifest
from rolesynth_assets.clip.checkpoint.save_load import load_checkpoint
from rolesynth_assets.clip.data.batches import TrainingSet, TrainingSetError
from rolesynth_assets.clip.data.input_cache import InputCache
from rolesynth_assets.clip.data.pixels import CACHE_BYTES, PixelSource
from rolesynth_assets.clip.features.batch_features import BatchFeatures
from rolesynth_assets.clip.loss import LOSS_FUNCTIONS
from rolesynth_assets.clip.model import ModelError, build_model
from rolesynth_assets.clip.recipe import Loss
from rolesynth_assets.clip.train import NonFiniteLossError, train
from rolesynth_assets.files import whole_folders
from rolesynth_assets.files.object_path import ObjectPath, data_path
from rolesynth_assets.files.whole_folders import drop_file, file_of, folders_with, local_folder
from rolesynth_assets_tests.clip.image_readers import in_memory
from rolesynth_assets_tests.clip.tiny_models import tiny_vit

HERE = Path(__file__).parent


class Killed(BaseException):
    """What a kill looks like from inside: no handler of the loop runs on it."""


def killer(at: int):
    def progress(done, total, loss):
        if done == at:
            raise Killed

    return progress


def same_weights(first: Path, second: Path) -> bool:
    return (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, training_set, make_recipe):
    folder = tmp_path_factory.mktemp("whole")
    seen = []
    report = train(make_recipe(), training_set, folder, 3, progress=lambda *a: seen.append(a))
    return folder, report, seen


def test_a_finished_run_leaves_a_complete_record(uninterrupted, training_set, make_recipe):
    folder, report, seen = uninterrupted
    manifest = read_manifest(folder)
    assert manifest == report.manifest
    assert manifest.training_set_digest == training_set.digest
    assert manifest.recipe_digest == make_recipe().digest
    assert (manifest.seed, manifest.steps, manifest.images) == (3, 6, 24)
    assert manifest.pairs == training_set.pairs
    with (folder / LOSSES).open(newline="", encoding="utf-8") as file:
        losses = [LossPoint.model_validate(row) for row in csv.DictReader(file)]
    assert losses == list(report.losses)
    assert [p.step for p in losses] == list(range(6))
    assert [p.epoch for p in losses] == [0, 0, 0, 1, 1, 1]
    assert [(d, t) for d, t, _ in seen] == [(k, 6) for k in range(1, 7)]
    assert [loss for *_, loss in seen] == [p.loss for p in losses]
    assert report.resumed_from == 0
    assert sorted(p.name for p in folder.iterdir()) == [
        "loss.csv",
        "manifest.json",
        "model.safetensors",
        "open_clip_config.json",
        "recipe.yaml",
        "reference.safetensors",
    ]


def test_the_first_positions_stay_while_all_else_learns(uninterrupted, make_recipe):
    folder, *_ = uninterrupted
    with torch.random.fork_rng():
        torch.manual_seed(3)
        start = build_model(make_recipe()).module.state_dict()
    end = load_file(folder / "model.safetensors")
    frozen = start["positional_embedding"][:20]
    assert torch.equal(end["positional_embedding"][:20], frozen)
    for name in ("logit_scale", "token_embedding.weight", "visual.conv1.weight"):
        assert not torch.equal(end[name], start[name]), name


def test_unfrozen_positions_learn(training_set, make_recipe, tmp_path):
    recipe = make_recipe(frozen_positions=3, schedule={"steps": 2, "batch_images": 8})
    with torch.random.fork_rng():
        torch.manual_seed(3)
        start = build_model(recipe).module.positional_embedding
    train(recipe, training_set, tmp_path, 3)
    end = load_file(tmp_path / "model.safetensors")["positional_embedding"]
    moved = (end != start).any(dim=1)
    assert not moved[:3].any() and moved[3:7].all()


def test_an_interrupted_run_ends_with_the_same_bits(
    uninterrupted, training_set, make_recipe, tmp_path
):
    recipe = make_recipe()
    with pytest.raises(Killed):
        train(recipe, training_set, tmp_path, 3, progress=killer(5), save_every=2)
    assert not (tmp_path / "manifest.json").exists()
    torch.manual_seed(99)  # the resumed process starts from another random state
    report = train(recipe, training_set, tmp_path, 3, save_every=2)
    folder, whole, _ = uninterrupted
    assert report.resumed_from == 4
    assert same_weights(tmp_path, folder)
    assert report.losses == whole.losses
    assert report.manifest == whole.manifest
    assert not (tmp_path / "state.pt").exists()


def test_another_machine_continues_a_run_whose_checkpoint_lies_in_a_bucket(
    uninterrupted, training_set, make_recipe, tmp_path, bucket_root, monkeypatch
):
    monkeypatch.setattr(whole_folders, "UPLOAD_EVERY_S", 0)
    recipe, place = make_recipe(), ObjectPath.of(bucket_root) / "checkpoints" / "base" / "seed-3"
    with pytest.raises(Killed):
        train(recipe, training_set, place, 3, progress=killer(5), save_every=2)
    assert file_of(place, "manifest.json") is None
    monkeypatch.setenv("ROLESYNTH_CACHE", str(tmp_path / "another machine"))
    report = train(recipe, training_set, place, 3, save_every=2)
    folder, whole, _ = uninterrupted
    assert report.resumed_from == 4
    assert report.manifest == whole.manifest == read_manifest(place)
    assert same_weights(report.folder, folder) and same_weights(local_folder(place), folder)
    assert report.place == place
    assert {path.name for path in place.objects()} == {
        "folder.json",
        *(path.name for path in folder.iterdir()),
    }
    monkeypatch.setenv("ROLESYNTH_CACHE", str(tmp_path / "third machine"))
    assert same_weights(local_folder(place), folder)
    assert list(folders_with(data_path(bucket_root) / "checkpoints", "*/seed-*", LOSSES)) == [place]
    assert drop_file(place, "reference.safetensors")
    assert file_of(place, "reference.safetensors") is None
    assert same_weights(local_folder(place), folder)


def test_an_earlier_checkpoint_in_a_bucket_stays_until_the_next_one_is_finished(
    training_set, make_recipe, bucket_root
):
    place = data_path(bucket_root) / "seed-3"
    before = train(make_recipe(), training_set, place, 3).manifest
    with pytest.raises(Killed):
        train(make_recipe(), training_set, place, 4, progress=killer(5), save_every=2)
    assert read_manifest(place) == before
    assert train(make_recipe(), training_set, place, 4).manifest == read_manifest(place) != before


def test_a_killed_process_ends_with_the_same_bits(
    uninterrupted, training_set, make_recipe, tmp_path
):
    script = f"""
import os, signal, sys
sys.path[:0] = [{str(HERE)!r}, {str(HERE.parents[1])!r}]
import torch
from conftest import make_world
from rolesynth_assets.files import whole_folders
from rolesynth_assets.files.object_path import ObjectPath, data_path
from rolesynth_assets.files.whole_folders import drop_file, file_of, folders_with, local_folder
from rolesynth_assets_tests.clip.image_readers import in_memory
from pathlib import Path
from rolesynth_assets.clip.data.batches import TrainingSet
from rolesynth_assets.clip.train import train
from rolesynth_assets.clip.library import read_recipe
torch.set_num_threads({torch.get_num_threads()})
rows, images = make_world()
data = TrainingSet.from_rows(rows, in_memory(images))
def progress(done, total, loss):
    if done == 4:
        os.kill(os.getpid(), signal.SIGKILL)
recipe = read_recipe(Path({str(uninterrupted[0] / "recipe.yaml")!r}))
train(recipe, data, Path({str(tmp_path)!r}), 3, progress=progress, save_every=3)
"""
    done = subprocess.run([sys.executable, "-c", script], env=os.environ, check=False)
    assert done.returncode == -9
    assert (tmp_path / "state.pt").exists()
    report = train(make_recipe(), training_set, tmp_path, 3, save_every=3)
    assert report.resumed_from == 3
    assert same_weights(tmp_path, uninterrupted[0])


@pytest.mark.parametrize("memory", [0, CACHE_BYTES])
def test_kept_inputs_train_the_same_bits(
    memory, uninterrupted, training_set, make_recipe, tmp_path, monkeypatch
):
    monkeypatch.setattr(training, "PixelSource", partial(PixelSource, cache_bytes=memory))
    kept = InputCache(tmp_path / "root", 10**9)
    with pytest.raises(Killed):
        train(make_recipe(), training_set, tmp_path, 3, progress=killer(3), save_every=2, kept=kept)
    report = train(make_recipe(), training_set, tmp_path, 3, kept=kept)
    folder, whole, _ = uninterrupted
    assert report.resumed_from == 2
    assert same_weights(tmp_path, folder)
    assert report.manifest == whole.manifest


def test_another_runs_state_is_not_resumed(uninterrupted, training_set, make_recipe, tmp_path):
    recipe = make_recipe()
    with pytest.raises(Killed):
        train(recipe, training_set, tmp_path, 8, progress=killer(3), save_every=1)
    report = train(recipe, training_set, tmp_path, 3)
    assert report.resumed_from == 0
    assert same_weights(tmp_path, uninterrupted[0])


def test_the_callers_random_state_is_left_alone(training_set, make_recipe, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    recipe = make_recipe(schedule={"steps": 1, "batch_images": 8})
    train(recipe, training_set, tmp_path, 3)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"layout": "square"},
        {"loss": "infonce", "captions_per_image": 1},
        {"loss": "infonce", "layout": "square"},
    ],
)
def test_every_layout_and_loss_learns(changes, training_set, make_recipe, tmp_path):
    # a batch of all images sees the same captions every epoch or a draw of them
    recipe = make_recipe(
        **changes,
        schedule={"steps": 14, "batch_images": 24, "warmup_steps": 2},
        optimizer={"lr": 3e-3},
    )
    losses = [p.loss for p in train(recipe, training_set, tmp_path, 0).losses]
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


@contextmanager
def images_at_once(monkeypatch):
    """The number of images that each call of the image tower computed."""
    seen = []
    real = Transformer.forward

    def counted(tower, x, **more):
        if more.get("attn_mask") is None and torch.is_grad_enabled():
            seen.append(len(x))
        return real(tower, x, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Transformer, "forward", counted)
        yield seen


def test_a_micro_batch_trains_the_same_with_less_at_once(
    training_set, make_recipe, tmp_path, monkeypatch
):
    schedule = {"steps": 4, "batch_images": 8, "warmup_steps": 2}
    losses, most = [], []
    for micro_batch in (None, 3):
        recipe = make_recipe(
            model=tiny_vit(tmp_path), schedule=schedule | {"micro_batch": micro_batch}
        )
        with images_at_once(monkeypatch) as rows:
            report = train(recipe, training_set, tmp_path / str(micro_batch), 3)
        losses.append([point.loss for point in report.losses])
        most.append(max(rows))
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[0][0] != pytest.approx(losses[0][-1], rel=1e-2)  # it did learn
    assert most == [8, 3]


def test_a_micro_batch_is_refused_where_rows_see_each_other(training_set, make_recipe, tmp_path):
    recipe = make_recipe(schedule={"steps": 1, "batch_images": 8, "micro_batch": 4})
    with pytest.raises(ModelError, match=r"schedule.micro_batch: 'rolesynth-nano' normalises"):
        train(recipe, training_set, tmp_path, 0)


def test_a_batch_too_large_for_the_device_tells_what_to_lower(
    training_set, make_recipe, tmp_path, monkeypatch
):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(BatchFeatures, "encode", full)
    with pytest.raises(training.BatchMemoryError, match=r"micro_batch \(now the whole batch\)"):
        train(make_recipe(), training_set, tmp_path, 0)


def test_a_step_that_does_not_fit_is_tried_with_fewer_kept_activations(
    training_set, make_recipe, tmp_path, monkeypatch
):
    real, tries = BatchFeatures.encode, []

    def full_twice(features, *batch):
        tries.append(batch)
        if len(tries) == 1:
            features.memory._now = 3  # as if three parts had kept their activations
        if len(tries) <= 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(features, *batch)

    recipe = make_recipe()
    expected = train(recipe, training_set, tmp_path / "whole", 3)
    monkeypatch.setattr(BatchFeatures, "encode", full_twice)
    report = train(recipe, training_set, tmp_path / "tried", 3)
    assert report.losses == expected.losses
    assert len(tries) == len(report.losses) + 2


def test_a_loss_that_is_not_finite_stops_the_run(training_set, make_recipe, tmp_path, monkeypatch):
    real, calls = LOSS_FUNCTIONS[Loss.MULTI_POSITIVE], []

    def poisoned(*args):
        calls.append(args)
        return real(*args) * (float("nan") if len(calls) == 5 else 1.0)

    monkeypatch.setitem(cast(dict, LOSS_FUNCTIONS), Loss.MULTI_POSITIVE, poisoned)
    recipe = make_recipe()
    with pytest.raises(NonFiniteLossError, match=r"loss is nan at step 4 \(epoch 1, batch 1 of it"):
        train(recipe, training_set, tmp_path, 0, save_every=2)
    assert not (tmp_path / "manifest.json").exists()
    monkeypatch.undo()
    report = train(recipe, training_set, tmp_path, 0, save_every=2)
    assert report.resumed_from == 4  # nothing of the bad step was saved


def test_missing_images_stop_the_run_before_its_first_step(world, make_recipe, tmp_path):
    rows, images = world
    data = TrainingSet.from_rows(rows, in_memory({"img-00": images["img-00"]}))
    seen = []
    with pytest.raises(TrainingSetError, match="23 of 24 images"):
        train(make_recipe(), data, tmp_path, 0, progress=lambda *a: seen.append(a))
    assert seen == []


def test_a_recipe_without_steps_leaves_the_weights_as_they_are(tmp_path, training_set, make_recipe):
    init = {"init": "rolesynth-nano-base"}
    recipe = make_recipe(**init, schedule={"steps": 0, "batch_images": 8})
    report = train(recipe, training_set, tmp_path, seed=0)
    assert (report.losses, report.manifest.steps) == ((), 0)
    assert report.manifest.init_digest
    begun = build_model(recipe).module.state_dict()
    saved = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(saved[name], begun[name]) for name in saved)
    assert load_checkpoint(tmp_path).model is not None
