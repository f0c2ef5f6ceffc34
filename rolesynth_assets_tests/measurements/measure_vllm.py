"""Captions a second through vLLM in process: an image's requests back to back, and shuffled.

`python -m rolesynth_assets_tests.measurements.measure_vllm --model Qwen/Qwen2.5-VL-7B-Instruct` on
a GPU with `pip install -e .[vllm]`. `--shape` takes random weights in the shape of that model where
its weights are not at hand: the speed is that of real ones, but every caption runs to its longest.
Each order has pictures of its own, so neither finds the other's in a cache.
"""

import argparse
import asyncio
import io
import json
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from rolesynth_assets.captions.captioning_run import chat_request
from rolesynth_assets.captions.lengths import DEFAULT_POLICY
from rolesynth_assets.captions.wanted_captions import wanted
from rolesynth_assets.embedded.nano.engine import WEIGHTS
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest
from rolesynth_assets.mllm.factory import make_engine
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.roles.library import load_role_sets

TEXT = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 8192,
    "layer_types": ["full_attention"] * 28,
    "rope_parameters": {"mrope_section": [16, 24, 24], "rope_theta": 1e6, "rope_type": "default"},
    "dtype": "bfloat16",
}
VISION = {
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "out_hidden_size": 3584,
    "fullatt_block_indexes": [7, 15, 23, 31],
    "window_size": 112,
    "dtype": "bfloat16",
}
"""The published configuration of Qwen2.5-VL-7B, but for its vocabulary."""


def write_shape(folder: Path) -> Path:
    """Write a model folder without weights: the 7B shape around the nano's tokenizer."""
    for file in WEIGHTS.glob("*.json"):
        shutil.copy(file, folder)
    config = json.loads((WEIGHTS / "config.json").read_text())
    config |= {"dtype": "bfloat16", "tie_word_embeddings": False}
    config["text_config"] |= TEXT
    config["vision_config"] |= VISION
    (folder / "config.json").write_text(json.dumps(config))
    preprocessor = json.loads((WEIGHTS / "preprocessor_config.json").read_text())
    preprocessor |= {"min_pixels": 56 * 56, "max_pixels": 1280 * 28 * 28}
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def noise(seed: int, side: int) -> bytes:
    """Return a JPEG of coarse noise, `side` px square."""
    coarse = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((side, side)).save(buffer, "JPEG")
    return buffer.getvalue()


def requests_of(images: dict[str, bytes], settings: EngineSettings) -> list[ChatRequest]:
    """Lay out the captions that the product would ask for: five roles, two lengths, an image."""
    identity = make_engine(settings).identity
    roles = load_role_sets(None)["roles5"].written_roles()
    return [
        chat_request(caption, images[caption.image_id])
        for caption in wanted(sorted(images), roles, identity, DEFAULT_POLICY)
    ]


async def answer(settings: EngineSettings, parts: Sequence[Sequence[ChatRequest]]) -> list[float]:
    """Ask for all parts one after the other of one engine; return the seconds of each."""
    engine, seconds = make_engine(settings), []
    try:
        for requests in parts:
            began = time.perf_counter()
            replies = [reply async for reply in engine.complete(requests)]
            seconds.append(time.perf_counter() - began)
            _tell(replies, seconds[-1])
    finally:
        await engine.aclose()
    return seconds


def _tell(replies: Sequence[ChatReply], seconds: float) -> None:
    tokens = sum(reply.completion_tokens for reply in replies)
    prompt = sum(reply.prompt_tokens for reply in replies) / len(replies)
    reasons = {str(r.reason) for r in replies if r.reason}
    print(
        f"{len(replies)} requests, {prompt:.0f} prompt tokens each: {seconds:.1f} s, "
        f"{len(replies) / seconds:.1f} captions/s, {tokens / seconds:.0f} tokens/s; "
        f"without a text: {', '.join(sorted(reasons)) or 'none'}",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", help="Hugging Face id or folder")
    which.add_argument("--shape", action="store_true", help="random weights of the 7B shape")
    parser.add_argument("--images", type=int, default=192, help="pictures of each order")
    parser.add_argument("--side", type=int, default=448, help="px of a picture")
    parser.add_argument("--batch", type=int, default=640, help="requests vLLM is given at a time")
    parser.add_argument("--vllm-options", type=json.loads, default={}, help="a JSON object")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options = {"max_model_len": 4096} | chosen.vllm_options
        model = chosen.model
        if chosen.shape:
            model, options = str(write_shape(Path(folder))), options | {"load_format": "dummy"}
        settings = EngineSettings(
            engine="vllm", model=model, concurrency=chosen.batch, vllm_options=options
        )
        drawn = [
            {
                f"{seed:06d}": noise(seed, chosen.side)
                for seed in range(first, first + chosen.images)
            }
            for first in (0, chosen.images)
        ]
        warm = {f"{-n:06d}": noise(10**6 + n, chosen.side) for n in range(1, 9)}
        together, apart = (requests_of(images, settings) for images in drawn)
        random.Random(0).shuffle(apart)
        parts = (requests_of(warm, settings), together, apart)
        _, first, second = asyncio.run(answer(settings, parts))
    print(f"back to back {first:.1f} s, shuffled {second:.1f} s: x {second / first:.2f}")


if __name__ == "__main__":
    main()
