"""The request for a caption, and the row made from its reply."""

from collections.abc import Mapping

from rolesynth_assets.captions.parse import parse_caption
from rolesynth_assets.captions.wanted_captions import WantedCaption
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, ModelIdentity
from rolesynth_assets.mllm.row_run import Rows
from rolesynth_assets.mllm.sent import sent_columns


class CaptioningError(RuntimeError):
    """A partition cannot be captioned; the message names it and the way out."""


def caption_rows(
    partition: Mapping[str, str], identity: ModelIdentity, run_id: str
) -> Rows[WantedCaption]:
    """Return the requests and the rows of one partition's captions.

    Args:
        partition: shard and role set.
        identity: the captioning model.
        run_id: recorded with every row.
    """

    def row(caption: WantedCaption, reply: ChatReply) -> dict[str, object]:
        parsed = parse_caption(reply, caption.rule, caption.role.name)
        return {
            "caption_id": caption.caption_id,
            **partition,
            "image_id": caption.image_id,
            "role": caption.role.name,
            "role_fingerprint": caption.role.fingerprint,
            "length": str(caption.rule.kind),
            "text": parsed.text,
            "reason": str(parsed.reason) if parsed.reason else None,
            "detail": parsed.detail,
            "model": identity.model,
            "revision": identity.revision,
            **sent_columns(reply, caption.rule.sampling, caption.seed),
            "words": parsed.words,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "finish_reason": reply.finish_reason,
            "latency_s": reply.latency_s,
            "run_id": run_id,
        }

    return Rows("captions", chat_request, row)


def chat_request(caption: WantedCaption, image: bytes) -> ChatRequest:
    """Build one request: the shared system text, then the image, then the role's text."""
    return ChatRequest(
        key=caption.caption_id,
        system=caption.role.system,
        prompt=caption.role.prompt(caption.rule.kind),
        sampling=caption.rule.sampling,
        seed=caption.seed,
        images=(image,),
    )
