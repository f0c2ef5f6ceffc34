"""Captions and scores of many scenes by the nano MLLM, in large batches on a GPU.

The requests, the reading of replies, the cut and the prompts are the package's own; only the engine
around the model is replaced, because the shipped one computes on a CPU.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from rolesynth_assets.captions.captioning_run import chat_request
from rolesynth_assets.captions.lengths import DEFAULT_POLICY
from rolesynth_assets.captions.parse import parse_caption
from rolesynth_assets.captions.wanted_captions import WantedCaption, wanted
from rolesynth_assets.embedded.nano.architecture import encode_images, read_pixels
from rolesynth_assets.embedded.nano.decoding import Prompt, complete_batch
from rolesynth_assets.embedded.nano.engine import WEIGHTS, _Nano, _reply
from rolesynth_assets.embedded.nano.tokenizer import Chat, encode_chats
from rolesynth_assets.embedded.world import scenes
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, ModelIdentity
from rolesynth_assets.pairs.judge import judge_prompt
from rolesynth_assets.pairs.score_reply import Judgement, judge_reply
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets.roles.role import Role

ROLE_SETS = ("roles5", "generic5")
"""Role sets that are captioned; generic1 is the first prompt of generic5."""
NANO = ModelIdentity("embedded", "nano-mllm", "gpu", stand_in=True)


def use_sprites(path: Path) -> None:
    """Let scenes be drawn from artwork in a file; the device has no renderer of vector images."""
    with np.load(path) as stored:
        art = {name: stored[name] for name in stored.files}
    scenes.sprite = lambda glyph, side: art[_sprite_name(glyph, side)]  # type: ignore[assignment]


def write_sprites(path: Path) -> None:
    """Write the artwork of all kinds in both sizes."""
    art = {
        _sprite_name(kind.glyph, side): scenes.sprite(kind.glyph, side)
        for kind in scenes.KINDS
        for side in scenes.SIDES.values()
    }
    np.savez_compressed(path, **art)  # type: ignore[arg-type]


def _sprite_name(glyph: str, side: int) -> str:
    return f"{'-'.join(f'{ord(c):X}' for c in glyph)}-{side}"


def draw_pictures(path: Path, seed: int, indices: Sequence[int]) -> int:
    """Draw scenes; write (image id, JPEG) pairs to a file."""
    pictures = [scenes.encode(scenes.draw(scenes.sample_scene(seed, index))) for index in indices]
    path.write_bytes(pickle.dumps([(sha256(data).hexdigest(), data) for data in pictures]))
    return len(pictures)


def caption_and_judge(pictures: Path, out: Path, batch: int) -> dict[str, int]:
    """Caption and judge the pictures of a file; write rows of the pairs, without the cut.

    Args:
        pictures: what `draw_pictures` wrote.
        out: file of the rows by role set.
        batch: requests in one batch.

    Returns:
        Counts of captions, of captions with text and of scores.
    """
    data = dict(pickle.loads(pictures.read_bytes()))
    rows = {name: list(_judged(name, data, batch)) for name in ROLE_SETS}
    out.write_bytes(pickle.dumps(rows))
    every = [row for of_set in rows.values() for row in of_set]
    return {
        "captions": len(every),
        "texts": sum(row["text"] is not None for row in every),
        "scores": sum(row["score"] is not None for row in every),
    }


def _judged(role_set: str, data: dict[str, bytes], batch: int) -> Iterator[dict[str, object]]:
    roles = load_role_sets(None)[role_set].written_roles()
    captions = wanted(list(data), roles, NANO, DEFAULT_POLICY)
    for start in range(0, len(captions), batch):
        some = captions[start : start + batch]
        replies = _answers([chat_request(c, data[c.image_id]) for c in some])
        parsed = [
            parse_caption(reply, caption.rule, caption.role.name).text
            for caption, reply in zip(some, replies, strict=True)
        ]
        spoken = [(c, text) for c, text in zip(some, parsed, strict=True) if text is not None]
        asked = [_question(c.role, text, c, data[c.image_id]) for c, text in spoken]
        scores = {r.key: _score(r) for r in _answers(asked)} if asked else {}
        for caption, text in zip(some, parsed, strict=True):
            yield _row(role_set, caption, text, scores.get(caption.caption_id))


def _row(
    role_set: str, caption: WantedCaption, text: str | None, score: int | None
) -> dict[str, object]:
    return {
        "shard": "scenes",
        "role_set": role_set,
        "caption_id": caption.caption_id,
        "image_id": caption.image_id,
        "role": caption.role.name,
        "length": str(caption.rule.kind),
        "text": text,
        "score": score,
    }


def _question(role: Role, text: str, caption: WantedCaption, image: bytes) -> ChatRequest:
    prompt = judge_prompt()
    return ChatRequest(
        key=caption.caption_id,
        system=prompt.system,
        prompt=prompt.render(role, text, stand_in=True),
        sampling=prompt.sampling,
        seed=0,
        images=(image,),
    )


def _score(reply: ChatReply) -> int | None:
    judged = judge_reply(reply)
    return judged.score if isinstance(judged, Judgement) else None


@cache
def _nano() -> _Nano:
    """Load the model onto the GPU, if there is one."""
    nano = _Nano(WEIGHTS)
    nano.model = nano.model.to("cuda" if torch.cuda.is_available() else "cpu")
    return nano


def _answers(requests: Sequence[ChatRequest]) -> list[ChatReply]:
    nano = _nano()
    images = {sha256(r.images[0]).digest(): r.images[0] for r in requests}
    place = {key: number for number, key in enumerate(images)}
    device = next(nano.model.parameters()).device
    with torch.inference_mode(), torch.device(device):
        pixels = read_pixels(list(images.values())).to(device)
        tokens = encode_images(nano.model.model.visual, pixels)
    chats = (Chat(r.system, r.prompt, r.history) for r in requests)
    prompts = [
        Prompt(ids, place[sha256(r.images[0]).digest()], r.sampling, r.seed)
        for r, ids in zip(requests, encode_chats(nano.tokenizer, chats), strict=True)
    ]
    with torch.device(device):  # where the decoding makes new tensors
        answers = complete_batch(nano.model, prompts, tokens)
    return [
        _reply(r, nano.tokenizer.decode(a.ids), a.ended, len(p.ids), len(a.ids), 0.0)
        for r, p, a in zip(requests, prompts, answers, strict=True)
    ]
