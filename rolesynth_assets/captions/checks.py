"""Data-quality checks over the captions of one (shard, role set).

All checks take rows of the `captions` table; each docstring lists the columns that it reads.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.captions.lengths import DEFAULT_POLICY, CaptionPolicy
from rolesynth_assets.captions.reasons import CaptionReason
from rolesynth_assets.captions.report import count_reasons
from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.mllm.rows.asked_again import reasons_in_words, way_out
from rolesynth_assets.reply_text.sentences import count_words

if TYPE_CHECKING:
    import pyarrow as pa

MAX_PERSONA_SHARE = 0.02
MAX_REFUSAL_SHARE = 0.02
MAX_FAILURE_SHARE = 0.1
EXAMPLES = 5


def every_request_answered(rows: "pa.Table", wanted_ids: Sequence[str]) -> CheckOutcome:
    """Pass when every wanted caption has one row with a text or a reason, and no other row exists.

    The value counts wanted captions without a row, rows that are not wanted, and rows with both or
    neither of text and reason. Reads caption_id, text, reason.
    """
    stored = rows["caption_id"].to_pylist()
    absent = set(wanted_ids).difference(stored)
    unwanted = set(stored).difference(wanted_ids)
    texts, reasons = rows["text"].to_pylist(), rows["reason"].to_pylist()
    undecided = [
        key
        for key, text, reason in zip(stored, texts, reasons, strict=True)
        if (text is None) == (reason is None)
    ]
    wrong = len(absent) + len(unwanted) + len(undecided)
    return CheckOutcome(
        passed=wrong == 0,
        value=wrong,
        threshold=0,
        description=(
            f"{len(wanted_ids)} captions wanted: {len(absent)} have no row, {len(unwanted)} rows "
            f"are not wanted, {len(undecided)} rows are neither caption nor reason"
        ),
        metadata={
            "absent": _examples(sorted(absent)),
            "unwanted": _examples(sorted(unwanted)),
            "undecided": _examples(undecided),
        },
    )


def keys_unique(rows: "pa.Table") -> CheckOutcome:
    """Pass when no caption id occurs twice. Reads caption_id."""
    counts = Counter(rows["caption_id"].to_pylist())
    twice = [key for key, count in counts.items() if count > 1]
    return CheckOutcome(
        passed=not twice,
        value=len(twice),
        threshold=0,
        description=f"{len(twice)} of {len(counts)} caption ids occur more than once",
        metadata={"examples": _examples(twice)},
    )


def lengths_in_bounds(rows: "pa.Table", policy: CaptionPolicy = DEFAULT_POLICY) -> CheckOutcome:
    """Pass when every caption's words lie within its length kind's bounds.

    Words are counted from the text; in a script without spaces, letters are. Reads
    caption_id, length, text.
    """
    outside: list[str] = []
    total = 0
    columns = (rows[name].to_pylist() for name in ("caption_id", "length", "text"))
    for key, length, text in zip(*columns, strict=True):
        if text is None:
            continue
        total += 1
        rule = policy[length]
        if not rule.min_words <= count_words(text) <= rule.max_words:
            outside.append(key)
    bounds = {str(rule.kind): f"{rule.min_words}-{rule.max_words} words" for rule in policy}
    return CheckOutcome(
        passed=not outside,
        value=len(outside),
        threshold=0,
        description=f"{len(outside)} of {total} captions are outside {bounds}",
        metadata={"bounds": bounds, "examples": _examples(outside)},
    )


def persona_talk_bounded(rows: "pa.Table", max_share: float = MAX_PERSONA_SHARE) -> CheckOutcome:
    """Pass when few rows talk about their writer.

    The check counts rows rejected for persona talk, and stored captions in which the current
    patterns find it (they were accepted by older patterns). Reads role, text, reason, detail.
    """
    from rolesynth_assets.captions.screens.prose import find_persona

    roles, texts = rows["role"].to_pylist(), rows["text"].to_pylist()
    kept = [
        text for role, text in zip(roles, texts, strict=True) if text and find_persona(text, role)
    ]
    return _share(rows, CaptionReason.PERSONA, kept, max_share, "talk about their writer or role")


def refusals_bounded(rows: "pa.Table", max_share: float = MAX_REFUSAL_SHARE) -> CheckOutcome:
    """Pass when few rows refuse to describe the image; reads text, reason, detail."""
    from rolesynth_assets.captions.screens.prose import find_refusal

    kept = [text for text in rows["text"].to_pylist() if text and find_refusal(text)]
    return _share(rows, CaptionReason.REFUSED, kept, max_share, "refuse to describe the image")


def failures_bounded(rows: "pa.Table", max_share: float = MAX_FAILURE_SHARE) -> CheckOutcome:
    """Pass when few rows have no caption, for whatever reason; no rows pass.

    Reads reason; a failure also names examples and the way out by detail and role_set.
    """
    reasons = count_reasons(rows)
    failed = sum(reasons.values())
    share = failed / rows.num_rows if rows.num_rows else 0.0
    passed = share <= max_share
    description = f"{failed} of {rows.num_rows} rows have no caption"
    if reasons and not passed:
        named = "role_set" in rows.column_names
        role_set = rows["role_set"][0].as_py() if named else "ROLE_SET"
        reason_text = reasons_in_words(reasons, _details(rows))
        description += f": {reason_text}. {way_out(reasons, role_set)}"
    return CheckOutcome(
        passed=passed,
        value=round(share, 6),
        threshold=max_share,
        description=description,
        metadata={"reasons": reasons},
    )


def _details(rows: "pa.Table") -> dict[str, str]:
    """Return the detail of one row by reason."""
    found: dict[str, str] = {}
    for reason, detail in zip(rows["reason"].to_pylist(), rows["detail"].to_pylist(), strict=True):
        if reason is not None and detail:
            found.setdefault(reason, detail)
    return found


def _share(
    rows: "pa.Table", reason: CaptionReason, kept: Sequence[str], max_share: float, what: str
) -> CheckOutcome:
    turned_down = [
        detail
        for row_reason, detail in zip(
            rows["reason"].to_pylist(), rows["detail"].to_pylist(), strict=True
        )
        if row_reason == reason
    ]
    found = len(turned_down) + len(kept)
    share = found / rows.num_rows if rows.num_rows else 0.0
    return CheckOutcome(
        passed=share <= max_share,
        value=round(share, 6),
        threshold=max_share,
        description=f"{found} of {rows.num_rows} rows {what}, {len(kept)} of them stored captions",
        metadata={"turned_down": _examples(turned_down), "stored": _examples(kept)},
    )


def _examples(items: Iterable[str]) -> list[str]:
    return list(items)[:EXAMPLES]


def index_complete(indexed: int, spoken: int) -> CheckOutcome:
    """Pass when an index holds every caption that has a text.

    Args:
        indexed: captions in the index.
        spoken: captions with a text when it was made.
    """
    return CheckOutcome(
        passed=indexed == spoken,
        value=indexed,
        threshold=spoken,
        description=f"{indexed:,} of {spoken:,} captions are in the index.",
    )
