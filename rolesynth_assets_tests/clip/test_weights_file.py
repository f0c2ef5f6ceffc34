"""Weights as people have them: they work, or the recipe's field is named with what is wrong."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from rolesynth_assets.clip.checkpoint.resume_state import init_digest
from rolesynth_assets.clip.model import ModelError, build_model
from rolesynth_assets.clip.weights_file import WeightsFileError, read_weights

VIT = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 48, "heads": 2, "layers": 2},
}


@pytest.fixture
def vit(make_recipe, tmp_path, monkeypatch):
    """A recipe of a tiny architecture with CLIP's own towers, at 77 tokens."""
    import open_clip

    from rolesynth_assets.clip import model

    open_clip.factory._MODEL_CONFIGS["tiny-vit"] = json.loads(json.dumps(VIT))
    yield lambda init="random", **changes: make_recipe(
        model="tiny-vit", init=str(init), **{"context_length": 77, **changes}
    )
    del open_clip.factory._MODEL_CONFIGS["tiny-vit"]
    assert model


def state_of(recipe: Any) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return {k: v.clone() for k, v in build_model(recipe).module.state_dict().items()}


def as_transformers(folder: Path, act: str | None) -> Any:
    """Write a random `CLIPModel` of the same sizes as transformers saves it."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(5)
    sizes = {"num_hidden_layers": 2, "projection_dim": 32}
    sizes |= {"hidden_act": act} if act else {}
    text = {"hidden_size": 48, "intermediate_size": 192, "num_attention_heads": 2, **sizes}
    vision = {"hidden_size": 64, "intermediate_size": 256, "num_attention_heads": 2, **sizes}
    vision |= {"image_size": 32, "patch_size": 16}
    text |= {"vocab_size": 49408, "eos_token_id": 49407, "bos_token_id": 49406}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=32)
    model = CLIPModel(config).eval()
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize(("act", "quick"), [("quick_gelu", True), ("gelu", False), (None, True)])
def test_transformers_layout_gives_the_same_features(vit, tmp_path, act, quick) -> None:
    theirs = as_transformers(tmp_path, act)
    ours = build_model(vit(tmp_path))
    assert ours.config["model_cfg"].get("quick_gelu", False) is quick
    pixels = torch.randn(2, 3, 32, 32)
    tokens = ours.tokenizer(["a red wall", "two dogs"])
    attended = torch.arange(77)[None] <= tokens.argmax(dim=1)[:, None]
    with torch.no_grad():
        images = ours.module.eval().encode_image(pixels)
        texts = ours.module.encode_text(tokens)
        told = theirs(input_ids=tokens, pixel_values=pixels, attention_mask=attended.long())
    for mine, other in ((images, told.image_embeds), (texts, told.text_embeds)):
        mine = torch.nn.functional.normalize(mine, dim=-1)
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-4)
    assert init_digest(vit(tmp_path)) == init_digest(vit(tmp_path / "model.safetensors")) != ""


@pytest.mark.parametrize("wrapped", [False, True])
def test_long_clips_two_tables_of_positions_become_one(vit, tmp_path, wrapped) -> None:
    state = state_of(vit(context_length=248))
    first = state["positional_embedding"].clone()
    rest = torch.randn_like(first)
    state |= {"positional_embedding_res": rest}
    saved = (
        {"state_dict": {f"module.{k}": v.half() for k, v in state.items()}} if wrapped else state
    )
    torch.save(saved, tmp_path / "longclip-B.pt")
    model = build_model(vit(tmp_path / "longclip-B.pt", context_length=248))
    found = model.module.positional_embedding
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[:20], first[:20], rtol=0, atol=1e-2)
    torch.testing.assert_close(found[20:], rest[20:], rtol=0, atol=1e-2)
    assert model.config["model_cfg"]["quick_gelu"] is True


def test_a_home_folder_and_openais_extra_entries(vit, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    state = state_of(vit())
    save_file({**state, "context_length": torch.tensor(77)}, tmp_path / "w.safetensors")
    model = build_model(vit("~/w.safetensors"))
    assert torch.equal(model.module.visual.proj, state["visual.proj"])
    assert model.config["model_cfg"]["quick_gelu"] is True
    assert init_digest(vit("~/w.safetensors")) != ""


class Opens:
    """Would write a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (str(self.path), "w"))


def broken(folder: Path, kind: str, state: dict[str, torch.Tensor]) -> Path:
    path = folder / {"safetensors": "w.safetensors", "short": "s.safetensors"}.get(kind, "w.pt")
    whole = io.BytesIO()
    torch.save(state, whole)
    if kind == "code":
        path.write_bytes(pickle.dumps({"a": Opens(folder / "ran")}))
    elif kind == "code in a zip":
        torch.save({**state, "a": Opens(folder / "ran")}, path)
    elif kind == "truncated":
        path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind in ("safetensors", "short"):
        save_file(state, path)
        path.write_bytes(path.read_bytes()[: 5 if kind == "short" else -100])
    elif kind == "pointer":
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    elif kind == "script":
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    elif kind == "number":
        torch.save(5, path)
    elif kind == "text":
        path.write_text("<html>404</html>")
    elif kind == "folder":
        path = folder / "nothing"
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("code", "more than tensors"),
        ("code in a zip", "more than tensors"),
        ("truncated", "no whole weights file"),
        ("empty", "no weights file"),
        ("safetensors", "no whole safetensors file"),
        ("short", "no whole safetensors file"),
        ("pointer", "Git LFS pointer"),
        ("script", "TorchScript program"),
        ("number", "holds a int"),
        ("text", "no weights file"),
        ("folder", "has none of"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_field(vit, tmp_path, kind, said) -> None:
    path = broken(tmp_path, kind, state_of(vit()))
    with pytest.raises(ModelError, match=rf"^init: .*{said}") as caught:
        build_model(vit(path))
    assert str(path) in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_architecture_are_named(vit, make_recipe, tmp_path) -> None:
    save_file(state_of(vit()), tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"init: .* another architecture than model 'rolesynth"):
        build_model(make_recipe(init=str(tmp_path / "w.safetensors"), context_length=77))
    wider = state_of(vit())
    wider["visual.proj"] = torch.zeros(64, 16)
    save_file(wider, tmp_path / "v.safetensors")
    with pytest.raises(ModelError, match=r"visual.proj is \(64, 16\) and not \(64, 32\)"):
        build_model(vit(tmp_path / "v.safetensors"))
    del wider["visual.proj"]
    save_file(wider, tmp_path / "u.safetensors")
    with pytest.raises(ModelError, match=r"1 are missing, such as visual.proj"):
        build_model(vit(tmp_path / "u.safetensors"))


def test_a_pickle_that_ends_anywhere_is_named(tmp_path: Path) -> None:
    whole = io.BytesIO()
    state = {"a": torch.zeros(3), "b": torch.ones(2, 2)}
    torch.save(state, whole, _use_new_zipfile_serialization=False)
    path, data = tmp_path / "w.pt", whole.getvalue()
    for end in range(4, len(data), 7):
        path.write_bytes(data[:end])
        with pytest.raises(WeightsFileError, match=str(path)):
            read_weights(path)
