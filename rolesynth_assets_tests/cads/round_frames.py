"""Rows of a round, made from a few words each, in the full schema of their tables."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from rolesynth_assets.store.lance.schemas import table_spec

JUDGES = ("ada", "ben", "cleo")
PARTITION = {"domain": "counting", "round": "2026-01-05"}


def picture(seed: int, size: int = 96) -> bytes:
    """A picture of some blocks; two seeds look different to a perceptual hash too."""
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(blocks).resize((size, size), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def frame(table: str, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows of a table; required columns that are not given are empty text, zero or false."""
    import pyarrow as pa

    schema = table_spec(table).schema
    empty = {pa.string(): "", pa.bool_(): False}
    filled = [
        {f.name: None if f.nullable else empty.get(f.type, 0) for f in schema} | PARTITION | row
        for row in rows
    ]
    unknown = {name for row in filled for name in row} - set(schema.names)
    assert not unknown, unknown
    found = pl.from_arrow(pa.Table.from_pylist(filled, schema=schema))
    assert isinstance(found, pl.DataFrame)
    return found


def candidate(number: int, said: str, **fields: Any) -> dict[str, Any]:
    """A candidate that the judges answered as `said`: "+" right, "-" wrong, "?" no verdict."""
    undecided = "?" in said
    consensus = None if undecided else said.count("+")
    decision = "undecided" if undecided else "kept" if consensus else "discarded"
    return {
        "candidate_id": f"c{number:03d}",
        "seed_id": f"s{number % 4}",
        "round_number": 1,
        "index": number,
        "member": JUDGES[number % 3],
        "strategy": ("Numerical & Parameter Variation", "Logic Reversion")[number % 2],
        "task_type": "Open-ended",
        "claimed_domain": "counting",
        "question": f"How many apples are in picture {number}?",
        "answer": "3",
        "visual_prompt": "Draw 3 apples on a table.",
        "image_id": f"i{number}",
        "image": picture(number),
        "decision": decision,
        "reason": "verdicts_missing" if undecided else None,
        "judges": len(said),
        "consensus": consensus,
        "hard": consensus is not None and 0 < consensus < len(said),
        "calls": 2,
        "prompt_tokens": 100,
        "completion_tokens": 10,
    } | fields


def verdicts_of(row: dict[str, Any], said: str, **fields: Any) -> list[dict[str, Any]]:
    """One verdict for each sign of `said`, in the order of `JUDGES`."""
    return [
        {
            "verdict_id": f"{row['candidate_id']} {judge}",
            "candidate_id": row["candidate_id"],
            "judge": judge,
            "with_image": True,
            "is_writer": judge == row["member"],
            "answer": {"+": row["answer"], "-": "7", "?": None}[sign],
            "correct": {"+": True, "-": False, "?": None}[sign],
            "decided_by": None if sign == "?" else "rule",
            "reason": "timeout" if sign == "?" else None,
            "prompt_tokens": 50,
            "completion_tokens": 5,
        }
        | fields
        for judge, sign in zip(JUDGES, said, strict=True)
    ]


def round_of(*said: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Candidates and their verdicts, one candidate for each word of signs."""
    rows = [candidate(number, signs) for number, signs in enumerate(said)]
    verdicts = [v for row, signs in zip(rows, said, strict=True) for v in verdicts_of(row, signs)]
    return frame("candidates", rows), frame("verdicts", verdicts)
