import pyarrow as pa

from rolesynth_assets.pairs.rereading import read_again
from rolesynth_assets.store.lance.schemas import SCORES
from rolesynth_assets.store.lance.store import Store

HERE = {"shard": "s1", "role_set": "set"}


def row(key: str, reason: str | None, detail: str) -> dict[str, object]:
    numbers = {"prompt_tokens": 1, "completion_tokens": 1, "latency_s": 0.1}
    texts = ("caption_id", "image_id", "role", "length", "judge", "judge_revision")
    return {
        **dict.fromkeys((*texts, "prompt_fingerprint", "run_id"), "x"),
        **HERE,
        **numbers,
        "score_id": key,
        "score": None if reason else 50,
        "rationale": None,
        "reason": reason,
        "detail": detail,
    }


def test_answers_without_a_score_are_read_again(tmp_path) -> None:
    store = Store(tmp_path)
    rows = [
        row("a", "no_score", "The score is 85."),
        row("b", "ambiguous", "8 7"),
        row("c", "truncated", "Rating: 85/100. It na"),
        row("d", "call_failed", "Score: 99"),
        row("e", None, ""),
        row("f", "no_score", "Score: 85\n" + "x" * 490),
    ]
    store.append("scores", HERE, pa.Table.from_pylist(rows, schema=SCORES.schema))
    assert read_again(store, HERE, lambda rows: store.append("scores", HERE, rows)) == 2
    scores = {r["score_id"]: r for r in store.read("scores", HERE).to_pylist()}
    assert {key: r["score"] for key, r in scores.items()} == {
        "a": 85,
        "b": None,
        "c": 85,
        "d": None,
        "e": 50,
        "f": None,  # its end is missing
    }
    assert (scores["c"]["reason"], scores["c"]["rationale"]) == (None, "It na")
