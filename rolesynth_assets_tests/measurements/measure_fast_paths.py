"""Fast paths against the plain way, in one run; run this file with python.

Prints seconds and ratios; each pair computes the same numbers, which unit tests prove.
"""

import statistics
import time
from collections.abc import Callable

import torch


def timed(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the median seconds of some runs after one to warm up."""
    work()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def report(name: str, plain: Callable[[], object], fast: Callable[[], object]) -> None:
    """Print one comparison."""
    slow, quick = timed(plain), timed(fast)
    print(f"{name:<58} plain {slow:7.3f} s   ours {quick:7.3f} s   x {slow / quick:5.1f}")


def text_tower() -> None:
    """CLIP text tower, 256 short captions: all 248 positions against the longest caption's."""
    from rolesynth_assets.clip.features.trimmed_text import encode_text
    from rolesynth_assets.clip.library import load_recipes
    from rolesynth_assets.clip.model import build_model

    clip = build_model(load_recipes(None)["roles5"])
    tokens = clip.tokenizer(["a red apple and two yellow stars under a clear blue sky"] * 256)
    with torch.inference_mode():
        report(
            "CLIP text tower, 256 captions of 13 tokens, context 248",
            lambda: clip.module.encode_text(tokens),
            lambda: encode_text(clip.module, tokens),
        )


def vision_tower() -> None:
    """Nano MLLM's vision tower, 64 images: Hugging Face's loop over images against one batch."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    from rolesynth_assets.embedded.nano.architecture import encode_images, to_patches
    from rolesynth_assets.embedded.nano.engine import WEIGHTS

    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(WEIGHTS, dtype=torch.float32)
    visual = model.model.visual
    pixels = torch.randn(64, 3, 112, 112)
    frames = to_patches(pixels).view(64 * 64, 3, 1, 14, 14).expand(-1, -1, 2, -1, -1).flatten(1)
    grid = torch.tensor([[1, 8, 8]] * 64)
    with torch.inference_mode():
        report(
            "nano MLLM vision tower, 64 images",
            lambda: visual(frames, grid_thw=grid),
            lambda: encode_images(visual, pixels),
        )


if __name__ == "__main__":
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    text_tower()
    vision_tower()
