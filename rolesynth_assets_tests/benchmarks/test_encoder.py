"""A checkpoint as an encoder, against open_clip's own methods."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rolesynth_assets.benchmarks.encoder import ClipEncoder, load_encoder
from rolesynth_assets.benchmarks.evaluate import evaluate
from rolesynth_assets.benchmarks.tasks import Task, TaskKind
from rolesynth_assets.clip.checkpoint.files import CheckpointError, Manifest
from rolesynth_assets.clip.checkpoint.save_load import save_manifest, save_rest, save_weights
from rolesynth_assets.clip.library import load_recipes
from rolesynth_assets.clip.model import ClipModel, build_model
from rolesynth_assets.embedded.world.write_benchmark import write_retrieval

TEXTS = ["a cat", "two red dogs run over a green hill", "sun " * 100, "a house by the sea"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ClipModel]:
    """A finished checkpoint with the weights it started from."""
    folder = tmp_path_factory.mktemp("checkpoint")
    recipe = load_recipes()["roles5"]
    torch.manual_seed(0)
    model = build_model(recipe)
    model.module.eval()
    digest = save_weights(folder, model.module)
    save_rest(folder, model, recipe, [])
    manifest = Manifest(
        **{"recipe": recipe.name, "recipe_digest": recipe.digest, "weights_digest": digest},
        **{"seed": 0, "training_set_digest": "", "init_digest": "", "pairs": 0, "images": 0},
        **{"steps": 0, "device": "cpu", "precision": "fp32", "versions": {}},
    )
    save_manifest(folder, manifest)
    return folder, model


@pytest.fixture(scope="module")
def encoder(trained: tuple[Path, ClipModel]) -> ClipEncoder:
    return load_encoder(trained[0])


def _images() -> list[bytes]:
    rng = np.random.default_rng(0)
    images = []
    for _ in TEXTS:
        out = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (70, 90, 3), dtype=np.uint8)).save(out, format="PNG")
        images.append(out.getvalue())
    return images


def test_features_are_those_of_open_clip_on_all_tokens(
    trained: tuple[Path, ClipModel], encoder: ClipEncoder
) -> None:
    _, model = trained
    with torch.inference_mode():
        pixels = [model.preprocess(Image.open(io.BytesIO(data))) for data in _images()]
        images = model.module.encode_image(torch.stack(pixels), normalize=True).numpy()
        texts = model.module.encode_text(model.tokenizer(TEXTS), normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode_images(_images()), images, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), texts, atol=1e-5)


def test_a_checkpoint_is_scored_as_its_features_rank(
    trained: tuple[Path, ClipModel], encoder: ClipEncoder, tmp_path: Path
) -> None:
    folder, _ = trained
    write_retrieval(tmp_path / "task", [(i, [t]) for i, t in zip(_images(), TEXTS, strict=True)])
    task = Task(name="task", kind=TaskKind.RETRIEVAL, path=str(tmp_path / "task"))
    scores = {str(s.metric): s for s in evaluate(load_encoder(folder), task)}
    similarity = encoder.encode_images(_images()) @ encoder.encode_texts(TEXTS).T
    right = np.arange(len(TEXTS))
    assert scores["image_to_text_r1"].value == np.mean(similarity.argmax(axis=1) == right)
    assert scores["text_to_image_r1"].value == np.mean(similarity.argmax(axis=0) == right)
    assert scores["image_to_text_r1"].chance == pytest.approx(1 / 4)


def test_an_unfinished_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no training has finished there"):
        load_encoder(tmp_path)
