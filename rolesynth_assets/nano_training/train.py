"""The training of the nano MLLM: ``python -m rolesynth_assets.nano_training.train --help``.

It trains the tokenizer, the vision tower on dense labels, the language model on the frozen tower,
and then the judging of its own captions. Two specialised models with the same tokenizer start from
the result. All random choices follow from (seed, step), so the same seed on the same machine gives
the same weights.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from tokenizers import Tokenizer
from transformers import Qwen2_5_VLForConditionalGeneration

from rolesynth_assets.embedded.nano.architecture import (
    MEAN,
    MERGE,
    PATCH,
    SIDE,
    STD,
    nano_config,
    new_nano,
)
from rolesynth_assets.embedded.nano.tokenizer import SPECIAL_TOKENS, token_id, train_tokenizer
from rolesynth_assets.nano_training.curriculum import CURRICULA
from rolesynth_assets.nano_training.judge_stage import POOL, train_judge, write_pool
from rolesynth_assets.nano_training.language_stage import train_language
from rolesynth_assets.nano_training.lessons import corpus
from rolesynth_assets.nano_training.tower_stage import train_tower, whiten_patches

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}"
    "{% else %}{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }}{% else %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% endif %}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def main(
    out: Annotated[
        Path, typer.Option(help="Folder of the models: nano, nano-scenes, nano-charts.")
    ],
    seed: Annotated[int, typer.Option(help="Seed of weights, pictures and lessons.")] = 11,
    tower_steps: Annotated[int, typer.Option(help="Steps of the tower; 0 keeps OUT's.")] = 1500,
    language_steps: Annotated[
        int, typer.Option(help="Steps of the language model; 0 keeps OUT's.")
    ] = 1700,
    one_sided_steps: Annotated[
        int, typer.Option(help="Further steps of each of the two specialised models.")
    ] = 180,
    judge_steps: Annotated[int, typer.Option(help="Steps of judging its own captions.")] = 300,
    expected_steps: Annotated[int, typer.Option(help="Steps of judging by expectation.")] = 80,
    batch: Annotated[int, typer.Option(help="Pictures in one step.")] = 64,
    threads: Annotated[int, typer.Option(help="Threads of the training process.")] = 2,
) -> None:
    """Train the nano MLLM and its two specialised models from scratch, in about an hour."""
    torch.set_num_threads(threads)
    started = time.perf_counter()

    def log(line: str) -> None:
        print(f"{time.perf_counter() - started:7.0f} s  {line}", flush=True)

    nano = out / "nano"
    if tower_steps:
        tokenizer = train_tokenizer(corpus())
        ids = {token: token_id(tokenizer, token) for token in SPECIAL_TOKENS}
        model = new_nano(nano_config(tokenizer.get_vocab_size(), ids), seed=0)
        whiten_patches(model.model.visual, seed)
        train_tower(model, tokenizer, seed=seed, steps=tower_steps, batch=batch, lr=2e-3, log=log)
        save_nano(model, nano)
        save_reading(tokenizer, nano)

    def learn(folder: Path, curriculum: str, steps: int, lr: float) -> None:
        model = _loaded(nano)
        train_language(
            model,
            nano,
            CURRICULA[curriculum],
            seed=seed,
            steps=steps,
            batch=batch,
            lr=lr,
            log=lambda line: log(f"{folder.name}: {line}"),
            save=lambda: save_nano(model, out / "unfinished"),
        )
        save_nano(model, folder)

    if language_steps:
        learn(nano, "all", language_steps, 2e-3)
    if judge_steps:
        write_pool(nano, scenes=600, seed=seed)
        log("the model captioned 600 scenes to be judged")
        model = _loaded(nano)
        train_judge(
            model,
            nano,
            seed=seed,
            steps=judge_steps,
            expected_steps=expected_steps,
            batch=batch,
            lr=1e-3,
            log=log,
        )
        (nano / POOL).unlink()
        save_nano(model, nano)
    if one_sided_steps:
        for curriculum in ("scenes", "charts"):
            learn(out / f"nano-{curriculum}", curriculum, one_sided_steps, 1e-3)
    log(f"wrote {out}")


def _loaded(folder: Path) -> Any:
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)


def save_nano(model: Any, folder: Path) -> None:
    """Write the weights in half precision, and the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.half() for name, value in model.state_dict().items()}
    state.pop("lm_head.weight", None)  # tied to the embeddings
    model.config.dtype = torch.float16
    model.save_pretrained(folder, state_dict=state)


def save_reading(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the files for reading inputs: tokenizer, chat template, preprocessing."""
    tokenizer.save(str(folder / "tokenizer.json"))
    described = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "additional_special_tokens": list(SPECIAL_TOKENS),
        "model_max_length": 1024,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(described, indent=1) + "\n")
    preprocessing = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "patch_size": PATCH,
        "merge_size": MERGE,
        "temporal_patch_size": 2,
        "min_pixels": SIDE * SIDE,
        "max_pixels": SIDE * SIDE,
        "image_mean": [MEAN] * 3,
        "image_std": [STD] * 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
