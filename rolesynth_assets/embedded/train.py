"""Trains the nano MLLM from nothing: ``python -m rolesynth_assets.embedded.train --help``.

Tokenizer, vision tower on dense labels, the language model over the frozen tower, then judging its
own captions. Everything is drawn from (seed, step), so the same seed on the same machine gives the
same weights.
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

from rolesynth_assets.embedded.grounding import train_tower, whiten_patches
from rolesynth_assets.embedded.judging import POOL, train_judge, write_pool
from rolesynth_assets.embedded.language import train_language
from rolesynth_assets.embedded.lessons import corpus
from rolesynth_assets.embedded.nano import MEAN, MERGE, PATCH, SIDE, STD, nano_config, new_nano
from rolesynth_assets.embedded.tokenizer import SPECIAL_TOKENS, token_id, train_tokenizer

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}"
    "{% else %}{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }}{% else %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% endif %}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def main(
    out: Annotated[Path, typer.Option(help="Folder for weights, tokenizer and configuration.")],
    seed: Annotated[int, typer.Option(help="Seed of weights, scenes and lessons.")] = 11,
    tower_steps: Annotated[int, typer.Option(help="Steps of the tower; 0 keeps OUT's.")] = 2000,
    language_steps: Annotated[
        int, typer.Option(help="Steps of the language model; 0 keeps OUT's.")
    ] = 1000,
    judge_steps: Annotated[int, typer.Option(help="Steps of judging its own captions.")] = 300,
    expected_steps: Annotated[int, typer.Option(help="Steps of judging by expectation.")] = 120,
    batch: Annotated[int, typer.Option(help="Scenes in one step.")] = 64,
    threads: Annotated[int, typer.Option(help="Threads of the training process.")] = 2,
) -> None:
    """Train the nano MLLM from nothing, in under an hour on two cores."""
    torch.set_num_threads(threads)
    started = time.perf_counter()

    def log(line: str) -> None:
        print(f"{time.perf_counter() - started:7.0f} s  {line}", flush=True)

    if tower_steps:
        tokenizer = train_tokenizer(corpus())
        ids = {token: token_id(tokenizer, token) for token in SPECIAL_TOKENS}
        model = new_nano(nano_config(tokenizer.get_vocab_size(), ids), seed=0)
        whiten_patches(model.model.visual, seed)
        train_tower(model, tokenizer, seed=seed, steps=tower_steps, batch=batch, lr=2e-3, log=log)
        save_nano(model, tokenizer, out)
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))

    def load() -> Any:
        return Qwen2_5_VLForConditionalGeneration.from_pretrained(out, dtype=torch.float32)

    if language_steps:
        model = load()
        unfinished = out.with_name(out.name + "-unfinished")
        train_language(
            model,
            out,
            seed=seed,
            steps=language_steps,
            batch=batch,
            lr=2e-3,
            log=log,
            save=lambda: save_nano(model, tokenizer, unfinished),
        )
        save_nano(model, tokenizer, out)
    if judge_steps:
        write_pool(out, scenes=600, seed=seed)
        log("the model captioned 600 scenes to be judged")
        model = load()
        train_judge(
            model,
            out,
            seed=seed,
            steps=judge_steps,
            expected_steps=expected_steps,
            batch=batch,
            lr=1e-3,
            log=log,
        )
        (out / POOL).unlink()
        save_nano(model, tokenizer, out)
    log(f"wrote {out}")


def save_nano(model: Any, tokenizer: Tokenizer, out: Path) -> None:
    """Write weights (half precision), configuration, tokenizer, chat template and preprocessing."""
    out.mkdir(parents=True, exist_ok=True)
    state = {name: value.half() for name, value in model.state_dict().items()}
    state.pop("lm_head.weight", None)  # tied to the embeddings
    model.config.dtype = torch.float16
    model.save_pretrained(out, state_dict=state)
    tokenizer.save(str(out / "tokenizer.json"))
    described = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "additional_special_tokens": list(SPECIAL_TOKENS),
        "model_max_length": 1024,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(described, indent=1) + "\n")
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
    (out / "preprocessor_config.json").write_text(json.dumps(preprocessing, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
