"""Architectures that are small enough for a test."""

import json
from pathlib import Path

import open_clip


def tiny_vit(folder: Path) -> str:
    """Make a small transformer known to open_clip; return its name."""
    name = "tiny-vit-of-tests"
    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(path)
    return name
