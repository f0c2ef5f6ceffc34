"""A vision-language policy with its processor: the package's nano MLLM or any Qwen2.5-VL."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rolesynth_assets.mllm.control_tokens import neutralise, restored
from rolesynth_assets.r1.prompt import system_prompt
from rolesynth_assets.r1.recipe import NANO
from rolesynth_assets.store.digests import digest, file_digest

NANO_WEIGHTS = Path(__file__).parents[2] / "embedded" / "nano" / "weights" / "nano"
WEIGHTS = "model.safetensors"
_VISION_SHAPE = ("depth", "hidden_size", "out_hidden_size", "patch_size", "window_size")


class PolicyError(RuntimeError):
    """A model cannot be loaded as a policy; the message names it, the cause, and the way out."""


@dataclass(frozen=True)
class Policy:
    """A model that answers questions about an image.

    Attributes:
        model: model of transformers, in float32.
        processor: its tokenizer, image processor and chat template.
        side: side in pixels of the square to which every image is stretched before the processor
            sees it; None leaves the size to the processor.
    """

    model: Any
    processor: Any
    side: int | None

    def prepare(self, image: bytes) -> bytes:
        """Return an encoded image in this policy's size; unchanged if it takes any size."""
        return image if self.side is None else square(image, self.side)


def model_source(name: str) -> str:
    """Return the source of a recipe's model: a folder, or a Hugging Face model id."""
    return str(NANO_WEIGHTS) if name == NANO else name


def source_digest(name: str, revision: str | None) -> str:
    """Return the digest of a training's initial weights, or of the model's id and revision."""
    weights = Path(model_source(name)) / WEIGHTS
    return file_digest(weights) if weights.is_file() else digest("model", name, revision or "")


def load_policy(name: str, revision: str | None = None) -> Policy:
    """Load a policy in float32 on the CPU; the trainer moves it to its device.

    Args:
        name: ``rolesynth-nano``, a checkpoint's folder, or a Hugging Face model id.
        revision: revision of a Hugging Face model.

    Raises:
        PolicyError: the model does not exist, or takes no images.
    """
    import torch
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    logging.disable_progress_bar()
    processor = load_processor(name, revision)
    try:
        model = AutoModelForImageTextToText.from_pretrained(
            model_source(name), revision=revision, dtype=torch.float32
        )
    except (OSError, ValueError) as error:
        raise PolicyError(_way_out(name, error)) from error
    return Policy(model, processor, _fixed_side(processor.image_processor))


def load_processor(name: str, revision: str | None = None) -> Any:
    """Load the processor of a policy, which pads on the left, as generation requires.

    Raises:
        PolicyError: the processor does not exist, or takes no images.
    """
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(
            model_source(name), revision=revision, padding_side="left", truncation_side="left"
        )
    except (OSError, ValueError) as error:
        raise PolicyError(_way_out(name, error)) from error
    if not hasattr(processor, "image_processor"):
        raise PolicyError(f"{name!r} has no image processor; a policy must accept images.")
    if processor.chat_template is None:  # folders such as the nano's keep it with the tokenizer
        processor.chat_template = processor.tokenizer.chat_template
    return processor


def is_nano(folder: Path) -> bool:
    """Return whether a folder's model has the nano's architecture, for the embedded engine."""
    try:
        found, nano = (
            json.loads((place / "config.json").read_text("utf-8"))["vision_config"]
            for place in (folder, NANO_WEIGHTS)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return all(found.get(key) == nano[key] for key in _VISION_SHAPE)


def square(image: bytes, side: int) -> bytes:
    """Shrink an image by the box mean and stretch it to a square, as the embedded engine does.

    Args:
        image: the encoded image.
        side: side of the result in pixels.

    Returns:
        A PNG.
    """
    from PIL import Image

    with Image.open(io.BytesIO(image)) as opened:
        drawn = opened.convert("RGB").resize((side, side), Image.Resampling.BOX)
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    return buffer.getvalue()


def greedy_replies(
    policy: Policy,
    questions: Sequence[str],
    images: Sequence[Sequence[bytes]],
    *,
    max_tokens: int,
    batch: int = 32,
) -> list[str]:
    """Answer questions by greedy decoding, through transformers, on the device of the model.

    Args:
        policy: model and processor; the model's training mode is restored.
        questions: one question per item.
        images: encoded images of each item, at least one.
        max_tokens: largest number of tokens of a reply.
        batch: number of items decoded at once.
    """
    import torch

    model, was_training = policy.model, policy.model.training
    model.eval()
    replies: list[str] = []
    with torch.inference_mode():
        for start in range(0, len(questions), batch):
            part = slice(start, start + batch)
            inputs = _inputs(policy, questions[part], images[part]).to(model.device)
            written = model.generate(
                **inputs,
                do_sample=False,
                max_new_tokens=max_tokens,
                repetition_penalty=1.0,
                pad_token_id=policy.processor.tokenizer.pad_token_id,
            )
            ids = written[:, inputs["input_ids"].shape[1] :]
            replies += policy.processor.batch_decode(ids, skip_special_tokens=True)
    model.train(was_training)
    return [restored(r.strip(), asked) for r, asked in zip(replies, questions, strict=True)]


def _inputs(policy: Policy, questions: Sequence[str], images: Sequence[Sequence[bytes]]) -> Any:
    from PIL import Image

    conversations = []
    for question, shown in zip(questions, images, strict=True):
        pictures = [Image.open(io.BytesIO(policy.prepare(data))).convert("RGB") for data in shown]
        content: list[dict[str, Any]] = [{"type": "image", "image": p} for p in pictures]
        content.append({"type": "text", "text": neutralise(question)})
        system = [{"type": "text", "text": system_prompt()}]
        conversations.append(
            [{"role": "system", "content": system}, {"role": "user", "content": content}]
        )
    return policy.processor.apply_chat_template(
        conversations,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True},
    )


def _fixed_side(image_processor: Any) -> int | None:
    """Return the side of the square of a processor that allows only one number of pixels."""
    size = image_processor.size
    low, high = size.get("shortest_edge"), size.get("longest_edge")
    return round(low**0.5) if low is not None and low == high else None


def _way_out(name: str, error: Exception) -> str:
    return (
        f"{name!r} cannot be loaded as a vision-language model: {error}. Set the recipe's model to "
        f"{NANO}, a local folder or a Hugging Face model id."
    )
