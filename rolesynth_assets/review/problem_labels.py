"""What people say of the collective's problems, as rows of the table ``problem_labels``.

A row is about a candidate, whose id its problem shares: it stays valid when a set is selected anew.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from rolesynth_assets.errors import InputError
from rolesynth_assets.review.labels import reviewer_name
from rolesynth_assets.review.truth import Truth
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.rows import any_key
from rolesynth_assets.store.tombstones import now

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.store import Store

KEY = "candidate_id"
STRATA = {"kept": "kept", "discarded": "dropped"}
"""Stratum of the sample by the collective's decision; other candidates are not reviewed."""


class Judgement(StrEnum):
    """What a reviewer says of a problem's reference answer."""

    TRUE = "true"
    FALSE = "false"
    UNSOLVABLE = "unsolvable"
    """The picture and the question do not lead to one answer."""
    UNSURE = "unsure"


TRUTHS = {Judgement.UNSOLVABLE: Truth.FALSE}
"""As what a judgement counts in measures, where that is not its own name."""


def write_problem_label(store: Store, candidate: str, reviewer: str, judgement: Judgement) -> None:
    """Store an answer; another one of the same reviewer on the same problem is replaced.

    Raises:
        InputError: the reviewer's name is empty or too long, or the candidate is not stored, also
            if it is withdrawn during the call; nothing is stored then.
    """
    import pyarrow as pa

    name, mine = reviewer_name(reviewer), any_key(KEY, [candidate])
    columns = ["domain", "round", "decision"]
    rows = store.read("candidates", None, columns, mine).to_pylist()
    if not rows:
        raise InputError("This problem is no longer stored. Open the review again for the next.")
    row = {
        "label_id": _label_id(candidate, name),
        KEY: candidate,
        "reviewer": name,
        "judgement": str(judgement),
        "decision": rows[0]["decision"],
        "labelled_at": now(),
    }
    partition = {"domain": rows[0]["domain"], "round": rows[0]["round"]}
    store.append("problem_labels", partition, pa.Table.from_pylist([row]))
    if not store.count("candidates", where=mine):
        store.remove("problem_labels", mine)
        raise InputError("This problem was withdrawn, so nothing is stored of it.")


def remove_problem_label(store: Store, candidate: str, reviewer: str) -> int:
    """Take a reviewer's answer on a problem back; return the number of rows removed."""
    key = _label_id(candidate, reviewer_name(reviewer))
    return store.remove("problem_labels", any_key("label_id", [key]))


def read_problem_labels(store: StoreReader, domain: str) -> pl.DataFrame:
    """Return the answers on a domain's problems, with ``truth`` as measures count them."""
    import polars as pl

    labels = pl.DataFrame(store.read("problem_labels", {"domain": domain}))
    counted = {str(judgement): str(truth) for judgement, truth in TRUTHS.items()}
    return labels.with_columns(pl.col("judgement").replace(counted).alias("truth"))


def reviewed_candidates(store: StoreReader, domain: str) -> pl.DataFrame:
    """Return the candidates that can be reviewed: ``candidate_id`` and the stratum, ``decision``.

    Those that were decided and have a question, a reference and a picture.
    """
    import polars as pl

    whole = "question IS NOT NULL AND answer IS NOT NULL AND image_id IS NOT NULL"
    rows = pl.DataFrame(store.read("candidates", {"domain": domain}, [KEY, "decision"], whole))
    decided = rows.filter(pl.col("decision").is_in(list(STRATA)))
    return decided.with_columns(pl.col("decision").replace(STRATA)).sort(KEY)


def _label_id(candidate: str, reviewer: str) -> str:
    return digest("problem label", candidate, reviewer)
