import io
import json
from typing import Any

import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from rolesynth_assets.clip.checkpoint.files import (
    MANIFEST,
    CheckpointError,
    read_manifest,
    trained_seeds,
)
from rolesynth_assets.clip.checkpoint.save_load import load_checkpoint, reference_error
from rolesynth_assets.clip.library import read_recipe
from rolesynth_assets.clip.train import train
from rolesynth_assets.store.digests import file_digest


@pytest.fixture
def trained(training_set, make_recipe, tmp_path):
    recipe = make_recipe(schedule={"steps": 2, "batch_images": 8})
    train(recipe, training_set, tmp_path / "ckpt", 0)
    return tmp_path / "ckpt", recipe


def test_a_checkpoint_gives_back_its_logits(trained):
    folder, _ = trained
    assert reference_error(folder) < 1e-5


def test_changed_weights_are_noticed(trained):
    folder, _ = trained
    weights = load_file(folder / "model.safetensors")
    weights["logit_scale"] += 0.1
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"not the file that manifest.json describes"):
        load_checkpoint(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["weights_digest"] = file_digest(folder / "model.safetensors")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert reference_error(folder) > 1e-3


def test_plain_open_clip_loads_the_folder(trained, world):
    folder, recipe = trained
    model, preprocess, tokenizer = load_checkpoint(folder)
    loaded: Any = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    theirs, their_preprocess = loaded
    image = Image.open(io.BytesIO(world[1]["img-01"]))
    tokens = tokenizer(["a green wall"])
    assert tokens.shape == (1, recipe.context_length)
    assert not model.training
    with torch.no_grad():
        assert torch.equal(preprocess(image), their_preprocess(image))
        pixels = preprocess(image)[None]
        assert torch.equal(model.encode_image(pixels), theirs.eval().encode_image(pixels))
        assert torch.equal(model.encode_text(tokens), theirs.encode_text(tokens))


def test_the_recipe_beside_the_weights_is_the_recipe(trained):
    folder, recipe = trained
    assert read_recipe(folder / "recipe.yaml") == recipe


def test_an_unfinished_folder_is_no_checkpoint(tmp_path):
    for read in (load_checkpoint, read_manifest, reference_error):
        with pytest.raises(CheckpointError, match="no training has finished there"):
            read(tmp_path)


def test_a_damaged_manifest_is_named(tmp_path):
    (tmp_path / "manifest.json").write_text('{"recipe": "x"}')
    with pytest.raises(CheckpointError, match="is damaged"):
        read_manifest(tmp_path)


def test_only_finished_checkpoints_count_as_trained(make_recipe, tmp_path):
    def folder(name, seed):
        return tmp_path / name / str(seed)

    recipe = make_recipe(name="mine", seeds=(1, 2, 3))
    folder("mine", 1).mkdir(parents=True)  # begun
    with pytest.raises(CheckpointError, match=r"'mine' has no finished.*\[1, 2, 3\]"):
        trained_seeds(recipe, folder)
    for seed in (3, 2):
        folder("mine", seed).mkdir()
        (folder("mine", seed) / MANIFEST).write_text("{}")
    assert trained_seeds(recipe, folder) == [2, 3]
