"""CADS rows of one domain over two rounds: two seeds, contexts, problems, an R1 checkpoint."""

import hashlib
from typing import Any

import polars as pl

from rolesynth_assets.store.digests import digest, image_id
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.cads.round_frames import frame

DOMAIN = "counting"
ROUNDS = ("2026-01-05", "2026-01-12")
SEED_IMAGES = {name: f"the picture of seed {name} ".encode() * 60 for name in "pq"}
CONTEXT = "Ask for two steps of counting."


def key(name: str) -> str:
    """A whole id that a short name stands for."""
    return hashlib.sha256(name.encode()).hexdigest()


def drawn(name: str) -> bytes:
    return f"the drawing for {name} ".encode() * 60


def store_problems(store: Store, small: SmallTables) -> None:
    """Seeds p and q; p1 (hard), q1 (dropped) in round one, p2 (kept) in round two."""
    _write(store, "seeds", {"domain": DOMAIN}, [_seed("p"), _seed("q")])
    for number, names in enumerate((("p1", "q1"), ("p2",))):
        where = {"domain": DOMAIN, "round": ROUNDS[number]}
        _write(store, "candidates", where, [_candidate(name, number) for name in names])
        verdicts = [_verdict(name, judge) for name in names for judge in ("ada", "ben")]
        _write(store, "verdicts", where, verdicts)
        _write(store, "contexts", where, [_context("p", number), _context("q", number)])
    _write(store, "problems", {"domain": DOMAIN}, [_problem("p1"), _problem("p2")])
    place = {"recipe": "synthetic", "seed": 0, "weights_digest": key("policy")}
    row = {**place, "data_digest": key("data"), "run_id": "r1-run"}
    small.replace("r1_trainings", place, pl.DataFrame([row]))
    items = {"data_digest": [key("data")] * 2, "item_id": [key("p1"), key("p2")]}
    small.replace("r1_items", {"data_digest": key("data")}, pl.DataFrame(items))
    score = {"recipe": "synthetic", "seed": 0, "benchmark": "held_out", "metric": "accuracy"}
    score |= {"value": 0.5, "low": 0.4, "high": 0.6, "chance": None, "n": 50}
    score |= {"checkpoint_digest": key("policy"), "run_id": "eval-run"}
    scores = pl.DataFrame([score], schema_overrides={"chance": pl.Float64})
    small.replace("r1_scores", {"recipe": "synthetic"}, scores)


def _write(store: Store, table: str, where: dict[str, str], rows: list[dict[str, Any]]) -> None:
    whole = frame_of(table, [{**row, **where} for row in rows])
    store.replace(table, where, whole)


def frame_of(table: str, rows: list[dict[str, Any]]) -> Any:
    from rolesynth_assets.store.lance.schemas import table_spec

    columns = table_spec(table).schema.names
    if "round" in columns:
        return frame(table, rows).to_arrow()
    import pyarrow as pa

    schema = table_spec(table).schema
    empty = {pa.string(): "", pa.bool_(): False}
    filled = [
        {f.name: None if f.nullable else empty.get(f.type, 0) for f in schema} | row for row in rows
    ]
    return pa.Table.from_pylist(filled, schema=schema)


def _seed(name: str) -> dict[str, Any]:
    image = SEED_IMAGES[name]
    return {
        "seed_id": key(name),
        "problem": f"<image> How many apples does {name} have?",
        "answer": "3",
        "images": [image],
        "image_ids": image_id(image),
        "source": f"seeds.jsonl:{name}",
    }


def _candidate(name: str, number: int) -> dict[str, Any]:
    context = CONTEXT if name == "p2" else ""
    return {
        "candidate_id": key(name),
        "seed_id": key(name[0]),
        "round_number": number + 1,
        "index": number,
        "member": "ada",
        "model": "m1",
        "revision": "r",
        "context_digest": digest("context", context),
        "strategy": "Logic Reversion",
        "question": f"What is {name}?",
        "answer": "4",
        "visual_prompt": f"Draw {name}.",
        "renderer": "specification",
        "image_id": image_id(drawn(name)),
        "image": drawn(name),
        "decision": "discarded" if name == "q1" else "kept",
        "judges": 2,
        "consensus": 0 if name == "q1" else 1,
        "hard": name != "q1",
        "run_id": f"round-{number + 1}",
    }


def _verdict(name: str, judge: str) -> dict[str, Any]:
    right = judge == "ada" and name != "q1"
    return {
        "verdict_id": key(f"{name} {judge}"),
        "candidate_id": key(name),
        "judge": judge,
        "model": "m1",
        "with_image": True,
        "is_writer": judge == "ada",
        "answer": "4" if right else "5",
        "correct": right,
        "decided_by": "rule",
        "rationale": f"{judge} counted.",
        "run_id": "judge-run",
    }


def _context(seed: str, number: int) -> dict[str, Any]:
    text = CONTEXT if seed == "p" else ""
    return {
        "context_id": key(f"context {seed} {number}"),
        "seed_id": key(seed),
        "round_number": number + 1,
        "before": text if number else "",
        "text": text,
        "reflection": "One step is too easy." if seed == "p" and not number else None,
        "hard": int(seed == "p"),
        "dealt": number + 1,
        "run_id": f"round-{number + 1}",
    }


def _problem(name: str) -> dict[str, Any]:
    return {
        "problem_id": key(name),
        "round": ROUNDS[name == "p2"],
        "seed_id": key(name[0]),
        "member": "ada",
        "question": f"What is {name}?",
        "answer": "4",
        "solution": "s",
        "strategy": "Logic Reversion",
        "task_type": "Open-ended",
        "consensus": 1,
        "judges": 2,
        "hard": True,
        "image_id": image_id(drawn(name)),
        "image": drawn(name),
        "kept": True,
    }
