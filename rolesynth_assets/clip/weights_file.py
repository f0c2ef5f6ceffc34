"""Weights files that a recipe starts from, in the layouts in which people have them.

Read are safetensors and pickled tensors (``torch.load`` with ``weights_only``, so that no code of a
file runs) in the layout of open_clip and OpenAI, of Long-CLIP, whose positions are two tables, and
of transformers' `CLIPModel`, as a file or as a folder with its ``config.json``.
"""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rolesynth_assets.clip.base_weights import with_whole_table
from rolesynth_assets.clip.positions import KEPT_POSITIONS

FILES = (
    "open_clip_model.safetensors",
    "model.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
)
"""Names of a folder's weights, in the order in which they are searched."""
LFS_POINTER = b"version https://git-lfs"
PICKLE, ZIP = b"\x80", b"PK"
LONG_CLIP_REST = "positional_embedding_res"
"""Long-CLIP's second table of positions, which is trained, beside the first 20 of the other."""

State = dict[str, Tensor]

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_TRANSFORMERS_NAMES = (
    (r"^(text_model|vision_model)\.encoder\.layers\.", r"\1.transformer.resblocks."),
    (r"\.layer_norm1\.", ".ln_1."),
    (r"\.layer_norm2\.", ".ln_2."),
    (r"\.mlp\.fc1\.", ".mlp.c_fc."),
    (r"\.mlp\.fc2\.", ".mlp.c_proj."),
    (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
    (r"^text_model\.embeddings\.token_embedding\.weight$", "token_embedding.weight"),
    (r"^text_model\.embeddings\.position_embedding\.weight$", "positional_embedding"),
    (r"^text_model\.final_layer_norm\.", "ln_final."),
    (r"^vision_model\.embeddings\.class_embedding$", "visual.class_embedding"),
    (r"^vision_model\.embeddings\.patch_embedding\.weight$", "visual.conv1.weight"),
    (r"^vision_model\.embeddings\.position_embedding\.weight$", "visual.positional_embedding"),
    (r"^vision_model\.pre_layrnorm\.", "visual.ln_pre."),
    (r"^vision_model\.post_layernorm\.", "visual.ln_post."),
    (r"^text_model\.", ""),
    (r"^vision_model\.", "visual."),
)
_PARTS_OF_ATTENTION = re.compile(r"(.*)\.self_attn\.([qkv])_proj\.(weight|bias)")


class WeightsFileError(ValueError):
    """A weights file cannot be read; the message says what it is, without the field's name."""


@dataclass(frozen=True)
class Weights:
    """The weights of a file, in open_clip's layout.

    Attributes:
        state: float32 tensors by name.
        length: text positions that they were trained with; None if there is no plain table.
        quick_gelu: whether they were trained with QuickGELU; None where a file does not say.
    """

    state: State
    length: int | None
    quick_gelu: bool | None


def read_weights(path: Path) -> Weights:
    """Read a weights file, or a folder with one, in any of the layouts.

    Raises:
        WeightsFileError: it is not there, is no weights file, is truncated, or has code in it.
    """
    file = _file_in(path)
    state = with_whole_table(_unwrapped(_tensors(file), file))
    quick_gelu = _said_by_config(file)
    if any(name.startswith(("text_model.", "vision_model.")) for name in state):
        state = _from_transformers(state)
    elif LONG_CLIP_REST in state:
        kept, rest = state["positional_embedding"], state.pop(LONG_CLIP_REST)
        state["positional_embedding"] = torch.cat([kept[:KEPT_POSITIONS], rest[KEPT_POSITIONS:]])
        quick_gelu = True  # it is OpenAI's model
    elif {"input_resolution", "context_length", "vocab_size"} & set(state):
        quick_gelu = True
    for name in ("input_resolution", "context_length", "vocab_size"):
        state.pop(name, None)  # OpenAI's own files have them beside the weights
    lengths = [
        state[k] for k in ("positional_embedding", "text.positional_embedding") if k in state
    ]
    whole = {name: t.float() if t.is_floating_point() else t for name, t in state.items()}
    return Weights(whole, len(lengths[0]) if lengths else None, quick_gelu)


def misfit(state: State, wanted: State) -> str | None:
    """Return how weights differ from those that a model has; None if they fit.

    Args:
        state: weights, in open_clip's layout.
        wanted: the model's own.
    """
    shapes = [
        f"{name} is {tuple(state[name].shape)} and not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    missing = sorted(set(wanted) - set(state))
    strange = sorted(set(state) - set(wanted))
    said = [
        f"{len(found)} {what}, such as {found[0]}"
        for what, found in (("shapes differ", shapes), ("are missing", missing), ("more", strange))
        if found
    ]
    return "; ".join(said) or None


def _file_in(path: Path) -> Path:
    if path.is_dir():
        found = next((path / name for name in FILES if (path / name).is_file()), None)
        if found is None:
            raise WeightsFileError(f"folder {path} has none of {', '.join(FILES)}")
        path = found
    try:
        with path.open("rb") as file:
            head = file.read(len(LFS_POINTER))
    except OSError as error:
        raise WeightsFileError(f"{path} cannot be read: {error.strerror}") from error
    if head == LFS_POINTER:
        raise WeightsFileError(
            f"{path} is a Git LFS pointer and not the weights; run `git lfs pull` in its repository"
        )
    return path


def _tensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        _refuse_what_is_no_tensor_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise WeightsFileError(f"{path} is no whole safetensors file ({error})") from error
    except WeightsFileError:
        raise
    except Exception as error:  # a damaged file makes torch and zipfile raise nearly any
        raise WeightsFileError(_unreadable(path, str(error))) from error


def _refuse_what_is_no_tensor_file(path: Path) -> None:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("constants.pkl") for name in archive.namelist()):
                raise WeightsFileError(
                    f"{path} is a TorchScript program, such as OpenAI's own files; use the "
                    "pretrained tag `openai`, or save its state_dict as safetensors"
                )
        return
    with path.open("rb") as file:
        head = file.read(4)
    if not head.startswith((PICKLE, ZIP)):
        raise WeightsFileError(f"{path} is no weights file (it begins with {head!r})")


def _unreadable(path: Path, said: str) -> str:
    first = said.strip().splitlines()[0] if said.strip() else "it ends too early"
    if path.stat().st_size and "weights_only" in said and not first.startswith("PytorchStream"):
        return (
            f"{path} is a pickle with more than tensors in it, which could run code when it is "
            "read; save the model's state_dict as safetensors"
        )
    return f"{path} is no whole weights file ({first[:200]}); fetch it again"


def _unwrapped(content: Any, path: Path) -> State:
    """Return the tensors of a file, out of what training programs put around them."""
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise WeightsFileError(f"{path} holds a {type(content).__name__} and no weights by name")
    state = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
    for prefix in ("module.", "clip.", "clip_model."):
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    if not state:
        raise WeightsFileError(f"{path} holds no tensor by name")
    return state


def _said_by_config(path: Path) -> bool | None:
    """Read from the configuration beside a file whether it is QuickGELU; None without one."""
    for name in ("open_clip_config.json", "config.json"):
        try:
            content = json.loads((path.parent / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if not isinstance(content, dict):
            continue
        if isinstance(content.get("model_cfg"), dict):
            return bool(content["model_cfg"].get("quick_gelu", False))
        acts = [
            part.get("hidden_act", "quick_gelu")  # transformers leaves the usual value out
            for part in (content.get("text_config"), content.get("vision_config"))
            if isinstance(part, dict)
        ]
        if acts:
            return "quick_gelu" in acts
    return None


def _from_transformers(state: State) -> State:
    """Rename the weights of transformers' `CLIPModel`, and join its three projections."""
    found: State = {}
    joined: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if name.endswith("position_ids"):
            continue
        part = _PARTS_OF_ATTENTION.fullmatch(name)
        if part:
            joined.setdefault(f"{part[1]}.attn.in_proj_{part[3]}", {})[part[2]] = tensor
        elif name == "text_projection.weight":
            found["text_projection"] = tensor.T.contiguous()
        elif name == "visual_projection.weight":
            found["visual.proj"] = tensor.T.contiguous()
        else:
            found[_renamed(name)] = tensor
    for name, parts in joined.items():
        if len(parts) == 3:
            found[_renamed(name)] = torch.cat([parts[letter] for letter in "qkv"])
    return found


def _renamed(name: str) -> str:
    for old, new in _TRANSFORMERS_NAMES:
        name = re.sub(old, new, name)
    return name
