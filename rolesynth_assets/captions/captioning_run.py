"""The request for a caption, and the row made from its reply."""

from collections.abc import Mapping

from rolesynth_assets.captions.parse import AS_SHIPPED, ParsedCaption, Reading, parse_caption
from rolesynth_assets.captions.wanted_captions import WantedCaption
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, ModelIdentity
from rolesynth_assets.mllm.rows.row_run import Rows
from rolesynth_assets.mllm.sent import sent_columns


class CaptioningError(RuntimeError):
    """A partition cannot be captioned; the message names it and the way out."""


def caption_rows(
    partition: Mapping[str, str],
    identity: ModelIdentity,
    run_id: str,
    reading: Reading = AS_SHIPPED,
) -> Rows[WantedCaption]:
    """Return the requests and the rows of one partition's captions.

    Args:
        partition: shard and role set.
        identity: the captioning model.
        run_id: recorded with every row.
        reading: how replies are read.
    """

    def row(caption: WantedCaption, reply: ChatReply) -> dict[str, object]:
        parsed = parse_caption(reply, caption.rule, caption.role.name, reading)
        return {
            "caption_id": caption.caption_id,
            **partition,
            "image_id": caption.image_id,
            "role": caption.role.name,
            "role_fingerprint": caption.role.fingerprint,
            "length": str(caption.rule.kind),
            **columns_of(parsed),
            "read_by": reading.describe(caption.rule),
            "model": identity.model,
            "revision": identity.revision,
            **sent_columns(reply, caption.rule.sampling, caption.seed),
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "finish_reason": reply.finish_reason,
            "latency_s": reply.latency_s,
            "run_id": run_id,
        }

    return Rows("captions", chat_request, row)


def columns_of(parsed: ParsedCaption) -> dict[str, object]:
    """Return the columns of a row that reading a reply gives."""
    return {
        "text": parsed.text,
        "reason": str(parsed.reason) if parsed.reason else None,
        "detail": parsed.detail,
        "words": parsed.words,
        "cuts": " ".join(parsed.cuts),
        "reply": parsed.reply,
    }


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
